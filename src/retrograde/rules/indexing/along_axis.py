"""Reading, for each place, the element that an array of indices names along one axis; and adding to it."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.shapes.sizes import known_shape, writable
from retrograde.rules.type_rules import of_shape


def _type(x: ArrayType, indices: ArrayType, axis: int) -> ArrayType:
    others = ((*sizes[:axis], 1, *sizes[axis + 1 :]) for sizes in (x.sizes, indices.sizes))
    sizes = broadcast_extents(*others)
    return ArrayType(x.dtype, (*sizes[:axis], indices.sizes[axis], *sizes[axis + 1 :]))


take_along_axis = Primitive(
    "take_along_axis",
    lambda x, indices, axis: x[indices] if x.ndim == 1 else np.take_along_axis(x, indices, axis),
    ("x", "indices"),
    static=("axis",),
    result=_type,
    reverse={"x": lambda g, indices, x_shape, axis: add_along_axis(g, indices, x_shape, axis=axis)},
    linear=("x",),
)


def _add_along_axis(x: Array, indices: Array, shape: tuple[int, ...], axis: int) -> Array:
    out = np.zeros_like(x, shape=shape, order="C")
    if len(shape) == 1:
        np.add.at(out, indices, x)
        return out
    # NumPy adds at one array of places several times faster than at an array for each axis.
    strides = [math.prod(shape[at + 1 :]) for at in range(len(shape))]
    rows: Any = 0
    for at, (extent, stride) in enumerate(zip(shape, strides, strict=True)):
        if at != axis:
            rows = rows + (np.arange(extent) * stride).reshape(-1, *[1] * (len(shape) - at - 1))
    places = np.where(indices < 0, indices + shape[axis], indices) * strides[axis] + rows
    np.add.at(out.reshape(-1), places.reshape(-1), np.broadcast_to(x, places.shape).reshape(-1))
    return out


add_along_axis = Primitive(
    "add_along_axis",
    _add_along_axis,
    ("x", "indices", "shape"),
    static=("axis",),
    result=lambda x, indices, shape, axis: of_shape(x, shape),
    reverse={"x": lambda g, indices, axis: take_along_axis(g, indices, axis=axis)},
    linear=("x",),
)
"""Zeros of a shape, with `x` added at the indices along an axis."""


@spells(np.take_along_axis)
def _take_along_axis(arr: Array, indices: Array, axis: int | None = -1) -> Array:
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    if np.ndim(indices) != np.ndim(arr):
        raise UsageError(
            f"take_along_axis of an array of {np.ndim(arr)} axes with indices of {np.ndim(indices)}; give equally many"
        )
    return take_along_axis(arr, indices, axis=normalize_axis_index(axis, np.ndim(arr)))


@spells(np.put_along_axis)
def _put_along_axis(arr: Array, indices: Array, values: Any, axis: int | None) -> None:
    arr = writable(arr, "put_along_axis")
    shape = known_shape(arr, "put_along_axis")
    if axis is None:
        arr[np.unravel_index(np.asarray(indices) % arr.size, shape)] = values
        return
    axis = normalize_axis_index(axis, arr.ndim)
    others = np.ogrid[tuple(slice(extent) for extent in shape)]
    arr[tuple(indices if at == axis else part for at, part in enumerate(others))] = values
