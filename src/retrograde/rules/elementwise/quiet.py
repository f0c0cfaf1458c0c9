"""Products and quotients for derivatives at the edge: where one is infinite, and no number went wrong before.

The square root of 0 is 0, and its derivative infinite. NumPy would warn of a division by zero that nobody wrote, and
where a cotangent is zero, because `np.where` chose the other branch, zero times infinity would make it NaN. So the
rules of functions with such edges use these: they do not warn, and zero wins over infinity.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.type_rules import of_ufunc

_HOST = (np.ndarray, np.generic, float, int, complex)


def _quietly(ufunc: Any, x: Array, y: Array) -> Array | None:
    """The ufunc's result; None where some of it is undefined, or nothing tells whether it is."""
    if not (isinstance(x, _HOST) and isinstance(y, _HOST)):
        return None
    try:
        with np.errstate(divide="ignore", invalid="raise"):
            return ufunc(x, y)
    except FloatingPointError:
        return None


def _zeroed(ufunc: Any, x: Array, y: Array, zero: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        out = ufunc(x, y)
    return np.where(zero, out.dtype.type(0), out)[()]


def _multiply_or_zero(x: Array, y: Array) -> Array:
    out = _quietly(np.multiply, x, y)
    return _zeroed(np.multiply, x, y, np.logical_or(x == 0, y == 0)) if out is None else out


def _divide_or_zero(x: Array, y: Array) -> Array:
    if isinstance(y, float) and 0.0 < abs(y) < float("inf"):
        return np.divide(x, y)
    out = _quietly(np.divide, x, y)
    return _zeroed(np.divide, x, y, x == 0) if out is None else out


def _divide_chosen(x: Array, y: Array) -> Array:
    out = _divide_or_zero(x, y)
    least = np.minimum.reduce(out, axis=None, initial=np.inf)  # It is NaN if any is, and the fastest way to see it.
    return _zeroed(np.divide, x, y, x == 0) if least != least else out


multiply_or_zero = Primitive(
    "multiply_or_zero",
    _multiply_or_zero,
    ("x", "y"),
    result=of_ufunc(np.multiply),
    reverse={
        "x": lambda g, y: multiply_or_zero(g, conj(y)),
        "y": lambda g, x: multiply_or_zero(g, conj(x)),
    },
    linear=("x", "y"),
    elementwise=True,
)
"""`x * y`, and 0 where one of them is 0 and the other infinite."""


def _quotient(name: str, evaluate: Callable[..., Array]) -> Primitive:
    return Primitive(
        name,
        evaluate,
        ("x", "y"),
        result=of_ufunc(np.divide),
        reverse={
            "x": lambda g, y: divide_chosen(g, conj(y)),
            "y": lambda g, y, out: -multiply_or_zero(divide_chosen(g, conj(y)), conj(out)),
        },
        forward={"y": lambda d, y, out: -multiply_or_zero(divide_chosen(out, y), d)},
        linear=("x",),
        elementwise=True,
    )


divide_or_zero = _quotient("divide_or_zero", _divide_or_zero)
"""`x / y`, and 0 where both are 0."""

divide_chosen = _quotient("divide_chosen", _divide_chosen)
"""`x / y`, and 0 where x is 0, even if y is NaN: where the root of a negative number was not chosen."""


def _divide_by_length(x: Array, y: Array) -> Array:
    if isinstance(x, _HOST) and isinstance(y, _HOST):
        try:
            with np.errstate(divide="raise", invalid="raise"):
                return np.divide(x, y)
        except FloatingPointError:
            pass
    return _zeroed(np.divide, x, y, y == 0)


divide_by_length = Primitive(
    "divide_by_length",
    _divide_by_length,
    ("x", "y"),
    result=of_ufunc(np.divide),
    reverse={
        "x": lambda g, y: divide_by_length(g, conj(y)),
        "y": lambda g, y, out: -divide_by_length(g, conj(y)) * conj(out),
    },
    forward={"y": lambda d, y, out: -divide_by_length(d, y) * out},
    linear=("x",),
    elementwise=True,
)
"""`x / y`, and 0 where y is 0, with all its derivatives: the direction of what has the length y."""


def _quiet_power(x: Array, y: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.power(x, y)


def _log_or_zero(x: Array) -> Array:
    with np.errstate(invalid="ignore"):
        out = np.log(np.where(x == 0, 1, x))
    return out.item() if type(x) in (int, float, complex) else out


log_or_zero = Primitive(
    "log_or_zero",
    _log_or_zero,
    ("x",),
    result=of_ufunc(np.log),
    reverse={"x": lambda g, x: divide_or_zero(g, conj(x))},
    forward={"x": lambda d, x: divide_or_zero(d, x)},
    elementwise=True,
)
"""The logarithm of a base, and 0 where the base is 0: `0**y` does not change with `y`."""


def power_by_base(x: Array, y: Array) -> Array:
    """The derivative of `x**y` by x: `y * x**(y - 1)`, and 0 where y is 0."""
    if isinstance(y, (int, float)) and y >= 1:
        return y * x ** (y - 1)
    return multiply_or_zero(y, quiet_power(x, y - 1))


def power_by_exponent(x: Array, out: Array) -> Array:
    """The derivative of `out = x**y` by y."""
    return multiply_or_zero(out, log_or_zero(x))


power_rules: dict[str, Any] = {
    "reverse": {
        "x": lambda g, x, y: multiply_or_zero(g, conj(power_by_base(x, y))),
        "y": lambda g, x, out: multiply_or_zero(g, conj(power_by_exponent(x, out))),
    },
    "forward": {
        "x": lambda d, x, y: multiply_or_zero(d, power_by_base(x, y)),
        "y": lambda d, x, out: multiply_or_zero(d, power_by_exponent(x, out)),
    },
}

quiet_power = Primitive(
    "quiet_power", _quiet_power, ("x", "y"), result=of_ufunc(np.power), elementwise=True, **power_rules
)
"""`x**y`, without a warning where that is infinite or undefined."""
