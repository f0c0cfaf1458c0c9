"""Rounding, and the parts of floating-point numbers. What is constant between jumps has the derivative zero."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import elementwise
from retrograde.rules.type_rules import of_ufunc

floor = elementwise(np.floor, ("x",))
ceil = elementwise(np.ceil, ("x",))
rint = elementwise(np.rint, ("x",))
trunc = elementwise(np.trunc, ("x",))
floor_divide = elementwise(np.floor_divide, ("x", "y"))

spells(np.fix)(trunc)


def _whole_quotient(x: Array, y: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.floor_divide(x, y)


whole_quotient = Primitive("whole_quotient", _whole_quotient, ("x", "y"), result=of_ufunc(np.floor_divide))
"""`x // y`, without a warning: how often `y` is in `x`, for the derivative of the remainder by `y`."""

round_ = Primitive(
    "round", lambda x, decimals: np.round(x, decimals), ("x",), static=("decimals",), result=lambda x, decimals: x
)


@spells(np.round, np.around)
def _round(a: Array, decimals: int = 0) -> Array:
    return round_(a, decimals=decimals)


exponent = Primitive(
    "exponent",
    lambda x: np.frexp(x)[1],
    ("x",),
    result=lambda x: ArrayType(np.dtype(np.int32), x.sizes),
)
"""The power of two of a number, as `numpy.frexp` gives it."""

ldexp = elementwise(
    np.ldexp,
    ("x", "y"),
    reverse={"x": lambda g, y: np.ldexp(g, y)},
    linear=("x",),
)


@spells(np.frexp)
def _frexp(x: Array) -> tuple[Array, Array]:
    power = exponent(x)
    return np.ldexp(x, -power), power
