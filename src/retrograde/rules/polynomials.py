"""Sums of powers, and spacings by powers."""

# The arrays are anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.joining import as_array
from retrograde.rules.shapes_axes import at_least
from retrograde.rules.sizes import known_shape


@spells(np.polyval)
def _polyval(p: Any, x: Any) -> Array:
    """By Horner's rule, as NumPy does it."""
    p, x = as_array(p), as_array(x)
    out: Any = np.zeros_like(x)
    for at in range(known_shape(p, "polyval")[0]):
        out = out * x + p[at]
    return out


@spells(np.logspace)
def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Array:
    if np.ndim(base):
        rank = max(map(np.ndim, (start, stop, base)))
        start, stop = at_least(as_array(start), rank), at_least(as_array(stop), rank)
        base = np.expand_dims(at_least(as_array(base), rank), axis)
    exponents: Any = np.linspace(start, stop, num, endpoint, axis=axis)
    out: Any = np.power(base, exponents)
    return out if dtype is None else out.astype(dtype)
