"""Matrices of derivatives out of a linear graph: which way its steps are swept, and how many directions at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from retrograde.autodiff.forward.batched import Batched, unbatched
from retrograde.autodiff.forward.linear_graph import LinearGraph, Slot, Tangents
from retrograde.program.dispatch import new_level
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import Array

Way = Literal["forward", "reverse"]

BATCH_BYTES = 1 << 24
"""What a batch of directions may take, of the largest value that it goes through."""
_PRODUCT = 0.1
"""What a multiplication inside a matrix product takes, in units of what an element takes in a step."""


@dataclass(frozen=True)
class Cut:
    """A place between steps that everything passes: the values that are alive there, and how many steps are before."""

    slots: tuple[Slot, ...]
    steps: int


def total(slots: Sequence[Slot]) -> int:
    """The number of elements of values together."""
    return sum(slot.size for slot in slots)


def ends_of(slots: Sequence[Slot]) -> Any:
    """Where each value's elements end, if all stand in a row."""
    return np.cumsum([slot.size for slot in slots], dtype=np.int64)


def matrix(graph: LinearGraph, sources: Sequence[Slot], targets: Sequence[Slot], span: slice, way: Way) -> Array:
    """The derivatives of all elements of the targets (rows) by all elements of the sources (columns)."""
    starts, ends = (sources, targets) if way == "forward" else (targets, sources)
    if not total(starts):
        return np.zeros((total(targets), total(sources)))
    level = new_level()
    parts = _parts(graph, total(starts), span)
    made = (_sweep(graph, units(starts, part, level), ends, span, way, level, len(part)) for part in parts)
    return _stacked(made, total(starts), way == "forward")


def _stacked(stacks: Iterator[Array], count: int, turned: bool) -> Array:
    """Rows that come in parts as one array of its own, or as its columns."""
    first = next(stacks)
    if not is_ndarray(first):
        whole = np.concatenate([first, *stacks], axis=0)
        return np.transpose(whole) if turned else whole
    shape = (count, first.shape[1])
    whole = np.empty(shape[::-1] if turned else shape, first.dtype)
    rows, start = whole.T if turned else whole, 0
    for stack in chain((first,), stacks):
        rows[start : start + len(stack)] = stack
        start += len(stack)
    return whole


def swept(graph: LinearGraph, starts: Sequence[Slot], ends: Sequence[Slot], directions: Array, way: Way) -> Array:
    """What becomes of some directions: a row for each, before and after.

    Args:
        graph: the derivative.
        starts: values whose elements together have the directions: sources forward, targets in reverse.
        ends: where they go.
        directions: an array of shape (directions, elements of `starts`).
        way: which way they go.
    """
    level = new_level()
    boundaries = ends_of(starts)[:-1]
    stacks: list[Array] = []
    for part in _parts(graph, len(directions), slice(None)):
        columns = np.split(directions[part.start : part.stop], boundaries, axis=1)
        given: Tangents = {
            slot: Batched(column.reshape(len(part), *slot.shape).astype(slot.dtype, copy=False), level)
            for slot, column in zip(starts, columns, strict=True)
        }
        stacks.append(_sweep(graph, given, ends, slice(None), way, level, len(part)))
    return stacks[0] if len(stacks) == 1 else np.concatenate(stacks, axis=0)


def _sweep(
    graph: LinearGraph, given: Tangents, ends: Sequence[Slot], span: slice, way: Way, level: int, count: int
) -> Array:
    found = (graph.push if way == "forward" else graph.pull)(given, ends, span)
    rows = [_flat(d, slot, level, count) for d, slot in zip(found, ends, strict=True)]
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)


def _parts(graph: LinearGraph, count: int, span: slice) -> Iterator[range]:
    """The directions in parts, so small that a batch of the largest value takes some megabytes."""
    width = _directions_at_once(graph, span)
    for start in range(0, count, width):
        yield range(start, min(start + width, count))


