"""Functions with kinks and jumps: absolute values, the larger and the smaller, remainders.

At a kink the derivative is the mean of those on its two sides: that of `absolute` at 0 is 0, and where `maximum` has a
tie, each operand gets half. At a jump it is that of the sides.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.elementwise.declaring import conj, elementwise
from retrograde.rules.elementwise.masking import masked
from retrograde.rules.elementwise.quiet import divide_by_length
from retrograde.rules.elementwise.rounding import floor_divide, whole_quotient
from retrograde.rules.type_rules import dtype_of, sizes_of

_BY_SIGN: dict[str, Any] = {
    "reverse": {"x": lambda g, x: g * np.sign(x)},
    "forward": {"x": lambda d, x: d * conj(np.sign(x))},
}

absolute = elementwise(np.absolute, ("x",), **_BY_SIGN)
fabs = elementwise(np.fabs, ("x",), **_BY_SIGN)

sign_of_real = Primitive("sign", np.sign, ("x",), result=lambda x: x)


@spells(np.sign)
def _sign(x: Array) -> Array:
    return divide_by_length(x, np.absolute(x)) if np.iscomplexobj(x) else sign_of_real(x)


copysign = elementwise(
    np.copysign,
    ("x", "y"),
    reverse={"x": lambda g, x, y: g * (np.sign(x) * np.copysign(1.0, y))},
    forward={"x": lambda d, x, y: d * (np.sign(x) * np.copysign(1.0, y))},
)

heaviside = elementwise(
    np.heaviside,
    ("x", "y"),
    reverse={"y": lambda g, x: masked(g, x == 0)},
    forward={"y": lambda d, x: masked(d, x == 0)},
)


def _where_larger(t: Array, one: Array, other: Array) -> Array:
    out, alike = masked(t, one > other), one == other
    return np.where(alike, 0.5 * t, out) if np.any(alike) else out


larger_share = Primitive(
    "larger_share",
    _where_larger,
    ("t", "one", "other"),
    result=lambda t, one, other: ArrayType(dtype_of(t), broadcast_extents(*map(sizes_of, (t, one, other)))),
    reverse={"t": lambda g, one, other: larger_share(g, one, other)},
    linear=("t",),
    elementwise=True,
)
"""`t` where one array is larger than another, half of it where they are equal, and 0 elsewhere."""


def _where_larger_or_number(t: Array, one: Array, other: Array) -> Array:
    """As `_where_larger`, and where the other is NaN the one is taken."""
    return np.where(one == other, 0.5 * t, masked(t, np.logical_or(one > other, np.isnan(other))))


def _where_smaller(t: Array, one: Array, other: Array) -> Array:
    return larger_share(t, other, one)


def _where_smaller_or_number(t: Array, one: Array, other: Array) -> Array:
    return np.where(one == other, 0.5 * t, masked(t, np.logical_or(one < other, np.isnan(other))))


def _choice(ufunc: np.ufunc, share: Any) -> Primitive:
    return elementwise(
        ufunc,
        ("x", "y"),
        reverse={"x": lambda g, x, y: share(g, x, y), "y": lambda g, x, y: share(g, y, x)},
        forward={"x": lambda d, x, y: share(d, x, y), "y": lambda d, x, y: share(d, y, x)},
    )


maximum = _choice(np.maximum, larger_share)
minimum = _choice(np.minimum, _where_smaller)
fmax = _choice(np.fmax, _where_larger_or_number)
fmin = _choice(np.fmin, _where_smaller_or_number)

remainder = elementwise(
    np.remainder,
    ("x", "y"),
    reverse={"x": lambda g: g, "y": lambda g, x, y: -g * whole_quotient(x, y)},
    forward={"x": lambda d: d, "y": lambda d, x, y: -d * whole_quotient(x, y)},
)

fmod = elementwise(
    np.fmod,
    ("x", "y"),
    reverse={"x": lambda g: g, "y": lambda g, x, y, out: -g * np.rint((x - out) / y)},
    forward={"x": lambda d: d, "y": lambda d, x, y, out: -d * np.rint((x - out) / y)},
)


@spells(np.divmod)
def _divmod(x1: Array, x2: Array) -> tuple[Array, Array]:
    return floor_divide(x1, x2), remainder(x1, x2)


@spells(np.modf)
def _modf(x: Array) -> tuple[Array, Array]:
    return fraction(x), np.trunc(x)


fraction = Primitive(
    "fraction",
    lambda x: np.modf(x)[0],
    ("x",),
    result=lambda x: x,
    reverse={"x": lambda g: g},
    forward={"x": lambda d: d},
    elementwise=True,
)
"""What is behind the point, with the sign of the number."""


@spells(np.clip)
def _clip(a: Array, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Array:
    a = a if hasattr(a, "dtype") else np.asarray(a)
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if low is not None:
        a = np.maximum(a, low)
    if high is not None:
        a = np.minimum(a, high)
    return +a if low is None and high is None else a
