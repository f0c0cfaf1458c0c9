"""Logistic functions, and products with logarithms that are 0 where a factor is: entropies and divergences.

Where x is 0, x·log(y) is 0 for every y, and so is its derivative by y. Its derivative by x is log(y), infinite at 0.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.program.primitive import Array
from retrograde.rules.special.declare import declare

expit = declare("expit", derivatives={"x": lambda out: out * (1.0 - out)})
logit = declare("logit", derivatives={"x": lambda x: 1.0 / (x * (1.0 - x))})
log_expit = declare("log_expit", derivatives={"x": lambda x: expit(-x)})


def _quotient(x: Array, y: Array) -> Array:
    """x / y, and 0 where both are."""
    return x / np.where(x == 0.0, np.where(y == 0.0, 1.0, y), y)


xlogy = declare("xlogy", ("x", "y"), {"x": lambda y: np.log(y), "y": lambda x, y: _quotient(x, y)})
xlog1py = declare("xlog1py", ("x", "y"), {"x": lambda y: np.log1p(y), "y": lambda x, y: _quotient(x, 1.0 + y)})
entr = declare("entr", derivatives={"x": lambda x: -np.log(x) - 1.0})
rel_entr = declare("rel_entr", ("x", "y"), {"x": lambda x, y: np.log(x / y) + 1.0, "y": lambda x, y: -_quotient(x, y)})
kl_div = declare("kl_div", ("x", "y"), {"x": lambda x, y: np.log(x / y), "y": lambda x, y: 1.0 - _quotient(x, y)})
