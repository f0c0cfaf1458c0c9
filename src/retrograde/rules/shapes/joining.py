"""Joining arrays along an axis."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.program.kinds import is_list, is_tuple
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.outputs import into
from retrograde.rules.shapes.axes import at_least, at_least_3d
from retrograde.rules.shapes.sizes import is_known, known_shape
from retrograde.rules.type_rules import dtype_of, sizes_of


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
    start: Any = sum(shape[axis] for shape in arrays_shape[:at])
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


def _stacked(*arrays: ArrayType, axis: int) -> ArrayType:
    shapes = [sizes_of(array) for array in arrays]
    if len({len(sizes) for sizes in shapes}) > 1:
        raise _unlike(shapes)
    known = tuple(same.pop() if len(same := set(extents)) == 1 else None for extents in zip(*shapes, strict=True))
    return ArrayType(dtype_of(*arrays), (*known[:axis], len(arrays), *known[axis:]))


def _unlike(shapes: list[Any]) -> UsageError:
    return UsageError(f"stack of arrays of shapes {shapes}; give them all one shape")


stack = Primitive(
    "stack",
    lambda *arrays, axis: np.stack(arrays, axis),
    ("arrays",),
    static=("axis",),
    result=_stacked,
    reverse={"arrays": lambda g, at, axis: g[(*[slice(None)] * axis, at)]},
    linear=("arrays",),
    variadic=True,
)


def as_array(value: Any) -> Array:
    """An array as it is, and a list of numbers and arrays as an array: tracked, if one of them is."""
    if (is_list(value) or is_tuple(value)) and _has_tracked(value):
        return _stack(list(map(as_array, value)))
    return value if hasattr(value, "dtype") else np.asarray(value)


def _has_tracked(value: Any) -> bool:
    return any(map(_has_tracked, value)) if is_list(value) or is_tuple(value) else isinstance(value, Intercepting)


@spells(np.array)
def _array(
    object: Any, dtype: Any = None, *, copy: Any = True, order: str = "K", subok: bool = False, ndmin: int = 0
) -> Array:
    """With `like=`, an array that is tracked; without it NumPy does not ask."""
    made = at_least(as_array(object), ndmin)
    made = made if dtype is None else made.astype(dtype)
    return made.copy() if copy else made


@spells(np.asarray, np.asanyarray)
def _asarray(a: Any, dtype: Any = None, order: str = "K", *, copy: Any = None, device: Any = None) -> Array:
    return _array(a, dtype, copy=bool(copy))


@spells(np.concatenate)
def _concatenate(
    arrays: Any, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Array:
    parts = list(map(as_array, arrays))
    if axis is None:
        parts, axis = [np.reshape(part, (-1,)) for part in parts], 0
    joined = concatenate(*parts, axis=normalize_axis_index(axis, parts[0].ndim))
    return into(out, joined if dtype is None else joined.astype(dtype, casting=casting))


@spells(np.stack)
def _stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    parts = list(map(as_array, arrays))
    shapes = [part.shape for part in parts]
    if any(len(shape) != len(shapes[0]) or _differ(shape, shapes[0]) for shape in shapes):
        raise _unlike(shapes)
    stacked = stack(*parts, axis=normalize_axis_index(axis, parts[0].ndim + 1))
    return into(out, stacked if dtype is None else stacked.astype(dtype, casting=casting))


def _differ(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two shapes certainly differ: in a program only a run may know."""
    return any(is_known(x) and is_known(y) and x != y for x, y in zip(one, other, strict=True))


@spells(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    parts = [at_least(as_array(part), 1) for part in tup]
    return _concatenate(parts, 0 if parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@spells(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    parts = list(map(as_array, tup))
    if all(part.ndim == 1 for part in parts):
        return _stack(parts, 0, dtype=dtype, casting=casting)
    return _concatenate([at_least(part, 2) for part in parts], 0, dtype=dtype, casting=casting)


@spells(np.dstack)
def _dstack(tup: Any) -> Array:
    return _concatenate([at_least_3d(as_array(part)) for part in tup], 2)


@spells(np.column_stack)
def _column_stack(tup: Any) -> Array:
    parts = list(map(as_array, tup))
    if all(part.ndim == 1 for part in parts):
        return _stack(parts, 1)
    return _concatenate([part if part.ndim > 1 else np.transpose(at_least(part, 2)) for part in parts], 1)


@spells(np.block)
def _block(arrays: Any) -> Array:
    depth = _depth(arrays)
    rank = max(depth, _largest_rank(arrays))
    return _joined(arrays, rank, depth) if depth else as_array(arrays).copy()


def _depth(arrays: Any) -> int:
    if not is_list(arrays):
        return 0
    depths = set(map(_depth, arrays))
    if len(depths) != 1:
        raise UsageError("block of lists of different depths, or of an empty list; nest all lists equally deep")
    return 1 + depths.pop()


def _largest_rank(arrays: Any) -> int:
    return max(map(_largest_rank, arrays)) if is_list(arrays) else np.ndim(arrays)


def _joined(arrays: Any, rank: int, depth: int) -> Array:
    if not is_list(arrays):
        return at_least(as_array(arrays), rank)
    if depth == 1 and all(np.ndim(part) == 0 for part in arrays):
        return at_least(_stack(arrays), rank)
    return _concatenate([_joined(part, rank, depth - 1) for part in arrays], -depth)


@spells(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Array:
    return _concatenate((as_array(arr), as_array(values)), axis)


@spells(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    axis = normalize_axis_index(axis, arr.ndim)
    shape = known_shape(arr, "insert")
    places = _places(obj, shape[axis])
    values = at_least(values, arr.ndim)
    if not places.ndim:
        # For a single place NumPy takes the first axis of the values to be the one inserted along.
        values = np.moveaxis(values, 0, axis)
    size, count = shape[axis], values.shape[axis] if places.size == 1 else places.size
    block = np.broadcast_to(values, (*shape[:axis], count, *shape[axis + 1 :])).astype(arr.dtype)
    order = np.insert(np.arange(size), places, np.arange(size, size + count))
    return np.take(_concatenate((arr, block), axis), order, axis=axis)


def _places(obj: Any, size: int) -> Any:
    places = np.arange(*obj.indices(size)) if isinstance(obj, slice) else np.asarray(obj)
    return np.flatnonzero(places) if places.dtype.kind == "b" else places.astype(np.intp)


@spells(np.delete)
def _delete(arr: Array, obj: Any, axis: int | None = None) -> Array:
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    axis = normalize_axis_index(axis, arr.ndim)
    return np.take(arr, np.delete(np.arange(known_shape(arr, "delete")[axis]), obj), axis=axis)
