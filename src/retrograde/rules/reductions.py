"""Reductions: a result's element depends on many elements of the operand."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.shapes import broadcast_to


def _sum_type(x: ArrayType, axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    dtype = np.add.reduce(np.zeros(1, x.dtype)).dtype
    sizes = ((1 if at in axis else size) for at, size in enumerate(x.sizes) if keepdims or at not in axis)
    return ArrayType(dtype, tuple(sizes))


def _spread(g: Array, x_shape: tuple[Any, ...], axis: tuple[int, ...], keepdims: bool) -> Array:
    if not keepdims and g.ndim:
        g = np.reshape(g, tuple(1 if at in axis else extent for at, extent in enumerate(x_shape)))
    return broadcast_to(g, x_shape)


sum_ = Primitive(
    "sum",
    lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    ("x",),
    static=("axis", "keepdims"),
    result=_sum_type,
    reverse={"x": _spread},
    linear=("x",),
)


@spells(np.sum)
def _sum(a: Array, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    if dtype is not None:
        a = a.astype(dtype)
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    return sum_(a, axis=axes, keepdims=bool(keepdims))


def _sum_down_to(x: Array, shape: tuple[int, ...]) -> Array:
    leading = len(x.shape) - len(shape)
    narrow = tuple(at for at, size in enumerate(shape, leading) if size == 1 and x.shape[at] != 1)
    if leading < 0 or any(size not in (1, x.shape[at]) for at, size in enumerate(shape, leading)):
        raise UsageError(
            f"a cotangent of shape {tuple(x.shape)} came for a value of shape {tuple(shape)}, of which it is no "
            "broadcast; the rule that made it has to return one of the value's shape"
        )
    if leading or narrow:
        x = x.sum(axis=(*range(leading), *narrow), keepdims=bool(narrow))
    return x.reshape(shape) if x.shape != shape else x


sum_to = Primitive(
    "sum_to",
    _sum_down_to,
    ("x", "shape"),
    result=lambda x, shape: ArrayType(x.dtype, shape),
    reverse={"x": lambda g, x_shape: broadcast_to(g, x_shape)},
    linear=("x",),
)
