"""Bessel functions, each derivative by the recurrences between neighbouring orders.

(Abramowitz and Stegun 1964, sections 9.1.27 and 9.6.26.) Derivatives by the order have no closed form.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array, Primitive, RuleFunction
from retrograde.program.spelling import spells_late
from retrograde.rules.special.declare import declare, declare_several


def _of_order(name: str, derivative: RuleFunction) -> Primitive:
    return declare(
        name,
        ("v", "z"),
        {"z": derivative},
        refused={"v": "a Bessel function has no closed derivative by its order, and none is computed by differences"},
    )


def _sign(x: Array) -> Array:
    """The derivative of |x|, which scaled functions of real numbers contain."""
    if np.iscomplexobj(x):
        raise UnsupportedError(
            "the derivative of an exponentially scaled Bessel function at complex numbers was asked for; scaled by "
            "exp(-|Re z|) it is not analytic. Use the function that is not scaled (iv), times np.exp of what you need"
        )
    return np.where(x > 0.0, 1.0, np.where(x < 0.0, -1.0, 0.0))


jv = _of_order("jv", lambda v, z: 0.5 * (jv(v - 1.0, z) - jv(v + 1.0, z)))
yv = _of_order("yv", lambda v, z: 0.5 * (yv(v - 1.0, z) - yv(v + 1.0, z)))
iv = _of_order("iv", lambda v, z: 0.5 * (iv(v - 1.0, z) + iv(v + 1.0, z)))
kv = _of_order("kv", lambda v, z: -0.5 * (kv(v - 1.0, z) + kv(v + 1.0, z)))
ive = _of_order("ive", lambda v, z, out: 0.5 * (ive(v - 1.0, z) + ive(v + 1.0, z)) - _sign(z) * out)
kve = _of_order("kve", lambda v, z, out: out - 0.5 * (kve(v - 1.0, z) + kve(v + 1.0, z)))
hankel1 = _of_order("hankel1", lambda v, z: 0.5 * (hankel1(v - 1.0, z) - hankel1(v + 1.0, z)))
hankel2 = _of_order("hankel2", lambda v, z: 0.5 * (hankel2(v - 1.0, z) - hankel2(v + 1.0, z)))

spells_late("scipy.special", "jn")(jv)
spells_late("scipy.special", "yn")(yv)

j0 = declare("j0", derivatives={"x": lambda x: -j1(x)})
j1 = declare("j1", derivatives={"x": lambda x: 0.5 * (j0(x) - jv(2, x))})
y0 = declare("y0", derivatives={"x": lambda x: -y1(x)})
y1 = declare("y1", derivatives={"x": lambda x: 0.5 * (y0(x) - yv(2, x))})
i0 = declare("i0", derivatives={"x": lambda x: i1(x)})
i1 = declare("i1", derivatives={"x": lambda x: 0.5 * (i0(x) + iv(2, x))})
i0e = declare("i0e", derivatives={"x": lambda x, out: i1e(x) - _sign(x) * out})
i1e = declare("i1e", derivatives={"x": lambda x, out: 0.5 * (i0e(x) + ive(2, x)) - _sign(x) * out})
k0 = declare("k0", derivatives={"x": lambda x: -k1(x)})
k1 = declare("k1", derivatives={"x": lambda x: -0.5 * (k0(x) + kv(2, x))})
k0e = declare("k0e", derivatives={"x": lambda x, out: out - k1e(x)})
k1e = declare("k1e", derivatives={"x": lambda x, out: out - 0.5 * (k0e(x) + kve(2, x))})

airy = declare_several(
    "airy",
    ("ai", "aip", "bi", "bip"),
    (lambda aip: aip, lambda x, ai: x * ai, lambda bip: bip, lambda x, bi: x * bi),
)
