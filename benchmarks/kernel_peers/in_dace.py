"""The kernels for DaCe: their own source, with types in the signature and the sum of the outputs at the end.

DaCe differentiates a scalar by arrays. So the cotangents are ones here, and numbers among the arguments are left out of
the gradient: less work than the others do.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from kernels.registry import Kernel

_HEADER = "import numpy as np\nimport dace\n\n"


def program_text(kernel: Kernel, arguments: tuple[Any, ...]) -> str:
    """A module with the kernel as a program of DaCe, for arguments of these shapes; integers are constants in it."""
    tree = _definition(kernel.function)
    names = [argument.arg for argument in tree.args.args][: len(arguments)]
    given = dict(zip(names, arguments, strict=True))
    constants = {name: value for name, value in given.items() if isinstance(value, int)}
    parameters = [(name, _annotation(value)) for name, value in given.items() if name not in constants]
    parameters.append(("S", "dace.float64[1]"))
    body = [line for line in tree.body if not _is_docstring(line)]
    returned = body.pop() if isinstance(body[-1], ast.Return) else None
    lines = [ast.unparse(line) for line in body] + _sums(kernel, returned, arguments)
    signature = ", ".join(f"{name}: {kind}" for name, kind in parameters)
    helpers = [ast.unparse(_definition(helper)) for helper in _helpers(kernel.function)]
    settings = [f"{name} = {value}" for name, value in {**_numbers(kernel.function), **constants}.items()]
    text = "\n".join(lines).replace("\n", "\n    ")
    return "\n\n".join(
        [_HEADER + "\n".join(settings), *helpers, f"@dace.program\ndef program({signature}):\n    {text}\n"]
    )


def _sums(kernel: Kernel, returned: ast.Return | None, arguments: tuple[Any, ...]) -> list[str]:
    """A statement that puts the sum of all outputs into S."""
    parts = [name for name in kernel.of if name != "return"]
    if "return" in kernel.of and returned is not None:
        value = returned.value
        parts += [ast.unparse(part) for part in (value.elts if isinstance(value, ast.Tuple) else [value])]
        if not isinstance(value, ast.Tuple) and np.ndim(kernel.function(*deepcopy(arguments))) == 0:
            return [f"S[0] = {' + '.join([*(f'np.sum({part})' for part in parts[:-1]), parts[-1]])}"]
    return [f"S[0] = {' + '.join(f'np.sum({part})' for part in parts)}"]


def _annotation(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return "dace.float64"
    return f"dace.{value.dtype}[{', '.join(map(str, value.shape))}]"


def _definition(function: Callable[..., Any]) -> ast.FunctionDef:
    (found,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(found, ast.FunctionDef)
    return found


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def _read_globals(function: Callable[..., Any]) -> dict[str, Any]:
    assert isinstance(function, FunctionType)
    return {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}


def _helpers(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Functions of the kernel's file that it calls, callees first."""
    found: list[Callable[..., Any]] = []
    for value in _read_globals(function).values():
        if isinstance(value, FunctionType):
            found += [*_helpers(value), value]
    return list(dict.fromkeys(found))


def _numbers(function: Callable[..., Any]) -> dict[str, Any]:
    return {name: value for name, value in _read_globals(function).items() if isinstance(value, (int, float))}


def gradient(
    kernel: Kernel, arguments: tuple[Any, ...], folder: Path, reuse: bool = False
) -> Callable[[], tuple[Any, ...]]:
    """A compiled gradient: of the sum of all outputs, by each array of the kernel's `wrt`.

    Args:
        kernel: any; what DaCe cannot parse, differentiate or compile raises its own errors.
        arguments: to compile it for, and to run it on.
        folder: for the generated module; the current one, where DaCe builds.
        reuse: load what was compiled there before.
    """
    import dace
    from dace.autodiff import add_backward_pass

    dace.Config.set("compiler", "use_cache", value=reuse)
    names = inspect.signature(kernel.function).parameters
    arrays = {n: a for n, a in zip(names, arguments, strict=False) if isinstance(a, np.ndarray)}
    wrt = [name for name in kernel.wrt if name in arrays]
    sdfg = _load(kernel.name, program_text(kernel, arguments), folder).program.to_sdfg(simplify=True)
    add_backward_pass(sdfg=sdfg, outputs=["S"], inputs=wrt)
    compiled = sdfg.compile()
    gradients = {name: np.zeros_like(arrays[name]) for name in wrt}
    wanted = sdfg.arglist()
    scalars = {n: a for n, a in zip(names, arguments, strict=False) if isinstance(a, float)}
    total, one = np.zeros(1), np.ones(1)

    def run() -> tuple[Any, ...]:
        fresh = {name: array.copy() for name, array in arrays.items()}
        for part in gradients.values():
            part[...] = 0
        one[0] = 1.0
        marked = {f"gradient_{name}": part for name, part in gradients.items()}
        given = {**fresh, **scalars, **marked, "S": total, "gradient_S": one}
        compiled(**{name: value for name, value in given.items() if name in wanted})
        return tuple(gradients.values())

    return run


def _load(name: str, text: str, folder: Path) -> ModuleType:
    """A module from generated text; DaCe reads the source again from its file."""
    path = folder / f"{name}_for_dace.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
