"""Modules made of generated text, some functions of which are compiled.

A module is named by its content: the text, what is compiled in it and how, and the versions beneath. So the same text
is the same module, in this process and in the next, and a text that changed in any way is another module, whose
compiled code nobody can mistake for the first's.
"""

from __future__ import annotations

import hashlib
import json
import linecache
import platform
import sys
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from threading import RLock
from types import MappingProxyType, ModuleType
from typing import Any, cast

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
from retrograde.python.compiling.known import declare
from retrograde.version import __version__

_OPTIONS: Mapping[str, Any] = MappingProxyType({"error_model": "numpy", "nogil": True})
_MOST_MODULES = 256
_modules: OrderedDict[tuple[Any, ...], ModuleType] = OrderedDict()
_lock = RLock()


def compile_text(
    text: str,
    names: Sequence[str] = (),
    *,
    inner: Collection[str] = (),
    namespace: Mapping[str, Any] = MappingProxyType({}),
    options: Mapping[str, Any] = _OPTIONS,
) -> ModuleType:
    """A module of generated text, with functions that Numba compiles when they are first called.

    Machine code is kept on disk (see `StoredCode`), so that the next process that makes the same module does not
    compile. The module's lines are shown in tracebacks.

    Args:
        text: the module's source.
        names: the functions in it to compile, callees before those that call them.
        inner: those of them that nothing but the others calls.
        namespace: objects that the text uses by name. Compiled functions may use the numbers and arrays among them,
            which belong to the content.
        options: of `numba.njit`.

    Returns:
        The module, where each of the names stands for the compiled function.

    Raises:
        UsageError: the text does not define one of the names.

    Example:
        >>> module = compile_text("def double(x):\\n    return 2 * x\\n", ["double"])
        >>> module.double(1.5)
        3.0
    """
    digest = _digest(text, names, inner, namespace, options)
    key = (digest, *(id(value) for value in namespace.values()))
    with _lock:
        module = _modules.get(key)
        if module is None:
            compiled = {name: None if name in inner else (f"{digest[:40]}-{name}") for name in names}
            module = _modules[key] = _made(_free_name(digest), text, compiled, namespace, options)
        _modules.move_to_end(key)
        while len(_modules) > _MOST_MODULES:
            _forget(_modules.popitem(last=False)[1].__name__)
    return module


def _free_name(digest: str) -> str:
    """The module's name by content; with a number where the same content stands beside other objects already."""
    name = f"retrograde_generated_{digest[:24]}"
    return next(
        free for free in (name, *(f"{name}_{at}" for at in range(2, _MOST_MODULES + 3))) if free not in sys.modules
    )


def _made(
    name: str, text: str, compiled: Mapping[str, str | None], namespace: Mapping[str, Any], options: Mapping[str, Any]
) -> ModuleType:
    """A module, some functions of which are compiled: each under a name on disk, or as part of others."""
    file = f"<{name}>"
    module = ModuleType(name)
    module.__file__ = file
    module.__dict__.update(namespace)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    sys.modules[name] = module
    declare(namespace.values())
    try:
        exec(compile(text, file, "exec"), module.__dict__)
        for function, stored in compiled.items():
            _replace_by_compiled(module, function, stored, options)
    except BaseException:
        _forget(name)
        raise
    return module


def _replace_by_compiled(module: ModuleType, name: str, stored: str | None, options: Mapping[str, Any]) -> None:
    from numba import njit

    from retrograde.python.compiling.pipeline import InnerDispatcher, TextCompiler
    from retrograde.python.compiling.stored import StoredCode

    function = module.__dict__.get(name)
    if function is None:
        raise UsageError(f"{name!r} was to be compiled, and the text of {module.__name__} defines no such function")
    dispatcher: Any = njit(pipeline_class=TextCompiler, **options)(function)
    if hasattr(dispatcher, "_cache"):  # with NUMBA_DISABLE_JIT it is the plain function
        if stored is None:
            dispatcher = InnerDispatcher(function, options)
        else:
            dispatcher._cache = StoredCode(stored)
    module.__dict__[name] = dispatcher


def _forget(name: str) -> None:
    sys.modules.pop(name, None)
    linecache.cache.pop(f"<{name}>", None)


def _digest(
    text: str, names: Sequence[str], inner: Collection[str], namespace: Mapping[str, Any], options: Mapping[str, Any]
) -> str:
    content = {
        "text": text,
        "names": [(name, name in inner) for name in names],
        "namespace": {key: _written(value) for key, value in sorted(namespace.items())},
        "options": {key: repr(value) for key, value in sorted(options.items())},
        "versions": _versions() if names else (),
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _written(value: Any) -> str:
    """What tells an object from others as far as compiled code can use it: the value of a number or an array.

    Raises:
        UsageError: it is a compiled function, whose code would be part of the code of those that call it.
    """
    if is_ndarray(value):
        order = "F" if value.flags.f_contiguous else "C"
        return f"{value.dtype} {value.shape} {order} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, cast('tuple[Any, ...]', value)))})"
    if isinstance(value, (bool, int, float, complex, str, np.generic)):
        kind: str = type(cast("Any", value)).__name__
        return f"{kind} {value!r}"
    if hasattr(value, "py_func"):
        raise UsageError(
            f"{value!r} is compiled by itself, and its code would be kept inside that of its callers after it has "
            "changed; put its text into the module's"
        )
    return type(value).__qualname__


@cache
def _versions() -> tuple[str, ...]:
    import llvmlite  # pyright: ignore[reportMissingTypeStubs]
    import numba
    from numba.core import config

    settings = {name: getattr(config, name, None) for name in ("OPT", "BOUNDSCHECK", "LOOP_VECTORIZE", "SLP_VECTORIZE")}
    return (
        __version__,
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        platform.python_implementation() + platform.python_version(),
        repr(settings),
    )
