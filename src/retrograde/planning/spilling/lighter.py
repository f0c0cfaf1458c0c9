"""Graphs in which what is spilled weighs nothing, so that a planner that recomputes sees what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from retrograde.graph import Graph
from retrograde.planning.spilling.course import Course
from retrograde.planning.spilling.solve import Solution, solve
from retrograde.planning.transfers import Tier

_HALVINGS = 5


def lighter(graph: Graph, storages: Iterable[int]) -> Graph:
    """The graph with no bytes in some storages; none of these overwrites one that has bytes.

    Args:
        graph: the computation.
        storages: indices of those that weigh nothing.
    """
    empty = set(storages)
    sizes = tuple(replace(storage, bytes=0) if s in empty else storage for s, storage in enumerate(graph.storages))
    operations = tuple(
        replace(
            operation,
            may_overwrite=tuple(
                (made, read)
                for made, read in operation.may_overwrite
                if sizes[graph.values[made].storage].bytes == sizes[graph.values[read].storage].bytes
            ),
        )
        if operation.may_overwrite
        else operation
        for operation in graph.operations
    )
    return replace(graph, storages=sizes, operations=operations)


def hidden(course: Course, budget_bytes: int, tiers: Sequence[Tier], share: float) -> Solution | None:
    """What can be spilled in a course without waiting, so that its peak becomes as small as that allows.

    Args:
        course: the course.
        budget_bytes: no smaller peak is asked for.
        tiers: where storages may go.
        share: how much of the way to that smallest peak to go.

    Returns:
        The course with storages spilled; None if nothing can be spilled without waiting.
    """
    high = int(course.live.max(initial=0))
    low, top, found = budget_bytes, high, None
    for _ in range(_HALVINGS):
        middle = (low + high) // 2
        tried = solve(course, middle, tiers)
        if tried is not None and tried.timing.makespan <= course.seconds * (1 + 1e-9):
            high, found = middle, tried
        else:
            low = middle
    if found is None or share == 1.0:
        return found
    return solve(course, top - int((top - high) * share), tiers)
