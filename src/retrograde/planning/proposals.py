"""From what a strategy proposes to one certified plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from retrograde.graph import Graph
from retrograde.planning.infeasible import budget_error
from retrograde.planning.lowering import Lowering, RunOrder, Schedule
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback


def cheapest_order(
    graph: Graph,
    budget_bytes: int | None,
    orders: Iterable[RunOrder],
    strategy: str,
    progress: ProgressCallback | None = None,
) -> Plan:
    """The plan of the cheapest of some orders that meets a budget.

    Raises:
        BudgetError: none does.
    """
    lowering = Lowering(graph)
    best: RunOrder | None = None
    best_score = (float("inf"), 0)
    minimum: int | None = None
    for order in orders:
        peak, cost = lowering.measure(order)
        minimum = peak if minimum is None else min(minimum, peak)
        if (budget_bytes is None or peak <= budget_bytes) and (cost, peak) < best_score:
            best, best_score = order, (cost, peak)
        if progress is not None:
            known = best_score if best is not None else (None, None)
            progress(Progress(stage=strategy, peak_bytes=known[1], cost=known[0]))
    if best is None:
        assert budget_bytes is not None
        assert minimum is not None
        raise budget_error(graph, budget_bytes, minimum, strategy)
    schedule = lowering.lower(best)
    return certify(graph, schedule.actions, schedule.segments, strategy=strategy, budget_bytes=budget_bytes)


def first_schedule(graph: Graph, budget_bytes: int | None, schedules: Iterable[Schedule], strategy: str) -> Plan:
    """The plan of the first of some schedules that meets a budget.

    Raises:
        BudgetError: none does.
    """
    peaks: list[int] = []
    for schedule in schedules:
        found = certify(graph, schedule.actions, schedule.segments, strategy=strategy)
        if budget_bytes is None or found.peak_bytes <= budget_bytes:
            return replace(found, budget_bytes=budget_bytes)
        peaks.append(found.peak_bytes)
    assert budget_bytes is not None
    raise budget_error(graph, budget_bytes, min(peaks), strategy)
