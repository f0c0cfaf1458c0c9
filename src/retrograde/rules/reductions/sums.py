"""Reductions: a result's element depends on many elements of the operand. Sums, means, products, tests."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.outputs import into
from retrograde.rules.reductions.axes import axes_of, count, spread
from retrograde.rules.reductions.cumulative import products_of_others
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.reshaping import broadcast_to, reshape
from retrograde.rules.type_rules import reduced

sum_ = Primitive(
    "sum",
    lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    ("x",),
    static=("axis", "keepdims"),
    result=reduced(np.add),
    reverse={"x": lambda g, x_shape, axis, keepdims: spread(g, x_shape, axis, keepdims)},
    linear=("x",),
)


@spells(np.sum)
def _sum(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    if dtype is not None:
        a = np.astype(a, dtype)
    if where is not True:
        a = np.where(where, a, 0)
    total = sum_(a, axis=axes_of(a, axis), keepdims=bool(keepdims))
    return into(out, total if initial is None else total + initial)


def _sum_down_to(x: Array, shape: tuple[int, ...]) -> Array:
    leading = len(x.shape) - len(shape)
    narrow = tuple(at for at, size in enumerate(shape, leading) if size == 1 and x.shape[at] != 1)
    if leading < 0 or any(size not in (1, x.shape[at]) for at, size in enumerate(shape, leading)):
        raise UsageError(
            f"a cotangent of shape {tuple(x.shape)} came for a value of shape {tuple(shape)}, of which it is no "
            "broadcast; the rule that made it has to return one of the value's shape"
        )
    if narrow == (x.ndim - 1,) and not leading and 1 < x.shape[-1] < _FEW_COLUMNS:
        return _sum_of_columns(x)
    if leading or narrow:
        x = x.sum(axis=(*range(leading), *narrow), keepdims=bool(narrow))
    return x.reshape(shape) if x.shape != shape else x


_FEW_COLUMNS = 8


def _sum_of_columns(x: Array) -> Array:
    """The sum along the last axis: NumPy's own takes ten times as long where that axis is short."""
    out = x[..., :1] + x[..., 1:2]
    for at in range(2, x.shape[-1]):
        out += x[..., at : at + 1]
    return out


sum_to = Primitive(
    "sum_to",
    _sum_down_to,
    ("x", "shape"),
    result=lambda x, shape: ArrayType(x.dtype, shape),
    reverse={"x": lambda g, x_shape: broadcast_to(g, x_shape)},
    linear=("x",),
)


@spells(np.mean)
def _mean(
    a: Array, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Array:
    """The sum over the number of elements; of half precision, as in NumPy, the sum is in single."""
    axes, half = axes_of(a, axis), dtype is None and a.dtype == np.float16
    if not half and where is True and dtype is None and out is None:
        total = sum_(a, axis=axes, keepdims=bool(keepdims))
        return total / count(a, axes, total.dtype)
    total = np.sum(a, axes, np.float32 if half else dtype, keepdims=keepdims, where=where)
    mean = total / count(a, axes, total.dtype, where, keepdims)
    return into(out, np.astype(mean, a.dtype) if half else mean)


prod = Primitive(
    "prod",
    lambda x, axis, keepdims: x.prod(axis=axis, keepdims=keepdims),
    ("x",),
    static=("axis", "keepdims"),
    result=reduced(np.multiply),
    reverse={
        "x": lambda g, x, x_shape, axis, keepdims: (
            spread(g, x_shape, axis, keepdims) * conj(products_of_others(x, axis))
        )
    },
    forward={
        "x": lambda d, x, axis, keepdims: np.sum(d * products_of_others(x, axis), axis=axis, keepdims=keepdims),
    },
)


@spells(np.prod)
def _prod(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    if dtype is not None:
        a = np.astype(a, dtype)
    if where is not True:
        a = np.where(where, a, 1)
    product = prod(a, axis=axes_of(a, axis), keepdims=bool(keepdims))
    return into(out, product if initial is None else product * initial)


@spells(np.average)
def _average(a: Array, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    a = as_array(a)
    axes = axes_of(a, axis)
    if weights is None:
        mean = np.mean(a, axis=axes, keepdims=keepdims)
        total: Any = count(a, axes, mean.dtype)
    else:
        weights = _weights_like(a, axes, weights)
        total = np.sum(weights, axis=axes, keepdims=keepdims)
        mean = np.sum(a * weights, axis=axes, keepdims=keepdims) / total
    return (mean, broadcast_to(mean * 0 + total, mean.shape)) if returned else mean


def _weights_like(a: Array, axes: tuple[int, ...], weights: Any) -> Array:
    """Weights in the rank of what they weigh: they may be given for the axes alone."""
    weights = as_array(weights)
    if weights.ndim == a.ndim:
        return broadcast_to(weights, a.shape)
    if weights.ndim != len(axes):
        raise UsageError(
            f"weights of {weights.ndim} axes were given for an average over {len(axes)} of {a.ndim} axes; give them "
            "the shape of the array, or one axis for each that is averaged over"
        )
    order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
    return reshape(np.transpose(weights, order), tuple(a.shape[at] if at in axes else 1 for at in range(a.ndim)))


any_ = Primitive(
    "any",
    lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims),
    ("x",),
    static=("axis", "keepdims"),
    result=reduced(np.logical_or),
)

all_ = Primitive(
    "all",
    lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims),
    ("x",),
    static=("axis", "keepdims"),
    result=reduced(np.logical_and),
)


@spells(np.any)
def _any(a: Array, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True) -> Array:
    held = a if where is True else np.logical_and(a, where)
    return into(out, any_(held, axis=axes_of(a, axis), keepdims=bool(keepdims)))


@spells(np.all)
def _all(a: Array, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True) -> Array:
    held = a if where is True else np.logical_or(a, np.logical_not(where))
    return into(out, all_(held, axis=axes_of(a, axis), keepdims=bool(keepdims)))


@spells(np.count_nonzero)
def _count_nonzero(a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    return np.sum(a != 0, axis=axis, keepdims=keepdims)
