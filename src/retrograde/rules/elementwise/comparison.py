"""Comparisons, tests and logic: their derivative is zero wherever they have one, so their results are plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.elementwise.declaring import elementwise

less = elementwise(np.less, ("x", "y"))
less_equal = elementwise(np.less_equal, ("x", "y"))
greater = elementwise(np.greater, ("x", "y"))
greater_equal = elementwise(np.greater_equal, ("x", "y"))
equal = elementwise(np.equal, ("x", "y"))
not_equal = elementwise(np.not_equal, ("x", "y"))

isnan = elementwise(np.isnan, ("x",))
isfinite = elementwise(np.isfinite, ("x",))
isinf = elementwise(np.isinf, ("x",))
signbit = elementwise(np.signbit, ("x",))

logical_and = elementwise(np.logical_and, ("x", "y"))
logical_or = elementwise(np.logical_or, ("x", "y"))
logical_xor = elementwise(np.logical_xor, ("x", "y"))
logical_not = elementwise(np.logical_not, ("x",))

# Of integers and truth values, which are tracked nowhere: these are for programs.
bitwise_and = elementwise(np.bitwise_and, ("x", "y"))
bitwise_or = elementwise(np.bitwise_or, ("x", "y"))
bitwise_xor = elementwise(np.bitwise_xor, ("x", "y"))
invert = elementwise(np.invert, ("x",))
left_shift = elementwise(np.left_shift, ("x", "y"))
right_shift = elementwise(np.right_shift, ("x", "y"))
gcd = elementwise(np.gcd, ("x", "y"))
lcm = elementwise(np.lcm, ("x", "y"))


def plain(value: Any) -> Any:
    """The plain arrays behind a value, or a tuple or list of values: constants to every derivative."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(plain, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return PRIMITIVES["stop_gradient"](value) if isinstance(value, Intercepting) else value


def _holds_symbol(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(_holds_symbol, value))  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(value, Intercepting)


def without_derivative(*functions: Callable[..., Any]) -> None:
    """Say that NumPy functions have constant results: they are called with the plain arrays, and not in programs."""
    for function in functions:
        spells(function)(_on_plain_arrays(function))


def _on_plain_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    def constant(*arguments: Any, **options: Any) -> Any:
        arguments, options = plain(arguments), {name: plain(option) for name, option in options.items()}
        if any(map(_holds_symbol, (*arguments, *options.values()))):
            raise missing_rule(f"numpy.{function.__name__} in a program", (*arguments, *options.values()))
        return function(*arguments, **options)

    return constant


without_derivative(np.isclose, np.allclose, np.array_equal, np.array_equiv, np.isneginf, np.isposinf, np.isin)
without_derivative(np.isreal, np.iscomplex, np.digitize, np.lexsort, np.may_share_memory, np.shares_memory)
without_derivative(np.array2string, np.array_repr, np.array_str)


@spells(np.iscomplexobj)
def _iscomplexobj(x: Any) -> bool:
    return x.dtype.kind == "c"


@spells(np.isrealobj)
def _isrealobj(x: Any) -> bool:
    return x.dtype.kind != "c"
