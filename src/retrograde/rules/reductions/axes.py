"""Axes of reductions: which they are, how many elements they hold, and the way back from a reduced array."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import PRIMITIVES, Array
from retrograde.rules.shapes.reshaping import broadcast_to


def axes_of(a: Array, axis: Any) -> tuple[int, ...]:
    """The axes that an `axis` argument means, counted from the front."""
    return tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the real part."""
    return np.dtype(dtype.char.lower()) if dtype.kind == "c" else dtype


def widened(g: Array, x_shape: tuple[Any, ...], axis: tuple[int, ...], keepdims: bool) -> Array:
    """A reduced array with axes of size 1 where it was reduced."""
    if keepdims or not g.ndim:
        return g
    return np.reshape(g, tuple(1 if at in axis else extent for at, extent in enumerate(x_shape)))


def spread(g: Array, x_shape: tuple[Any, ...], axis: tuple[int, ...], keepdims: bool) -> Array:
    """A reduced array, repeated over the axes along which it was reduced."""
    return broadcast_to(widened(g, x_shape, axis, keepdims), x_shape)


def count(a: Array, axes: tuple[int, ...], dtype: np.dtype[Any], where: Any = True, keepdims: bool = False) -> Any:
    """How many elements are reduced to one, as a number that leaves arrays of the dtype in it."""
    if where is not True:
        chosen = np.sum(
            broadcast_to(np.asarray(where) if isinstance(where, list) else where, a.shape), axis=axes, keepdims=keepdims
        )
        return np.astype(chosen, real_dtype(dtype)) if dtype.kind in "fc" else chosen
    size: Any = 1
    for axis in axes:
        size = size * a.shape[axis]
    known = not isinstance(size, Intercepting) or dtype.kind not in "fc"
    return size if known else PRIMITIVES["astype"](size, dtype=real_dtype(dtype))


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that picks from one axis."""
    return (*(slice(None),) * axis, index)
