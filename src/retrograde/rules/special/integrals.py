"""Integrals of elementary functions, and the inverse of w·exp(w)."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from math import pi

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.arithmetic import conj
from retrograde.rules.special.declare import declare, declare_several, scipy_special

exp1 = declare("exp1", derivatives={"x": lambda x: -np.exp(-x) / x})
expi = declare("expi", derivatives={"x": lambda x: np.exp(x) / x})
sici = declare_several("sici", ("si", "ci"), (lambda x: np.sinc(x / pi), lambda x: np.cos(x) / x))
fresnel = declare_several(
    "fresnel", ("s", "c"), (lambda x: np.sin(0.5 * pi * x * x), lambda x: np.cos(0.5 * pi * x * x))
)


def _lambertw_slope(out: Array) -> Array:
    return np.exp(-out) / (1.0 + out)


lambertw = Primitive(
    "lambertw",
    lambda x, k: scipy_special().lambertw(x, k),
    ("x",),
    static=("k",),
    result=lambda x, k: ArrayType(np.dtype(np.complex128), x.sizes),
    reverse={"x": lambda g, out: g * conj(_lambertw_slope(out))},
    forward={"x": lambda d, out: d * _lambertw_slope(out)},
    elementwise=True,
)
