"""Functions that call a function of the user on parts of an array."""

# The arrays are anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_shape


@spells(np.apply_along_axis)
def _apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Array, *args: Any, **kwargs: Any) -> Array:
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    around = known_shape(rows, "apply_along_axis")[:-1]
    results = [as_array(func1d(rows[place], *args, **kwargs)) for place in np.ndindex(around)]
    if not results:
        raise UsageError(f"apply_along_axis of an array of shape {arr.shape}, which has no row to apply a function to")
    rank = results[0].ndim
    out = np.reshape(np.stack(results), (*around, *results[0].shape))
    return np.moveaxis(out, range(len(around), len(around) + rank), range(axis, axis + rank)).copy()


@spells(np.apply_over_axes)
def _apply_over_axes(func: Callable[..., Any], a: Array, axes: Any) -> Array:
    rank = a.ndim
    for axis in np.atleast_1d(axes).tolist():
        reduced = func(a, normalize_axis_index(axis, rank))
        a = reduced if np.ndim(reduced) == rank else np.expand_dims(reduced, axis)
        if np.ndim(a) != rank:
            raise UsageError(
                f"apply_over_axes with a function that made {np.ndim(reduced)} axes of {rank}; it is to take away the "
                "axis that it is given, or to leave all"
            )
    return a


@spells(np.piecewise)
def _piecewise(x: Array, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Array:
    conditions: list[Any] = [condlist] if np.isscalar(condlist) or np.ndim(condlist[0]) == 0 else list(condlist)
    if len(conditions) == len(funclist) - 1:
        conditions.append(~np.any(np.asarray(conditions, bool), axis=0))
    if len(conditions) != len(funclist):
        raise UsageError(f"piecewise by {len(conditions)} conditions of {len(funclist)} functions; give one for each")
    out = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        mask = np.asarray(condition, bool)
        if mask.any():
            out[mask] = function(x[mask], *args, **kw) if callable(function) else function
    return out
