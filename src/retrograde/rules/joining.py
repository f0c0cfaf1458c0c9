"""Joining arrays along an axis."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.type_rules import dtype_of


def _concatenated(*arrays: ArrayType, axis: int) -> ArrayType:
    ranks = {array.rank for array in arrays}
    if len(ranks) > 1:
        raise UsageError(f"arrays of {sorted(ranks)} axes were to be concatenated; give them equally many")
    extents = [array.sizes[axis] for array in arrays]
    total = sum(extent for extent in extents if isinstance(extent, int)) if all(map(_is_int, extents)) else None
    sizes = list(arrays[0].sizes)
    sizes[axis] = total
    return ArrayType(dtype_of(*arrays), tuple(sizes))


def _is_int(extent: Any) -> bool:
    return isinstance(extent, int)


def _own_part(g: Array, at: int, arrays_shape: tuple[tuple[Any, ...], ...], axis: int) -> Array:
    start: Any = 0
    for shape in arrays_shape[:at]:
        start = start + shape[axis]
    return g[(slice(None),) * axis + (slice(start, start + arrays_shape[at][axis]),)]


concatenate = Primitive(
    "concatenate",
    lambda *arrays, axis: np.concatenate(arrays, axis),
    ("arrays",),
    static=("axis",),
    result=_concatenated,
    reverse={"arrays": _own_part},
    linear=("arrays",),
    variadic=True,
)


@spells(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0) -> Array:
    arrays = tuple(arrays)
    if axis is None:
        arrays, axis = tuple(np.ravel(array) for array in arrays), 0
    return concatenate(*arrays, axis=normalize_axis_index(axis, np.ndim(arrays[0])))
