"""Exponentials, logarithms, roots, and the trigonometric and hyperbolic functions."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import math

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import analytic, analytic_quotient, conj, elementwise
from retrograde.rules.elementwise.quiet import divide_chosen, divide_or_zero, multiply_or_zero

LN_2 = math.log(2.0)
LN_10 = math.log(10.0)

exp = analytic(np.exp, lambda out: out, multiply_or_zero)
exp2 = analytic(np.exp2, lambda out: out * LN_2, multiply_or_zero)
expm1 = analytic(np.expm1, lambda out: out + 1.0, multiply_or_zero)

log = analytic_quotient(np.log, lambda x: x, divide_or_zero)
log2 = analytic_quotient(np.log2, lambda x: x * LN_2, divide_or_zero)
log10 = analytic_quotient(np.log10, lambda x: x * LN_10, divide_or_zero)
log1p = analytic_quotient(np.log1p, lambda x: 1.0 + x, divide_or_zero)

sqrt = analytic_quotient(np.sqrt, lambda out: 2.0 * out, divide_chosen)
cbrt = analytic_quotient(np.cbrt, lambda out: 3.0 * (out * out), divide_or_zero)
square = analytic(np.square, lambda x: 2.0 * x)
reciprocal = analytic(np.reciprocal, lambda out: -multiply_or_zero(out, out), multiply_or_zero)

sin = analytic(np.sin, lambda x: np.cos(x))
cos = analytic(np.cos, lambda x: -np.sin(x))
tan = analytic(np.tan, lambda out: 1.0 + out * out)
sinh = analytic(np.sinh, lambda x: np.cosh(x), multiply_or_zero)
cosh = analytic(np.cosh, lambda x: np.sinh(x), multiply_or_zero)
tanh = analytic(np.tanh, lambda out: 1.0 - out * out)


def _hypotenuse(x: Array) -> Array:
    """The root of 1 + x*x, which does not overflow for real numbers."""
    return np.sqrt(1.0 + x * x) if x.dtype.kind == "c" else np.hypot(x, 1.0)


def _square_plus_one(x: Array) -> Array:
    """Half precision would overflow at 256, where what is one over it is still a number: the result is single."""
    x = x.astype(np.float32) if x.dtype == np.float16 else x
    with np.errstate(over="ignore"):
        return 1.0 + x * x


square_plus_one = Primitive(
    "square_plus_one",
    _square_plus_one,
    ("x",),
    result=lambda x: ArrayType(np.dtype(np.float32), x.sizes) if x.dtype == np.float16 else x,
    reverse={"x": lambda g, x: g * conj(2.0 * x)},
    forward={"x": lambda d, x: d * (2.0 * x)},
    elementwise=True,
)
"""`1 + x*x`, without a warning where that is infinite."""


arcsin = analytic_quotient(np.arcsin, lambda x: np.sqrt(1.0 - x) * np.sqrt(1.0 + x), divide_chosen)
arccos = analytic_quotient(np.arccos, lambda x: -np.sqrt(1.0 - x) * np.sqrt(1.0 + x), divide_chosen)
arctan = analytic_quotient(np.arctan, lambda x: square_plus_one(x), np.divide)
arcsinh = analytic_quotient(np.arcsinh, lambda x: _hypotenuse(x), np.divide)
arccosh = analytic_quotient(np.arccosh, lambda x: np.sqrt(x - 1.0) * np.sqrt(x + 1.0), divide_chosen)
arctanh = analytic_quotient(np.arctanh, lambda x: (1.0 - x) * (1.0 + x), divide_or_zero)

deg2rad = elementwise(np.deg2rad, ("x",), reverse={"x": lambda g: np.deg2rad(g)}, linear=("x",))
rad2deg = elementwise(np.rad2deg, ("x",), reverse={"x": lambda g: np.rad2deg(g)}, linear=("x",))
spells(np.radians)(deg2rad)
spells(np.degrees)(rad2deg)
