"""``plan``: a budget and a strategy in, a certified plan or a ``BudgetError`` out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning.budget import Budget
from retrograde.planning.checks import check_search, check_strategy, check_tiered
from retrograde.planning.plan import Plan
from retrograde.planning.progress import ProgressCallback
from retrograde.planning.proposals import cheapest_order, first_schedule
from retrograde.planning.proving import covered_overhead, held_against, proved_overhead
from retrograde.planning.strategies import PROVING, SEARCHES, SPILLING, STRATEGIES, Options, by_hand, searcher
from retrograde.planning.transfers import Tier, checked_tiers

BY_HAND = "recompute"
"""The name that plans by hand have in place of a strategy's."""


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
    tiers: Iterable[Tier] = (),
    bound: bool = True,
    reorder: bool = True,
) -> Plan:
    """Find a plan that meets a budget.

    Args:
        graph: the computation.
        budget: an int of bytes, ``"8 GiB"``, ``"40%"`` of ``graph.store_all_peak_bytes``, a ``Budget``, or None for
            no limit.
        strategy: how to look for it: ``"auto"``, ``"search"``, ``"optimal"``, one of ``STRATEGIES``, or ``"spill"``.
        time_limit: seconds that a search may take.
        iterations: steps that a search may take, in place of the time limit; the result then depends on nothing but
            the graph, the budget and the seed.
        seed: of a search's random numbers.
        progress: called with a ``Progress`` now and then.
        block_size: operations in a block, for ``strategy="block"``; the best size is looked for when left out.
        recompute: a choice by hand, in place of a strategy: operations (names or indices) to drop and to compute
            again where they are wanted; all others are kept.
        tiers: slower places that ``"auto"`` and ``"spill"`` may move storages to. The graph's costs are then seconds,
            and the plan's cost is its makespan: the time that operations take, and that they wait for transfers.
        bound: whether to prove a lower bound on the overhead of any schedule. Without it ``Plan.bound`` is 0 unless
            the search came across one.
        reorder: whether ``"auto"`` and ``"search"`` may run operations anywhere that their inputs allow, and what is
            computed again long before it is read. Say no where a segment belongs to a program of its own, which can
            run no other's operations.

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
    check_search(time_limit, iterations)
    tiers = checked_tiers(graph, tiers)
    if tiers:
        check_tiered(strategy, recompute)
    chosen = () if recompute is None else by_hand.chosen(graph, recompute)
    finder = _Finder(
        strategy=strategy if recompute is None else BY_HAND,
        options=Options(block_size=block_size, recompute=chosen),
        tiers=tiers,
        time_limit=time_limit,
        iterations=iterations,
        seed=seed,
        progress=progress,
        bound=bound,
        reorder=reorder,
    )
    found = finder.find(graph, limit)
    return _proved(graph, found, None if iterations is not None else time_limit) if bound else found


@dataclass(frozen=True)
class _Finder:
    """How to look for a plan: a strategy and what it was told."""

    strategy: str
    options: Options
    tiers: tuple[Tier, ...]
    time_limit: float
    iterations: int | None
    seed: int
    progress: ProgressCallback | None
    bound: bool
    reorder: bool

    def find(self, graph: Graph, budget_bytes: int | None) -> Plan:
        """The cheapest plan in hand within a budget, for any graph."""
        if self.tiers:
            return self._with_tiers(graph, budget_bytes)
        if graph.has_choices:
            if self.strategy == "optimal":
                raise UsageError("strategy 'optimal' proves nothing of graphs with choices; use strategy 'auto'")
            return self._with_choices(graph, budget_bytes)
        return self._ordinary(graph, budget_bytes)

    def _ordinary(self, graph: Graph, budget_bytes: int | None) -> Plan:
        """The same for a graph without choices, and no tiers."""
        if self.strategy in SEARCHES:
            search = searcher(self.strategy)
            more: dict[str, Any] = {"reorder": self.reorder} if self.strategy in PROVING else {}
            if more and not self.bound:
                more["bound"] = None
            limits = {"time_limit": self.time_limit, "iterations": self.iterations, "seed": self.seed}
            return search(graph, budget_bytes, **limits, **more, progress=self.progress)
        if self.strategy in SPILLING:
            return first_schedule(graph, budget_bytes, SPILLING[self.strategy](graph, budget_bytes), self.strategy)
        propose = by_hand.candidates if self.strategy == BY_HAND else STRATEGIES[self.strategy]
        return cheapest_order(graph, budget_bytes, propose(graph, self.options), self.strategy, self.progress)

    def _with_choices(self, graph: Graph, budget_bytes: int | None) -> Plan:
        from retrograde.planning.choices import Share, plan_choices

        if self.strategy in SEARCHES:
            from retrograde.planning.searching.warming import warm_up

            warm_up(self.progress)

        def solve(settled: Graph, limit: int | None, share: Share) -> Plan:
            part = replace(self, time_limit=share.seconds, iterations=share.iterations, progress=None, bound=False)
            return part._ordinary(settled, limit)

        return plan_choices(
            graph,
            budget_bytes,
            solve,
            strategy=self.strategy,
            options="" if self.options == Options() else str(self.options),
            time_limit=self.time_limit,
            iterations=self.iterations,
            progress=self.progress,
        )

    def _with_tiers(self, graph: Graph, budget_bytes: int | None) -> Plan:
        from retrograde.planning import spilling

        def recomputing(graph: Graph, limit: int, fraction: float) -> Plan:
            return replace(self, tiers=(), time_limit=self.time_limit * fraction, bound=False).find(graph, limit)

        return spilling.search(
            graph,
            budget_bytes,
            self.tiers,
            None if self.strategy == "spill" else recomputing,
            time_limit=self.time_limit,
            iterations=self.iterations,
            progress=self.progress,
        )


def _proved(graph: Graph, found: Plan, time_limit: float | None) -> Plan:
    """A plan with the best bound that is proved for its budget, or the one that it has if that is better."""
    can_be_better = found.budget_bytes is not None and found.bound < found.overhead
    spills_for_free = found.strategy in SPILLING and not found.tiers
    if not can_be_better or spills_for_free:
        return found
    assert found.budget_bytes is not None
    if found.strategy in PROVING and not found.tiers and not graph.has_choices:
        return held_against(found, covered_overhead(graph, found.budget_bytes, found.overhead))
    proved = proved_overhead(graph, found.budget_bytes, found.overhead, time_limit, tiers=found.tiers)
    return held_against(found, proved)
