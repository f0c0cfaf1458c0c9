"""Courses next to another: one operation no longer run again, or a storage computed again in place of loaded."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Free
from retrograde.planning.lowering import RunOrder, Schedule
from retrograde.planning.spilling.course import Absence, Course
from retrograde.planning.spilling.solve import Solution

MOST_AGAIN = 24
"""The most operations that are computed again for one storage."""


def run_order(course: Course | Schedule) -> list[list[int]]:
    """For each segment the operations that a course, or a schedule, runs."""
    ends = (*course.segments[1:], len(course.actions))
    return [
        [action.operation for action in course.actions[begin:end] if isinstance(action, Compute)]
        for begin, end in zip(course.segments, ends, strict=True)
    ]


def neighbours(solution: Solution) -> Iterator[RunOrder]:
    """Orders to try in place of a solution's: the most promising first.

    A storage that is waited for is computed again where it was loaded, alone or with what it is made from; then
    the dearest operations that run again are left out, one at a time; then storages that nobody waits for are
    computed again, because others may be waited for on their account.
    """
    waits = solution.timing.waits
    by_wait = sorted(solution.absences, key=lambda a: (-sum(waits[a]), -a.gap.bytes, a.gap.after))
    order = run_order(solution.course)
    waiting = [absence for absence in by_wait if any(waits[absence])]
    for absence in waiting:
        yield from _computed_again(solution.course, order, absence)
    yield from _left_out(solution.course.graph, order)
    for absence in by_wait[len(waiting) :]:
        yield from _computed_again(solution.course, order, absence)


def _left_out(graph: Graph, order: list[list[int]]) -> Iterator[RunOrder]:
    """The order without one run of an operation that runs more than once; the dearest first."""
    seen: set[int] = set()
    again: list[tuple[float, int, int]] = []
    for segment, operations in enumerate(order):
        for place, operation in enumerate(operations):
            if operation in seen and graph.operations[operation].cost > 0:
                again.append((-graph.operations[operation].cost, segment, place))
            seen.add(operation)
    for _, segment, place in sorted(again):
        yield [
            operations[:place] + operations[place + 1 :] if segment == number else operations
            for number, operations in enumerate(order)
        ]


def _computed_again(course: Course, order: list[list[int]], absence: Absence) -> Iterator[RunOrder]:
    """The order with a storage made again before its next use: from what is there, or from what is kept for it."""
    graph = course.graph
    maker = graph.allocators[absence.gap.storage]
    if maker is None:
        return
    segment = int(course.segment_of[absence.gap.after])
    place = sum(isinstance(action, Compute) for action in course.actions[course.segments[segment] : absence.gap.after])
    live = _live_before(course, absence.gap.after) - {absence.gap.storage}
    tried: set[tuple[int, ...]] = set()
    for most in (1, MOST_AGAIN):
        again = tuple(_makers(graph, maker, live, most))
        if again and again not in tried:
            tried.add(again)
            yield [
                [*operations[:place], *again, *operations[place:]] if segment == number else operations
                for number, operations in enumerate(order)
            ]


def _makers(graph: Graph, maker: int, live: set[int], most: int) -> list[int]:
    """The operations that make a storage, after those that make what they read and is not live; at most so many.

    Where there would be more, what the last of them read is left to be kept. Empty if one may not run twice.
    """
    again: dict[int, None] = {maker: None}
    waiting = [maker]
    while waiting:
        operation = waiting.pop(0)
        for storage in graph.read_storages(operation):
            source = graph.allocators[storage]
            if storage not in live and source is not None and source not in again and len(again) < most:
                again[source] = None
                waiting.append(source)
    if not all(graph.operations[operation].recomputable for operation in again):
        return []
    rank = {operation: place for place, operation in enumerate(graph.order)}
    return sorted(again, key=rank.__getitem__)


def _live_before(course: Course, index: int) -> set[int]:
    """The storages that are live in a course, in memory or not, before an action."""
    graph = course.graph
    live = {s for s, arrival in enumerate(graph.arrivals) if arrival is not None}
    action: Action
    for action in course.actions[:index]:
        if isinstance(action, Compute):
            live.difference_update(graph.values[read].storage for _, read in action.overwrites)
            live.update(graph.allocated_storages(action.operation))
        elif isinstance(action, Free):
            live.discard(action.storage)
    return live
