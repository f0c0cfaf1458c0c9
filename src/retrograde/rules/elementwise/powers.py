"""Powers, and what is made of powers of two operands."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.elementwise.declaring import elementwise
from retrograde.rules.elementwise.quiet import divide_by_length, power_rules

power = elementwise(np.power, ("x", "y"), **power_rules)

_SIMPLE: dict[Any, Callable[..., Array]] = {-1: np.reciprocal, 1: np.positive, 2: np.square}


@spells(ArrayLike.__pow__)
def _raised(x: Array, y: Array) -> Array:
    """What `x**y` is: as for NumPy's arrays, some Python numbers have a function of their own."""
    if type(y) in (int, float):
        if y in _SIMPLE:
            return _SIMPLE[y](x)
        if y == 0.5 and x.ndim:
            return np.sqrt(x)
    return power(x, y)


@spells(np.float_power)
def _float_power(x1: Array, x2: Array) -> Array:
    """`power` of operands that are at least double precision."""
    operands = (x1, x2)
    complex_ones = any(np.iscomplexobj(operand) for operand in operands)
    wide = np.result_type(*(_dtype(operand) for operand in operands), np.complex128 if complex_ones else np.float64)
    return power(*(np.astype(operand, wide) if np.ndim(operand) else operand * wide.type(1) for operand in operands))


def _dtype(x: Array) -> Any:
    return x.dtype if hasattr(x, "dtype") else type(x)


# At (0, 0) these have no derivative, or one for each direction; its mean over directions is 0.
hypot = elementwise(
    np.hypot,
    ("x", "y"),
    reverse={"x": lambda g, x, out: g * divide_by_length(x, out), "y": lambda g, y, out: g * divide_by_length(y, out)},
    forward={"x": lambda d, x, out: d * divide_by_length(x, out), "y": lambda d, y, out: d * divide_by_length(y, out)},
)


def _turned(t: Array, across: Array, x: Array, y: Array) -> Array:
    """A share of the angle's derivative: `t * across / (x*x + y*y)`, without overflow; 0 where that is infinite."""
    distance = np.hypot(x, y)
    across = np.where(np.isinf(across), 0.0, across)
    return divide_by_length(divide_by_length(across, distance) * t, distance)


arctan2 = elementwise(
    np.arctan2,
    ("y", "x"),
    reverse={"y": lambda g, y, x: _turned(g, x, x, y), "x": lambda g, y, x: _turned(-g, y, x, y)},
    forward={"y": lambda d, y, x: _turned(d, x, x, y), "x": lambda d, y, x: _turned(-d, y, x, y)},
)


def _apart(y: Array, x: Array) -> Array:
    """`y - x`, and 0 where both are the same infinity."""
    alike = np.logical_and(x == y, np.isinf(x))
    return np.where(alike, 0.0, y) - np.where(alike, 0.0, x)


def _share(x: Array, y: Array) -> Array:
    """What x contributes to the logarithm of a sum of exponentials."""
    return np.exp(-np.logaddexp(0.0, _apart(y, x)))


def _share2(x: Array, y: Array) -> Array:
    return np.exp2(-np.logaddexp2(0.0, _apart(y, x)))


logaddexp = elementwise(
    np.logaddexp,
    ("x", "y"),
    reverse={"x": lambda g, x, y: g * _share(x, y), "y": lambda g, x, y: g * _share(y, x)},
    forward={"x": lambda d, x, y: d * _share(x, y), "y": lambda d, x, y: d * _share(y, x)},
)

logaddexp2 = elementwise(
    np.logaddexp2,
    ("x", "y"),
    reverse={"x": lambda g, x, y: g * _share2(x, y), "y": lambda g, x, y: g * _share2(y, x)},
    forward={"x": lambda d, x, y: d * _share2(x, y), "y": lambda d, x, y: d * _share2(y, x)},
)
