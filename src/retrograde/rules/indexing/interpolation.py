"""Piecewise linear interpolation."""

# The arrays are anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.indexing.items import getitem
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_shape


@spells(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """At a point of `xp` the derivative is the mean of those on its two sides; outside it is that of a constant."""
    x, xp, fp = as_array(x).astype(float), as_array(xp).astype(float), as_array(fp)
    fp = fp.astype(np.result_type(fp.dtype, float))
    if xp.ndim != 1 or xp.ndim != fp.ndim:
        raise UsageError(f"interp of points of shapes {xp.shape} and {fp.shape}; give two vectors of one length")
    if period is not None:
        raise UnsupportedError(
            f"interp with period={period!r} has no derivative rule; append the points of a period before and behind, "
            "and use `x % period`"
        )
    first, last = fp[0] if left is None else left, fp[-1] if right is None else right
    count = known_shape(xp, "interp")[0]
    if count == 1:
        return np.where(x < xp[0], first, np.where(x > xp[0], last, fp[0]))
    slopes: Any = (fp[1:] - fp[:-1]) / (xp[1:] - xp[:-1])
    after = np.searchsorted(xp, x, "right")
    at = np.clip(after - 1, 0, count - 1)
    flat = np.zeros(1, slopes.dtype)
    # Slope 0 stands before the first point and behind the last.
    around = np.concatenate((flat, slopes, flat))
    slope = getitem(around, at + 1)
    at_point = x == getitem(xp, at)
    slope = np.where(at_point, 0.5 * (slope + getitem(around, at)), slope)
    inside = getitem(fp, at) + slope * (x - getitem(xp, at))
    return np.where(x < xp[0], first, np.where(x > xp[-1], last, inside))
