"""Cumulative sums and products, and the recurrence that makes the derivatives of products exact where factors are 0."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.outputs import into
from retrograde.rules.reductions.axes import along, count
from retrograde.rules.type_rules import dtype_of


def _backwards(x: Array, axis: int) -> Array:
    return x[along(axis, slice(None, None, -1))]


def _later(x: Array, axis: int, first: float) -> Array:
    """The elements one place later; the last falls out, and a number comes first."""
    start = np.zeros_like(x[along(axis, slice(0, 1))]) + first
    return np.concatenate((start, x[along(axis, slice(0, -1))]), axis=axis)


def _cumulative(ufunc: np.ufunc) -> Any:
    return lambda x, axis: ArrayType(ufunc.reduce(np.zeros(1, x.dtype)).dtype, x.sizes)


cumsum = Primitive(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis=axis),
    ("x",),
    static=("axis",),
    result=_cumulative(np.add),
    reverse={"x": lambda g, axis: _backwards(np.cumsum(_backwards(g, axis), axis=axis), axis)},
    linear=("x",),
)


def _recurrence(a: Array, b: Array, axis: int) -> Array:
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    dtype = np.result_type(a, b)
    if b.ndim == 1:
        # Python's own numbers are the fastest way through a loop that no array operation can do.
        first, *rest = b.tolist() or [0.0]
        steps = zip(a.tolist()[1:], rest, strict=True)
        values = list(accumulate(steps, lambda r, step: step[0] * r + step[1], initial=first))
        return np.array(values[: len(b)], dtype)
    out = np.empty_like(b, dtype)
    for at in range(len(out)):
        out[at] = a[at] * out[at - 1] + b[at] if at else b[at]
    return np.moveaxis(out, 0, axis)


def _carried_back(g: Array, a: Array, axis: int) -> Array:
    """The cotangent of `b`: it solves the same recurrence from the other end."""
    coefficients = _later(conj(_backwards(a, axis)), axis, 0.0)
    return _backwards(linear_recurrence(coefficients, _backwards(g, axis), axis=axis), axis)


linear_recurrence = Primitive(
    "linear_recurrence",
    _recurrence,
    ("a", "b"),
    static=("axis",),
    result=lambda a, b, axis: ArrayType(dtype_of(a, b), b.sizes),
    reverse={
        "a": lambda g, a, out, axis: _carried_back(g, a, axis) * conj(_later(out, axis, 0.0)),
        "b": lambda g, a, axis: _carried_back(g, a, axis),
    },
    forward={"a": lambda d, a, out, axis: linear_recurrence(a, d * _later(out, axis, 0.0), axis=axis)},
    linear=("b",),
)
"""`r[i] = a[i] * r[i - 1] + b[i]` along an axis, from `r[0] = b[0]`."""

cumprod = Primitive(
    "cumprod",
    lambda x, axis: np.cumprod(x, axis=axis),
    ("x",),
    static=("axis",),
    result=_cumulative(np.multiply),
    reverse={"x": lambda g, x, axis: conj(_products_before(x, axis)) * _carried_back(g, x, axis)},
    forward={"x": lambda d, x, axis: linear_recurrence(x, d * _products_before(x, axis), axis=axis)},
)


def _products_before(x: Array, axis: int) -> Array:
    """For each element the product of those before it."""
    return np.cumprod(_later(x, axis, 1.0), axis=axis)


def products_of_others(x: Array, axis: tuple[int, ...]) -> Array:
    """For each element the product of the others along axes: exact where elements are 0, too."""
    if len(axis) == 1:
        return leave_one_out(x, axis=axis[0])
    kept = tuple(at for at in range(x.ndim) if at not in axis)
    order = (*kept, *axis)
    together = np.transpose(x, order)
    many = count(x, axis, np.dtype(np.int64))
    flat = np.reshape(together, (*(x.shape[at] for at in kept), many))
    others = np.reshape(leave_one_out(flat, axis=len(kept)), together.shape)
    return np.transpose(others, tuple(sorted(range(x.ndim), key=order.__getitem__)))


def _products_after(x: Array, axis: int) -> Array:
    return _backwards(_products_before(_backwards(x, axis), axis), axis)


def _leave_one_out(x: Array, axis: int) -> Array:
    product = x.prod(axis=axis, keepdims=True)
    if np.all(np.isfinite(product)) and np.all(product):
        return product / x
    return _products_before(x, axis) * _products_after(x, axis)


def _before_pulled(g: Array, x: Array, axis: int) -> Array:
    """The cotangent of x, of that of the products before each element."""
    factors = _later(x, axis, 1.0)
    pulled = conj(_products_before(factors, axis)) * _carried_back(g, factors, axis)
    return _backwards(_later(_backwards(pulled, axis), axis, 0.0), axis)


def _before_pushed(d: Array, x: Array, axis: int) -> Array:
    factors = _later(x, axis, 1.0)
    return linear_recurrence(factors, _later(d, axis, 0.0) * _products_before(factors, axis), axis=axis)


def _left_out_pulled(g: Array, x: Array, axis: int) -> Array:
    before = _before_pulled(g * conj(_products_after(x, axis)), x, axis)
    mirrored = _backwards(g * conj(_products_before(x, axis)), axis)
    return before + _backwards(_before_pulled(mirrored, _backwards(x, axis), axis), axis)


def _left_out_pushed(d: Array, x: Array, axis: int) -> Array:
    after = _backwards(_before_pushed(_backwards(d, axis), _backwards(x, axis), axis), axis)
    return _before_pushed(d, x, axis) * _products_after(x, axis) + _products_before(x, axis) * after


leave_one_out = Primitive(
    "leave_one_out",
    _leave_one_out,
    ("x",),
    static=("axis",),
    result=lambda x, axis: x,
    reverse={"x": lambda g, x, axis: _left_out_pulled(g, x, axis)},
    forward={"x": lambda d, x, axis: _left_out_pushed(d, x, axis)},
)
"""For each element the product of the others along an axis."""


@spells(np.cumsum)
def _cumsum(a: Array, axis: Any = None, dtype: Any = None, out: Any = None) -> Array:
    return into(out, _along_one(cumsum, a, axis, dtype))


@spells(np.cumprod)
def _cumprod(a: Array, axis: Any = None, dtype: Any = None, out: Any = None) -> Array:
    return into(out, _along_one(cumprod, a, axis, dtype))


def _along_one(primitive: Primitive, a: Array, axis: Any, dtype: Any) -> Array:
    """A cumulative primitive along an axis, or along all of them as one."""
    if axis is None:
        a, axis = np.ravel(a), 0
    if dtype is not None:
        a = np.astype(a, dtype)
    return primitive(a, axis=normalize_axis_index(axis, a.ndim))


@spells(np.cumulative_sum)
def _cumulative_sum(
    x: Array, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Array:
    return into(out, _from_start(cumsum, x, axis, dtype, 0.0 if include_initial else None))


@spells(np.cumulative_prod)
def _cumulative_prod(
    x: Array, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Array:
    return into(out, _from_start(cumprod, x, axis, dtype, 1.0 if include_initial else None))


def _from_start(primitive: Primitive, x: Array, axis: Any, dtype: Any, first: float | None) -> Array:
    if axis is None and x.ndim != 1:
        raise ValueError(f"`axis` has to be given for an array of {x.ndim} axes")
    axis = normalize_axis_index(0 if axis is None else axis, x.ndim)
    sums = _along_one(primitive, x, axis, dtype)
    if first is None:
        return sums
    start = np.zeros_like(sums[along(axis, slice(0, 1))]) + first
    return np.concatenate((start, sums), axis=axis)
