"""Sorting and searching. The order of values is a constant to every derivative, and the values are picked by it.

Where values are equal, their order is the one that NumPy's sort gives them.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.indexing.along_axis import take_along_axis
from retrograde.rules.shapes.axes import at_least
from retrograde.rules.type_rules import sizes_of

_INDEX = np.dtype(np.intp)


def _indices_like(x: ArrayType, **_: Any) -> ArrayType:
    return ArrayType(_INDEX, x.sizes)


argsort = Primitive(
    "argsort",
    lambda x, axis, kind: np.argsort(x, axis, kind),
    ("x",),
    static=("axis", "kind"),
    result=_indices_like,
)


def _order(x: Array, kth: tuple[int, ...], axis: int) -> Array:
    order = np.argpartition(x, kth, axis)
    parted = np.partition(x, kth, axis)
    if not np.array_equal(np.take_along_axis(x, order, axis), parted, equal_nan=x.dtype.kind in "fc"):
        # NumPy may swap the elements that it leaves unsorted in another way: find where each came from.
        by_value = np.argsort(parted, axis, "stable")
        np.put_along_axis(order, by_value, np.argsort(x, axis, "stable"), axis)
    return order


partition_order = Primitive(
    "partition_order",
    _order,
    ("x",),
    static=("kth", "axis"),
    result=_indices_like,
)
"""The indices that put an array in the order in which `numpy.partition` leaves it."""

argpartition = Primitive(
    "argpartition",
    lambda x, kth, axis: np.argpartition(x, kth, axis),
    ("x",),
    static=("kth", "axis"),
    result=_indices_like,
)


def _along(a: Array, axis: int | None) -> tuple[Array, int]:
    """An array and the axis to sort along; all elements in one row where no axis is given."""
    if axis is None:
        return np.reshape(a, (-1,)), 0
    return a, normalize_axis_index(axis, a.ndim)


def _refuse_order(order: Any) -> None:
    if order is not None:
        raise UnsupportedError(
            f"a sort by the fields {order!r} was asked for, which only structured arrays have; sort by a key: "
            "`x[np.argsort(key)]`"
        )


def _kind(kind: str | None, stable: bool | None) -> str | None:
    return "stable" if stable else kind


@spells(np.argsort)
def _argsort(
    a: Array, axis: int | None = -1, kind: str | None = None, order: Any = None, *, stable: bool | None = None
) -> Array:
    _refuse_order(order)
    a, at = _along(at_least(a, 1), axis)
    return argsort(a, axis=at, kind=_kind(kind, stable))


@spells(np.sort)
def _sort(
    a: Array, axis: int | None = -1, kind: str | None = None, order: Any = None, *, stable: bool | None = None
) -> Array:
    _refuse_order(order)
    a, at = _along(a, axis)
    return take_along_axis(a, argsort(a, axis=at, kind=_kind(kind, stable)), axis=at)


@spells(np.sort_complex)
def _sort_complex(a: Array) -> Array:
    return _sort(a).astype(np.result_type(a.dtype, np.complex64))


@spells(np.argpartition)
def _argpartition(a: Array, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Array:
    _refuse_order(order)
    a, at = _along(at_least(a, 1), axis)
    return argpartition(a, kth=_places(kth), axis=at)


@spells(np.partition)
def _partition(a: Array, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Array:
    _refuse_order(order)
    a, at = _along(a, axis)
    return take_along_axis(a, partition_order(a, kth=_places(kth), axis=at), axis=at)


def _places(kth: Any) -> tuple[int, ...]:
    return tuple(int(place) for place in np.atleast_1d(kth))


def _searched(a: ArrayType, v: Any, side: str) -> ArrayType:
    return ArrayType(_INDEX, sizes_of(v))


searchsorted = Primitive(
    "searchsorted",
    lambda a, v, side: np.searchsorted(a, v, side),
    ("a", "v"),
    static=("side",),
    result=_searched,
)


@spells(np.searchsorted)
def _searchsorted(a: Array, v: Any, side: str = "left", sorter: Any = None) -> Array:
    return searchsorted(a if sorter is None else np.take(a, sorter), v, side=side)
