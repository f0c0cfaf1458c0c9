"""``plan``: a budget and a strategy in, a certified plan or a ``BudgetError`` out."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import SupportsIndex

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.graph.check import describe_operation
from retrograde.planning.budget import Budget
from retrograde.planning.infeasible import budget_error
from retrograde.planning.lowering import Lowering, RunOrder, Schedule
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.strategies import SPILLING, STRATEGIES, Options, by_hand
from retrograde.planning.strategies.demand import Split

SEARCHES = ("auto", "search", "optimal")
"""Strategies that look for a plan, or prove that there is no better one, in a time limit."""


def plan(
    graph: Graph,
    budget: int | str | Budget | None,
    strategy: str = "auto",
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    block_size: int | None = None,
    recompute: Iterable[str | int] | None = None,
) -> Plan:
    """Find a plan that meets a budget.

    Args:
        graph: the computation.
        budget: an int of bytes, ``"8 GiB"``, ``"40%"`` of ``graph.store_all_peak_bytes``, a ``Budget``, or None for
            no limit.
        strategy: how to look for it: one of ``SEARCHES`` or ``STRATEGIES``, or ``"spill"``.
        time_limit: seconds that a search may take.
        iterations: steps that a search may take, in place of the time limit; the result then depends on nothing but
            the graph, the budget and the seed.
        seed: of a search's random numbers.
        progress: called with a ``Progress`` now and then.
        block_size: operations in a block, for ``strategy="block"``; the best size is looked for when left out.
        recompute: a choice by hand, in place of a strategy: operations (names or indices) to drop and to compute
            again where they are wanted; all others are kept.

    Returns:
        The cheapest plan in hand within the budget, checked by the referee.

    Raises:
        BudgetError: no plan in hand meets the budget; it names the smallest budget that one meets.
        UsageError: an unknown strategy, an option that means nothing, or a graph too large for the strategy.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> plan(graph, "100%", "store_all").peak_bytes
        16
    """
    limit = None if budget is None else Budget(budget).resolve(graph.store_all_peak_bytes)
    check_strategy(strategy, block_size, recompute)
    _check_search(time_limit, iterations)
    if recompute is not None:
        chosen = Options(recompute=_chosen_by_hand(graph, recompute))
        return plan_candidates(graph, limit, by_hand.candidates(graph, chosen), "recompute", progress)
    if strategy in SEARCHES:
        from retrograde.planning.strategies import auto, optimal, search

        if strategy == "optimal":
            return optimal.search(graph, limit, time_limit=time_limit, iterations=iterations, progress=progress)
        look = auto.search if strategy == "auto" else search.search
        return look(graph, limit, time_limit=time_limit, iterations=iterations, seed=seed, progress=progress)
    if strategy in SPILLING:
        return _first_within(graph, limit, SPILLING[strategy](graph, limit), strategy)
    options = Options(block_size=block_size)
    return plan_candidates(graph, limit, STRATEGIES[strategy](graph, options), strategy, progress)


def plan_candidates(
    graph: Graph,
    budget_bytes: int | None,
    candidates: Iterable[RunOrder],
    strategy: str,
    progress: ProgressCallback | None = None,
) -> Plan:
    """The cheapest of some candidates that meets a budget, certified; ``plan`` says the rest."""
    lowering = Lowering(graph)
    best: RunOrder | None = None
    best_score = (float("inf"), 0)
    minimum: int | None = None
    for candidate in candidates:
        peak, cost = lowering.measure(candidate)
        minimum = peak if minimum is None else min(minimum, peak)
        if (budget_bytes is None or peak <= budget_bytes) and (cost, peak) < best_score:
            best, best_score = candidate, (cost, peak)
        if progress is not None:
            known = best_score if best is not None else (None, None)
            progress(Progress(stage=strategy, peak_bytes=known[1], cost=known[0]))
    if best is None:
        assert budget_bytes is not None
        assert minimum is not None
        raise budget_error(graph, budget_bytes, minimum, strategy)
    schedule = lowering.lower(best)
    return certify(graph, schedule.actions, schedule.segments, strategy=strategy, budget_bytes=budget_bytes)


def _first_within(graph: Graph, budget_bytes: int | None, schedules: Iterable[Schedule], strategy: str) -> Plan:
    """The first of some schedules that meets a budget, certified."""
    peaks: list[int] = []
    for schedule in schedules:
        found = certify(graph, schedule.actions, schedule.segments, strategy=strategy)
        if budget_bytes is None or found.peak_bytes <= budget_bytes:
            return replace(found, budget_bytes=budget_bytes)
        peaks.append(found.peak_bytes)
    assert budget_bytes is not None
    raise budget_error(graph, budget_bytes, min(peaks), strategy)


def check_strategy(strategy: str, block_size: int | None = None, recompute: object = None) -> None:
    """Raise UsageError unless there is such a strategy and it has such options."""
    if strategy not in SEARCHES and strategy not in STRATEGIES and strategy not in SPILLING:
        known = ", ".join([*SEARCHES, *STRATEGIES, *SPILLING])
        raise UsageError(f"there is no strategy {strategy!r}; the strategies are {known}")
    if recompute is not None and strategy != "auto":
        raise UsageError(f"recompute is a choice by hand, in place of a strategy; leave out strategy={strategy!r}")
    if block_size is not None:
        if strategy != "block":
            raise UsageError(f"block_size is an option of strategy 'block', not of {strategy!r}")
        _check_block_size(block_size)


def _check_block_size(block_size: SupportsIndex) -> None:
    try:
        size = operator.index(block_size)
    except TypeError:
        size = 0
    if isinstance(block_size, bool) or size < 1:
        raise UsageError(f"block_size must be an int of 1 or more, found {block_size!r}")


def _check_search(time_limit: float, iterations: int | None) -> None:
    if not time_limit > 0:
        raise UsageError(f"time_limit must be a number of seconds above 0, found {time_limit!r}")
    if iterations is not None and iterations < 0:
        raise UsageError(f"iterations must be None or an int of 0 or more, found {iterations!r}")


def _chosen_by_hand(graph: Graph, wanted: Iterable[str | int]) -> tuple[int, ...]:
    """The operations that names and indices stand for; of several with one name those that can be dropped."""
    split = Split(graph)
    chosen: dict[int, None] = {}
    for item in [wanted] if isinstance(wanted, str) else wanted:
        found = _operations_called(graph, item)
        if not found:
            raise UsageError(
                f"recompute names {item!r}; none of the graph's {len(graph.operations)} operations has that name "
                "or index"
            )
        fit = [i for i in found if split.why_kept(i) is None]
        if not fit:
            place = describe_operation(graph, found[0])
            raise UsageError(f"recompute names {place}, which cannot be dropped: {split.why_kept(found[0])}")
        chosen.update(dict.fromkeys(fit))
    return tuple(chosen)


def _operations_called(graph: Graph, item: str | int) -> Sequence[int]:
    if isinstance(item, str):
        return [i for i, operation in enumerate(graph.operations) if operation.name == item]
    return [i for i in range(len(graph.operations)) if i == item]
