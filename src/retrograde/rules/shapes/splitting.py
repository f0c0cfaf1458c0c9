"""Splitting arrays along an axis, and repeating them along one: made of slices and broadcasts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.kinds import as_extents
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.shapes.axes import at_least
from retrograde.rules.shapes.reshaping import broadcast_to, reshape
from retrograde.rules.shapes.sizes import known_shape, own_memory


def _parts(ary: Array, points: list[Any], axis: int) -> list[Array]:
    before = (slice(None),) * axis
    return [ary[(*before, slice(start, stop))] for start, stop in pairwise([0, *points, None])]


def _split_at(ary: Array, sections: Any, axis: int, *, evenly: bool) -> list[Array]:
    axis = normalize_axis_index(axis, ary.ndim)
    if np.ndim(sections):
        return _parts(ary, list(sections), axis)
    size, count = known_shape(ary, "split into a number of parts")[axis], int(sections)
    if count <= 0 or (evenly and size % count):
        raise UsageError(
            f"an axis of size {size} was to be split into {count} equal parts; give a number that divides it, or the "
            "places to split at, or use np.array_split"
        )
    extents = [size // count + (at < size % count) for at in range(count)]
    return _parts(ary, list(accumulate(extents))[:-1], axis)


@spells(np.split)
def _split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    return _split_at(ary, indices_or_sections, axis, evenly=True)


@spells(np.array_split)
def _array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    return _split_at(ary, indices_or_sections, axis, evenly=False)


def _split_along(function: Callable[..., Any], axis_of: Callable[[int], int], least: int) -> None:
    def split(ary: Array, indices_or_sections: Any) -> list[Array]:
        if ary.ndim < least:
            raise UsageError(
                f"{function.__name__} of an array of {ary.ndim} axes; it takes {least} or more (np.split takes an axis)"
            )
        return _split(ary, indices_or_sections, axis_of(ary.ndim))

    spells(function)(split)


_split_along(np.hsplit, lambda rank: 0 if rank == 1 else 1, 1)
_split_along(np.vsplit, lambda rank: 0, 2)
_split_along(np.dsplit, lambda rank: 2, 3)


def _unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    rows = np.moveaxis(x, axis, 0)
    return tuple(rows[at] for at in range(known_shape(rows, "unstack")[0]))


if hasattr(np, "unstack"):
    spells(np.unstack)(_unstack)


@spells(np.repeat)
def _repeat(a: Array, repeats: Any, axis: int | None = None) -> Array:
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    a = at_least(a, 1)
    axis = normalize_axis_index(axis, a.ndim)
    times = np.asarray(repeats).reshape(-1)
    times = times if times.size else times.astype(np.intp)
    if times.size != 1:
        places = np.repeat(np.arange(known_shape(a, "repeat")[axis]), times)
        return np.take(a, places, axis=axis)
    (count,) = times
    return _blown_up(a, [(1, int(count)) if at == axis else (1, 1) for at in range(a.ndim)])


@spells(np.tile)
def _tile(A: Array, reps: Any) -> Array:
    times = as_extents(reps)
    rank = max(A.ndim, len(times))
    shape = (*[1] * (rank - A.ndim), *A.shape)
    times = (*[1] * (rank - len(times)), *times)
    return _blown_up(reshape(A, shape) if len(shape) > A.ndim else A, [(count, 1) for count in times])


def _blown_up(x: Array, times: list[tuple[Any, Any]]) -> Array:
    """An array with each axis repeated: as a whole, and element by element."""
    if all(outer == inner == 1 for outer, inner in times):
        return x.copy()
    between: list[Any] = []
    wide: list[Any] = []
    final: list[Any] = []
    for extent, (outer, inner) in zip(x.shape, times, strict=True):
        if outer != 1:
            between, wide = [*between, 1], [*wide, outer]
        between, wide, final = [*between, extent], [*wide, extent], [*final, outer * extent * inner]
        if inner != 1:
            between, wide = [*between, 1], [*wide, inner]
    return own_memory(reshape(broadcast_to(reshape(x, tuple(between)), tuple(wide)), tuple(final)))