def _directions_at_once(graph: LinearGraph, span: slice) -> int:
    slots = {slot for step in graph.steps[span] for slot in (*step.sources, *step.results) if slot is not None}
    largest = max((slot.size * slot.dtype.itemsize for slot in slots), default=1)
    return max(1, BATCH_BYTES // max(largest, 1))


def units(slots: Sequence[Slot], part: range, level: int) -> Tangents:
    """Unit directions, by number, among the elements of values together; a value that none moves is left out."""
    directions: Tangents = {}
    first = 0
    for slot in slots:
        low, high = max(part.start, first), min(part.stop, first + slot.size)
        if low < high:
            stack = np.zeros((len(part), slot.size), slot.dtype)
            stack[np.arange(low, high) - part.start, np.arange(low, high) - first] = 1
            whole = len(slot.shape) == 1 and (part.start, part.stop) == (first, first + slot.size)
            directions[slot] = Batched(stack.reshape(len(part), *slot.shape), level, units=whole)
        first += slot.size
    return directions


def _flat(found: Any, slot: Slot, level: int, count: int) -> Array:
    if found is None:
        return np.zeros((count, slot.size), slot.dtype)
    return np.reshape(unbatched(found, level, count), (count, slot.size))


def narrowest(graph: LinearGraph, sources: Sequence[Slot], targets: Sequence[Slot]) -> tuple[float, Cut]:
    """The cut at which it is cheapest to meet: going from it both ways, or up to it if that is less.

    Looked for between operations in the order in which they ran. Unit directions of complex values would be twice as
    many, and are not taken.

    (Griewank and Walther 2008, "Evaluating Derivatives", chapter 10: accumulation by cross-country elimination; here
    one cut is eliminated.)

    Returns:
        The work in elements computed, and the cut.
    """
    steps = graph.steps
    columns, rows = total(sources), total(targets)
    last = {slot: len(steps) for slot in targets}
    for at in reversed(range(len(steps))):
        for slot in steps[at].sources:
            last.setdefault(slot, at)
    before, after = 0, sum(map(_work, steps))
    alive = {slot for slot in sources if slot in last}
    width = total(tuple(alive))
    best: tuple[float, Cut] | None = None
    for at in range(len(steps) + 1):
        work = min(columns, width) * before + min(rows, width) * after + _PRODUCT * rows * columns * width
        real = not any(slot.dtype.kind == "c" for slot in alive)
        if real and (best is None or work < best[0]):
            best = work, Cut(tuple(alive), at)
        if at < len(steps):
            before, after = before + _work(steps[at]), after - _work(steps[at])
            born = {slot for slot in steps[at].results if slot is not None and slot in last}
            dead = {slot for slot in (*steps[at].sources, *born) if slot in alive | born and last[slot] <= at}
            alive = (alive | born) - dead
            width += total(tuple(born)) - total(tuple(dead))
    assert best is not None
    return best


def _work(step: Any) -> int:
    return sum(slot.size for slot in (*step.sources, *step.results) if slot is not None)


def through(graph: LinearGraph, sources: Sequence[Slot], targets: Sequence[Slot], cut: Cut) -> Array:
    """The matrix as a product of two: from a cut on, and up to the cut."""
    width = total(cut.slots)
    ahead, behind = slice(0, cut.steps), slice(cut.steps, None)
    later = matrix(graph, cut.slots, targets, behind, "forward" if width <= total(targets) else "reverse")
    earlier = matrix(graph, sources, cut.slots, ahead, "forward" if total(sources) <= width else "reverse")
    return np.matmul(later, earlier)


def choose(graph: LinearGraph, sources: Sequence[Slot], targets: Sequence[Slot]) -> Way | Cut:
    """What is cheapest, by the shapes; where they do not say it and there is much to do, by a trial of each way."""
    columns, rows = total(sources), total(targets)
    per_direction = sum(map(_work, graph.steps))
    work, cut = narrowest(graph, sources, targets)
    if work < 0.5 * min(columns, rows) * per_direction:
        return cut
    width = _directions_at_once(graph, slice(None))
    close = max(columns, rows) <= 4 * min(columns, rows)
    if not close or min(columns, rows) < 4 * width:
        return "forward" if columns <= rows else "reverse"
    seconds = {
        "forward": _trial(graph.push, sources, targets, width) * columns,
        "reverse": _trial(graph.pull, targets, sources, width) * rows,
    }
    return "forward" if seconds["forward"] <= seconds["reverse"] else "reverse"


def _trial(sweep: Any, starts: Sequence[Slot], ends: Sequence[Slot], width: int) -> float:
    directions = units(starts, range(width), new_level())
    begun = time.perf_counter()
    sweep(directions, ends)
    return time.perf_counter() - begun
