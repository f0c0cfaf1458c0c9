"""The gamma function and what is made of it: beta, their incomplete integrals, and their inverses."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array
from retrograde.rules.special.declare import declare, scipy_special
from retrograde.rules.special.entropies import xlog1py, xlogy

_NO_CLOSED_FORM = "it has no closed form, and none is computed by differences"
_DISCRETE = "it is defined for integers only"

polygamma = declare(
    "polygamma",
    ("n", "x"),
    {"x": lambda n, x: polygamma(n + 1, x)},
    refused={"n": _DISCRETE},
)


def _trigamma(x: Array) -> Array:
    if np.iscomplexobj(x):
        raise UnsupportedError(
            "the derivative of digamma at complex numbers was asked for; SciPy has polygamma for real ones only. Take "
            "it at real x, or give the function a derivative of your own (rg.custom_vjp)"
        )
    return polygamma(1, x)


psi = declare("psi", derivatives={"x": _trigamma})
gamma = declare("gamma", derivatives={"x": lambda x, out: out * psi(x)})
rgamma = declare("rgamma", derivatives={"x": lambda x, out: -out * psi(x)})
gammaln = declare("gammaln", derivatives={"x": lambda x: psi(x)})
loggamma = declare("loggamma", derivatives={"x": lambda x: psi(x)})
gammasgn = declare("gammasgn")
poch = declare(
    "poch",
    ("x", "m"),
    {"x": lambda x, m, out: out * (psi(x + m) - psi(x)), "m": lambda x, m, out: out * psi(x + m)},
)
zeta = declare(
    "zeta",
    ("x", "q"),
    {"q": lambda x, q: -x * zeta(x + 1.0, q)},
    refused={"x": _NO_CLOSED_FORM},
    evaluate=lambda x, q: scipy_special().zeta(x, q),
)

beta = declare(
    "beta",
    ("a", "b"),
    {"a": lambda a, b, out: out * (psi(a) - psi(a + b)), "b": lambda a, b, out: out * (psi(b) - psi(a + b))},
)
betaln = declare("betaln", ("a", "b"), {"a": lambda a, b: psi(a) - psi(a + b), "b": lambda a, b: psi(b) - psi(a + b)})


def _gamma_density(a: Array, x: Array) -> Array:
    return np.exp(xlogy(a - 1.0, x) - x - gammaln(a))


def _beta_density(a: Array, b: Array, x: Array) -> Array:
    return np.exp(xlogy(a - 1.0, x) + xlog1py(b - 1.0, -x) - betaln(a, b))


_ONE_PARAMETER = {"a": _NO_CLOSED_FORM}
_TWO_PARAMETERS = {"a": _NO_CLOSED_FORM, "b": _NO_CLOSED_FORM}

gammainc = declare("gammainc", ("a", "x"), {"x": lambda a, x: _gamma_density(a, x)}, refused=_ONE_PARAMETER)
gammaincc = declare("gammaincc", ("a", "x"), {"x": lambda a, x: -_gamma_density(a, x)}, refused=_ONE_PARAMETER)
gammaincinv = declare(
    "gammaincinv", ("a", "y"), {"y": lambda a, out: 1.0 / _gamma_density(a, out)}, refused=_ONE_PARAMETER
)
gammainccinv = declare(
    "gammainccinv", ("a", "y"), {"y": lambda a, out: -1.0 / _gamma_density(a, out)}, refused=_ONE_PARAMETER
)
betainc = declare("betainc", ("a", "b", "x"), {"x": lambda a, b, x: _beta_density(a, b, x)}, refused=_TWO_PARAMETERS)
betaincc = declare("betaincc", ("a", "b", "x"), {"x": lambda a, b, x: -_beta_density(a, b, x)}, refused=_TWO_PARAMETERS)
betaincinv = declare(
    "betaincinv", ("a", "b", "y"), {"y": lambda a, b, out: 1.0 / _beta_density(a, b, out)}, refused=_TWO_PARAMETERS
)
