"""Plans in hand before the exact search begins: what it has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from retrograde.errors import PlanError, UsageError
from retrograde.graph import Graph
from retrograde.planning.actions import Compute
from retrograde.planning.exact.instance import Instance
from retrograde.planning.exact.layout import BORDER, PLAIN
from retrograde.planning.lowering import Lowering, RunOrder, Schedule
from retrograde.planning.referee import replay
from retrograde.planning.strategies.options import Options


@dataclass(frozen=True)
class Incumbent:
    """A schedule in hand.

    Attributes:
        schedule: what to do.
        excess: what it spends on running operations again, exactly, in the graph's unit.
    """

    schedule: Schedule
    excess: Fraction


def incumbent_of(
    graph: Graph, instance: Instance, budget_bytes: int, sequences: Iterable[RunOrder], *, given_order: bool
) -> Incumbent | None:
    """The cheapest of some sequences, and of the simple strategies, that meets a budget.

    Args:
        graph: the computation.
        instance: the same, condensed.
        budget_bytes: the budget.
        sequences: what else is in hand.
        given_order: whether first runs have to follow the given order.
    """
    lowering = Lowering(graph)
    best: Incumbent | None = None
    for sequence in (*sequences, *_simple(graph)):
        peak, _ = lowering.measure(sequence)
        if peak > budget_bytes or (given_order and not _keeps_order(instance, sequence)):
            continue
        schedule = lowering.lower(sequence)
        excess = excess_of_schedule(graph, schedule)
        if (best is None or excess < best.excess) and is_accepted(graph, schedule, budget_bytes):
            best = Incumbent(schedule, excess)
    return best


def excess_of_schedule(graph: Graph, schedule: Schedule) -> Fraction:
    """What a schedule spends on running operations again, exactly."""
    runs = [0] * len(graph.operations)
    for action in schedule.actions:
        if isinstance(action, Compute):
            runs[action.operation] += 1
    return sum((Fraction(o.cost) * (n - 1) for o, n in zip(graph.operations, runs, strict=True)), Fraction(0))


def is_accepted(graph: Graph, schedule: Schedule, budget_bytes: int) -> bool:
    """Whether the referee takes a schedule."""
    try:
        replay(graph, schedule.actions, schedule.segments, budget_bytes)
    except PlanError:
        return False
    return True


def _simple(graph: Graph) -> Iterable[RunOrder]:
    from retrograde.planning.strategies import STRATEGIES

    most = 8 * len(graph.operations)
    for candidates in STRATEGIES.values():
        try:
            yield from (c for c in candidates(graph, Options()) if sum(map(len, c)) <= most)
        except UsageError:
            continue  # the strategy does not take the graph


def _keeps_order(instance: Instance, sequence: RunOrder) -> bool:
    """Whether the first runs of a sequence are those of the given order, in its segments; views that are free aside."""
    wanted = [step.operation for step in instance.steps if step.kind != BORDER][:-1]
    borders = _segments(instance)
    seen: dict[int, int] = {}
    for segment, operations in enumerate(sequence):
        for operation in operations:
            seen.setdefault(operation, segment)
    first = [operation for operation in seen if operation in borders]
    return first == wanted and all(seen[operation] == borders[operation] for operation in first)


def _segments(instance: Instance) -> dict[int, int]:
    """For each operation of an instance the segment in which the given order runs it."""
    segments: dict[int, int] = {}
    at = 0
    for step in instance.steps:
        at += step.kind == BORDER
        if step.kind == PLAIN:
            segments[step.operation] = at
    return segments
