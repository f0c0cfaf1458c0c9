"""The error function and its kin, and the normal distribution."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from retrograde.rules.special.declare import declare

_TWO_OVER_ROOT_PI = 2.0 / sqrt(pi)
_ROOT_TWO_PI = sqrt(2.0 * pi)

erf = declare("erf", derivatives={"x": lambda x: _TWO_OVER_ROOT_PI * np.exp(-x * x)})
erfc = declare("erfc", derivatives={"x": lambda x: -_TWO_OVER_ROOT_PI * np.exp(-x * x)})
erfi = declare("erfi", derivatives={"x": lambda x: _TWO_OVER_ROOT_PI * np.exp(x * x)})
erfcx = declare("erfcx", derivatives={"x": lambda x, out: 2.0 * x * out - _TWO_OVER_ROOT_PI})
erfinv = declare("erfinv", derivatives={"x": lambda out: np.exp(out * out) / _TWO_OVER_ROOT_PI})
erfcinv = declare("erfcinv", derivatives={"x": lambda out: -np.exp(out * out) / _TWO_OVER_ROOT_PI})
dawsn = declare("dawsn", derivatives={"x": lambda x, out: 1.0 - 2.0 * x * out})
wofz = declare("wofz", derivatives={"x": lambda x, out: _TWO_OVER_ROOT_PI * 1j - 2.0 * x * out})

ndtr = declare("ndtr", derivatives={"x": lambda x: np.exp(-0.5 * x * x) / _ROOT_TWO_PI})
ndtri = declare("ndtri", derivatives={"x": lambda out: np.exp(0.5 * out * out) * _ROOT_TWO_PI})
# exp(-x²/2 - out) / √(2π), without the cancellation.
log_ndtr = declare("log_ndtr", derivatives={"x": lambda x: sqrt(2.0 / pi) / erfcx(x * -sqrt(0.5))})

ndtri_exp = declare("ndtri_exp", derivatives={"x": lambda out: sqrt(0.5 * pi) * erfcx(out * -sqrt(0.5))})
