"""How NumPy spells what the primitives do: from a NumPy function to the function that takes its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_VARKEYWORDS
from typing import Any, TypeVar

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.dispatch import Intercepting

_Function = TypeVar("_Function", bound=Callable[..., Any])

SPELLINGS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""For each NumPy function or ufunc that is known: what is called in its place, with the same arguments."""


def spells(*functions: Callable[..., Any]) -> Callable[[_Function], _Function]:
    """Say that a function (or a primitive) takes the place of NumPy functions where an operand is tracked."""

    def declare(replacement: _Function) -> _Function:
        for function in functions:
            if function in SPELLINGS:
                raise UsageError(f"{function.__name__} is spelled twice; take one of the two away")
            SPELLINGS[function] = replacement
        return replacement

    return declare


LATE_SPELLINGS: dict[str, tuple[str, Callable[..., Any]]] = {}
"""By name, for functions of modules that are imported by whoever uses them: the module, and what is called instead."""


def spells_late(module: str, *names: str) -> Callable[[_Function], _Function]:
    """As `spells`, for functions of a module that is not imported for it, by their names there."""

    def declare(replacement: _Function) -> _Function:
        LATE_SPELLINGS.update(dict.fromkeys(names, (module, replacement)))
        return replacement

    return declare


def _late(function: Any) -> Callable[..., Any] | None:
    module, replacement = LATE_SPELLINGS.get(function.__name__, ("", None))
    return replacement if getattr(sys.modules.get(module), function.__name__, None) is function else None


def _full_name(ufunc: Any) -> str:
    """A ufunc does not know the module that it is of."""
    modules = {"numpy", *(module for module, _ in LATE_SPELLINGS.values())}
    of = [module for module in modules if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc]
    return ".".join((*of, ufunc.__name__))


def call_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What `__array_ufunc__` does.

    Raises:
        UnsupportedError: there is no rule for this ufunc, this method of it, or one of the options.

    For ufuncs with options, and for methods of ufuncs, `numpy.ufunc.__call__`, `numpy.ufunc.reduce` and so on are
    spelled: once for all ufuncs, which come as the first argument.
    """
    replacement = SPELLINGS.get(ufunc) or _late(ufunc)
    if method == "__call__" and replacement is not None and not options:
        return replacement(*inputs)
    general = SPELLINGS.get(getattr(np.ufunc, method))
    if replacement is not None and general is not None and _is_tracked(options.get("out", inputs)):
        return general(ufunc, *inputs, **options)
    name = _full_name(ufunc)
    if "out" in options:
        kind = type(next((item for item in options["out"] if item is not None), None)).__name__
        raise UnsupportedError(
            f"{name} was asked to write into an existing array ({kind}), an operand being {_interceptor(inputs)}; "
            "write `y = y + x` for `y += x`, or have the array tracked before it is written (np.zeros_like of a "
            "tracked array is tracked, and so is what tape.watch returns)"
        )
    if replacement is None:
        raise missing_rule(name, inputs)
    asked = f"{name}.{method}" if method != "__call__" else f"{name} with {', '.join(options)}"
    raise UnsupportedError(
        f"{asked} has no derivative rule, and an operand is {_interceptor(inputs)}; {name} called plainly has one"
    )


def call_function(function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What `__array_function__` does.

    Raises:
        UnsupportedError: there is no rule for this function, or for one of the options.
    """
    replacement = SPELLINGS.get(function)
    if replacement is None:
        raise missing_rule(f"{function.__module__}.{function.__name__}", (*arguments, *options.values()))
    if not options:
        return replacement(*arguments)
    known, any_other = _parameters(replacement)
    unknown = [name for name, value in options.items() if name not in known and value is not None]
    if unknown and not any_other:
        name = f"{function.__module__}.{function.__name__}"
        raise UnsupportedError(
            f"{name} with {', '.join(unknown)} has no derivative rule, and an operand is "
            f"{_interceptor((*arguments, *options.values()))}; {name} with {', '.join(known)} has one"
        )
    return replacement(*arguments, **{name: value for name, value in options.items() if any_other or name in known})


def _is_tracked(targets: tuple[Any, ...]) -> bool:
    return any(isinstance(target, Intercepting) for target in targets)


def _parameters(replacement: Any) -> tuple[tuple[str, ...], bool]:
    """The names of a function's parameters, and whether it takes others, too."""
    code = getattr(replacement, "__code__", None)
    if code is None:
        return (), False
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], bool(code.co_flags & CO_VARKEYWORDS)


def missing_rule(name: str, operands: tuple[Any, ...]) -> UnsupportedError:
    """The error for a NumPy function that nothing takes the place of."""
    return UnsupportedError(
        f"{name} has no derivative rule, and an operand is {_interceptor(operands)}; write it with functions that have "
        "one (docs/rules.md lists them), take it out of the derivative with rg.stop_gradient, or give it a rule "
        "with rg.primitive, rg.custom_jvp or rg.custom_vjp"
    )


def _interceptor(operands: tuple[Any, ...]) -> str:
    for operand in operands:
        if isinstance(operand, Intercepting):
            return f"a {type(operand).__name__}"
        if isinstance(operand, (tuple, list)) and (inner := _interceptor(tuple(operand))) != "intercepted":  # pyright: ignore[reportUnknownArgumentType]
            return inner
    return "intercepted"
