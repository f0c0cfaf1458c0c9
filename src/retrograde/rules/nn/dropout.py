"""Dropout: elements set to 0 at random, by a mask that is drawn again wherever it is needed, and kept nowhere."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.rules.type_rules import like_first


def _dropout(x: Array, seed: int, rate: float) -> Array:
    """The same elements for the same seed and shape."""
    if rate == 1.0:
        return np.zeros_like(x)
    random = np.random.Generator(np.random.SFC64(int(seed)))
    kept = random.random(x.shape, np.float32) >= np.float32(rate)
    return x * (kept * x.real.dtype.type(1.0 / (1.0 - rate)))


dropout = Primitive(
    "dropout",
    _dropout,
    ("x", "seed"),
    static=("rate",),
    result=lambda x, seed, rate: like_first(x),
    reverse={"x": lambda g, seed, rate: dropout(g, seed, rate=rate)},
    linear=("x",),
)
