"""`sinc` and `i0`, whose derivatives of every order are Bessel functions: exact at 0, too, where quotients are not."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.special.bessel_functions import i1


def _spherical_bessel(x: Array, order: int) -> Array:
    from scipy.special import spherical_jn

    double = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    if x.dtype.kind == "c":
        out = spherical_jn(order, double)
    else:
        out = spherical_jn(order, np.absolute(double)) * np.where(x < 0, (-1) ** order, 1)
    return np.asarray(out, x.dtype)[()]


def _spherical_slope(x: Array, order: int) -> Array:
    """(Abramowitz and Stegun 1964, 10.1.20.)"""
    if not order:
        return -spherical_bessel(x, order=1)
    below, above = spherical_bessel(x, order=order - 1), spherical_bessel(x, order=order + 1)
    return (order * below - (order + 1) * above) / (2 * order + 1)


spherical_bessel = Primitive(
    "spherical_bessel",
    _spherical_bessel,
    ("x",),
    static=("order",),
    result=lambda x, order: x,
    reverse={"x": lambda g, x, order: g * conj(_spherical_slope(x, order))},
    forward={"x": lambda d, x, order: d * _spherical_slope(x, order)},
    elementwise=True,
)
"""The spherical Bessel function of the first kind; that of order 0 is `sin(x) / x`."""

sinc = spells(np.sinc)(
    Primitive(
        "sinc",
        np.sinc,
        ("x",),
        result=lambda x: x,
        reverse={"x": lambda g, x: g * conj(-np.pi * spherical_bessel(np.pi * x, order=1))},
        forward={"x": lambda d, x: d * (-np.pi * spherical_bessel(np.pi * x, order=1))},
        elementwise=True,
    )
)


i0 = spells(np.i0)(
    Primitive(
        "numpy_i0",
        np.i0,
        ("x",),
        result=lambda x: x,
        reverse={"x": lambda g, x: g * i1(x)},
        forward={"x": lambda d, x: d * i1(x)},
        elementwise=True,
    )
)
"""NumPy's own, whose last digits are not those of SciPy's."""
