"""Functions that move, add and drop axes, and turn arrays around: all but `roll` are made of other primitives."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.kinds import as_extents
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.rules.shapes.reshaping import broadcast_to, reshape, transpose
from retrograde.rules.shapes.sizes import is_known, known_shape
from retrograde.rules.type_rules import like_first


@spells(np.moveaxis)
def _moveaxis(a: Array, source: Any, destination: Any) -> Array:
    rank = np.ndim(a)
    sources = normalize_axis_tuple(source, rank, "source")
    targets = normalize_axis_tuple(destination, rank, "destination")
    if len(sources) != len(targets):
        raise UsageError(f"moveaxis from {source} to {destination}; give as many axes to move to as to move from")
    order = [axis for axis in range(rank) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(a, axes=tuple(order))


@spells(np.swapaxes)
def _swapaxes(a: Array, axis1: int, axis2: int) -> Array:
    order = list(range(a.ndim))
    one, other = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    order[one], order[other] = other, one
    return transpose(a, axes=tuple(order))


@spells(np.rollaxis)
def _rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    rank = a.ndim
    axis = normalize_axis_index(axis, rank)
    start += rank * (start < 0)
    if not 0 <= start <= rank:
        raise np.exceptions.AxisError(start, rank + 1, "start")
    order = [at for at in range(rank) if at != axis]
    order.insert(start - (axis < start), axis)
    return transpose(a, axes=tuple(order))


@spells(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(x: Array, /) -> Array:
    if x.ndim < 2:
        raise UsageError(f"matrix_transpose of an array of {x.ndim} axes; it swaps the last two, so give 2 or more")
    return _swapaxes(x, -1, -2)


@spells(np.expand_dims)
def _expand_dims(a: Array, axis: Any) -> Array:
    rank = np.ndim(a) + len(as_extents(axis))
    axes = normalize_axis_tuple(axis, rank)
    extents = iter(np.shape(a))
    return reshape(a, tuple(1 if at in axes else next(extents) for at in range(rank)))


@spells(np.squeeze)
def _squeeze(a: Array, axis: Any = None) -> Array:
    shape = a.shape
    if axis is None or (not shape and axis in (0, -1)):
        if not all(map(is_known, shape)):
            raise UnsupportedError(
                f"squeeze without axis was asked for in a program, in which only the run knows the shape {shape}; say "
                "which axis is to go (`np.squeeze(x, axis=0)`)"
            )
        axes = tuple(at for at, extent in enumerate(shape) if extent == 1)
    else:
        axes = normalize_axis_tuple(axis, len(shape))
        wide = [shape[at] for at in axes if is_known(shape[at]) and shape[at] != 1]
        if wide:
            raise UsageError(f"squeeze of axes {axes} of an array of shape {shape}; only axes of size 1 can go")
    return reshape(a, tuple(extent for at, extent in enumerate(shape) if at not in axes))


def at_least(x: Array, rank: int) -> Array:
    """An array with axes of size 1 put in front of its own, until it has the rank."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x if x.ndim >= rank else np.reshape(x, (*[1] * (rank - x.ndim), *x.shape))


def at_least_3d(x: Array) -> Array:
    """An array as `numpy.atleast_3d` makes it: one of two axes gets the third behind them."""
    x = at_least(x, 1)
    return x if x.ndim > 2 else at_least(np.reshape(x, (*x.shape, 1)), 3)


def _each(results: list[Array]) -> Any:
    return results[0] if len(results) == 1 else tuple(results)


@spells(np.atleast_1d)
def _atleast_1d(*arys: Array) -> Any:
    return _each([at_least(x, 1) for x in arys])


@spells(np.atleast_2d)
def _atleast_2d(*arys: Array) -> Any:
    return _each([at_least(x, 2) for x in arys])


@spells(np.atleast_3d)
def _atleast_3d(*arys: Array) -> Any:
    return _each(list(map(at_least_3d, arys)))


@spells(np.flip)
def _flip(m: Array, axis: Any = None) -> Array:
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple(slice(None, None, -1) if at in axes else slice(None) for at in range(m.ndim))]


@spells(np.flipud)
def _flipud(m: Array) -> Array:
    return _flip(m, 0)


@spells(np.fliplr)
def _fliplr(m: Array) -> Array:
    return _flip(m, 1)


@spells(np.rot90)
def _rot90(m: Array, k: int = 1, axes: Any = (0, 1)) -> Array:
    one, other = (normalize_axis_index(axis, m.ndim) for axis in axes)
    if one == other:
        raise UsageError(f"rot90 in the plane of axes {tuple(axes)}, which are one; give two")
    turns = k % 4
    if turns == 2:
        return _flip(m, (one, other))
    if turns == 0:
        return m[...]
    return _swapaxes(_flip(m, other), one, other) if turns == 1 else _flip(_swapaxes(m, one, other), other)


roll = Primitive(
    "roll",
    lambda x, shift, axis: np.roll(x, shift, axis),
    ("x", "shift"),
    static=("axis",),
    result=like_first,
    reverse={"x": lambda g, shift, axis: roll(g, tuple(-part for part in shift), axis=axis)},
    linear=("x",),
)


@spells(np.roll)
def _roll(a: Array, shift: Any, axis: Any = None) -> Array:
    shifts = as_extents(shift)
    if axis is None:
        return reshape(roll(reshape(a, (-1,)), (sum(shifts),), axis=(0,)), a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    if len(shifts) != len(axes):
        shifts, axes = (shifts * len(axes), axes) if len(shifts) == 1 else (shifts, axes * len(shifts))
    return roll(a, shifts, axis=axes)


def common_shape(arrays: list[Array]) -> tuple[Any, ...]:
    """The shape of arrays broadcast together.

    Raises:
        UnsupportedError: a program is being built, and only the run knows which of two sizes it is.
    """
    shapes = [np.shape(x) for x in arrays]
    if all(is_known(extent) for shape in shapes for extent in shape):
        return np.broadcast_shapes(*shapes)
    rank = max(map(len, shapes))
    return tuple(_common_extent([shape[at] for shape in shapes if -at <= len(shape)]) for at in range(-rank, 0))


def _common_extent(extents: list[Any]) -> Any:
    wide = [extent for extent in extents if not (is_known(extent) and extent == 1)]
    numbers = {extent for extent in wide if is_known(extent)}
    if len(numbers) == 1:
        return numbers.pop()
    if len(set(map(_key, wide))) <= 1:
        return wide[0] if wide else 1
    raise UnsupportedError(
        "arrays were to be broadcast together in a program, and only the run knows which of their sizes is 1; give the "
        "inputs' sizes as ints or by one name, or broadcast each with np.broadcast_to"
    )


@spells(np.broadcast_arrays)
def _broadcast_arrays(*args: Array) -> tuple[Array, ...]:
    shape = common_shape(list(args))
    return tuple(x if _is_same_shape(np.shape(x), shape) else broadcast_to(x, shape) for x in args)


def _is_same_shape(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(_key(x) == _key(y) for x, y in zip(one, other, strict=True))


def _key(extent: Any) -> Any:
    return extent if is_known(extent) else extent.variable


@spells(np.resize)
def _resize(a: Array, new_shape: Any) -> Array:
    shape = as_extents(new_shape)
    count, wanted = int(np.prod(known_shape(a, "resize"))), int(np.prod(shape))
    if not count:
        return a.zeros(shape, a.dtype)
    times = -(-wanted // count)
    flat = reshape(broadcast_to(reshape(a, (-1,)), (times, count)), (-1,))
    return flat[:wanted].reshape(shape).copy()
