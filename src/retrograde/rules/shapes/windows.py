"""Windows that slide along an axis."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from retrograde.errors import UsageError
from retrograde.program.kinds import as_extents
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, Extent, Size
from retrograde.rules.type_rules import always, of_shape


def _shortened(size: Extent, by: int) -> Extent:
    if size is None:
        return None
    return max(0, size - by) if isinstance(size, int) else Size(size.name, size.offset - by)


def _windows_type(x: ArrayType, length: int, axis: int) -> ArrayType:
    sizes = tuple(_shortened(size, length - 1) if at == axis else size for at, size in enumerate(x.sizes))
    return ArrayType(x.dtype, (*sizes, length))


windows = Primitive(
    "sliding_window_view",
    lambda x, length, axis: sliding_window_view(x, length, axis),
    ("x",),
    static=("length", "axis"),
    result=_windows_type,
    reverse={"x": lambda g, x_shape, length, axis: add_windows(g, x_shape, length=length, axis=axis)},
    linear=("x",),
    views=always,
)


def _add_windows(x: Array, shape: tuple[int, ...], length: int, axis: int) -> Array:
    out = np.zeros_like(x, shape=shape)
    count = x.shape[axis]
    for at in range(length):
        out[(*[slice(None)] * axis, slice(at, at + count))] += x[..., at]
    return out


add_windows = Primitive(
    "add_windows",
    _add_windows,
    ("x", "shape"),
    static=("length", "axis"),
    result=lambda x, shape, length, axis: of_shape(x, shape),
    reverse={"x": lambda g, length, axis: windows(g, length=length, axis=axis)},
    linear=("x",),
)
"""Zeros of a shape, with each window of `x` added where it was taken."""


@spells(sliding_window_view)
def _sliding_window_view(
    x: Array, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Array:
    lengths = as_extents(window_shape)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(lengths) != len(axes):
        raise UsageError(f"windows of shape {lengths} along axes {axes}; give a length for each axis")
    for length, along in zip(lengths, axes, strict=True):
        x = windows(x, length=int(length), axis=along)
    return x
