"""``auto`` and ``spill`` with tiers: keep, compute again or spill, to the least makespan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from retrograde.errors import BudgetError, PlanError
from retrograde.graph import Graph
from retrograde.planning.infeasible import budget_error
from retrograde.planning.lowering import Lowering, RunOrder, Schedule
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.spilling.course import Course
from retrograde.planning.spilling.exchange import neighbours, run_order
from retrograde.planning.spilling.in_hand import recall, remember
from retrograde.planning.spilling.lighter import hidden, lighter
from retrograde.planning.spilling.solve import Solution, solve
from retrograde.planning.strategies import store_all
from retrograde.planning.strategies.options import Options
from retrograde.planning.transfers import Tier, checked_tiers

RUNGS = (0.125, 0.25, 0.5)
"""Budgets whose plans that recompute are tried, on the way from the one asked for to the peak of the given order."""

HALVINGS = 3
"""Times that such budgets are tried on both sides of the best one, ever closer to it."""

HIDDEN = (1.0, 0.5)
"""Parts of what a tier can hide that are spilled before the rest is planned."""

WEAVINGS = 3
"""Times that what is recomputed is planned anew beside what is spilled."""

WEAVING_ENDS = 0.6
"""Part of the time after which that is done no more."""

LAST_TRY_BEGINS = 0.92
"""Part of the time limit after which nothing new begins, so that what has begun ends within it."""

EFFORT = 60
"""Times that other gaps are tried in the best course."""

MOST_GAPS = 20_000
"""Times that other gaps are tried, times gaps: less effort goes into each course of a large graph."""

MOST_TRIES = 400
"""Courses tried next to the best one where no time limit ends that."""

Recomputing = Callable[[Graph, int, float], Plan]
"""Finds the best plan of a graph that spills nothing for a budget in bytes, in a fraction of the time that there is."""


def search(
    graph: Graph,
    budget_bytes: int | None,
    tiers: Iterable[Tier],
    recomputing: Recomputing | None,
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    progress: ProgressCallback | None = None,
) -> Plan:
    """The plan of least makespan in hand that keeps, recomputes and spills within a budget.

    Plans that recompute for the budget, and for larger ones up to the peak of the given order, are brought within
    the budget by spilling; the best of all is then changed operation by operation: computed again instead of
    loaded, or no longer computed again. So no plan is worse than the best of those that only recompute, or than
    the given order with storages spilled. Plans found are remembered while the process runs: a larger budget never
    gets a dearer plan than a smaller one that was asked for before.

    Args:
        graph: the computation; its costs are seconds.
        budget_bytes: the budget; None for no limit.
        tiers: where storages may go, one or more.
        recomputing: finds plans that recompute; None to compute nothing again.
        time_limit: seconds.
        iterations: the most courses to try at the end, in place of the time limit.
        progress: called with a ``Progress`` now and then.

    Returns:
        A plan that the referee certified; its cost is its makespan.

    Raises:
        BudgetError: no plan in hand fits; it names the smallest budget that one does.
        UsageError: something is no tier, or the graph costs nothing.

    Example:
        >>> graph = Graph.from_arrays(cost=[9, 5, 5, 9], bytes=[8, 8, 8, 1], edges=[(0, 1), (1, 2), (2, 3), (0, 3)])
        >>> search(graph, 17, [Tier("disk", 4.0, 4.0)], None).actions[:5]
        (Compute(operation=0, choice=0, overwrites=()), Compute(operation=1, choice=0, overwrites=()), \
Spill(storage=0, tier=0), Compute(operation=2, choice=0, overwrites=()), Free(storage=1))
    """
    tiers = checked_tiers(graph, tiers)
    limit = graph.store_all_peak_bytes if budget_bytes is None else budget_bytes
    seconds = None if iterations is not None else LAST_TRY_BEGINS * time_limit
    searcher = _Searcher(graph, limit, tiers, seconds, progress)
    strategy = "spill" if recomputing is None else "auto"
    searcher.look_at(searcher.given_order(), EFFORT)
    if recomputing is not None:
        searcher.climb(recomputing)
        if not graph.has_choices:
            searcher.weave(recomputing)
            searcher.descend(MOST_TRIES if iterations is None else min(iterations, MOST_TRIES))
        searcher.refine()
    if searcher.best is not None:
        schedule = searcher.best.course.schedule(searcher.best.absences)
        statistics = (("courses", float(searcher.tried)),)
        remember(
            certify(
                graph,
                schedule.actions,
                schedule.segments,
                strategy=strategy,
                budget_bytes=budget_bytes,
                statistics=statistics,
                tiers=tiers,
            )
        )
    found = recall(graph.fingerprint, tiers, strategy, budget_bytes)
    if found is None:
        raise budget_error(graph, limit, searcher.smallest_bytes, strategy)
    return found


class _Searcher:
    """One search: the best solution so far, and the smallest peak of any."""

    def __init__(
        self,
        graph: Graph,
        budget_bytes: int,
        tiers: Sequence[Tier],
        seconds: float | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.graph = graph
        self.budget_bytes = budget_bytes
        self.tiers = tiers
        self.begun = time.monotonic()
        self.seconds = seconds
        self.progress = progress
        self.lowering = Lowering(graph)
        self.best: Solution | None = None
        self.smallest_bytes = 1 << 62
        self.tried = 0

    def given_order(self) -> Schedule:
        """Every operation once, in the given order."""
        (order,) = store_all.candidates(self.graph, Options())
        return self.lowering.lower(order)

    def climb(self, recomputing: Recomputing) -> None:
        """Bring plans that recompute for larger budgets within the budget, more of them near the best one."""
        top = max(self.budget_bytes, self.graph.store_all_peak_bytes)
        if self._is_perfect:
            return
        floor = self.budget_bytes
        try:
            given_is_best = not self._look_at_plan(recomputing(self.graph, floor, 0.4))
        except BudgetError as error:
            floor = error.minimum_bytes
            given_is_best = not self._look_at_plan(recomputing(self.graph, floor, 0.1))
        tried, best = [0.0, 1.0], 1.0 if given_is_best else 0.0
        rungs = list(RUNGS)
        for _ in range(1 + HALVINGS):
            for rung in rungs:
                if self._is_perfect or self._is_late():
                    return
                if self._look_at_plan(recomputing(self.graph, floor + int((top - floor) * rung), 0.02)):
                    best = rung
            tried = sorted({*tried, *rungs})
            place = tried.index(best)
            rungs = [(best + tried[near]) / 2 for near in (place - 1, place + 1) if 0 <= near < len(tried)]

    def weave(self, recomputing: Recomputing) -> None:
        """Recompute in graphs in which storages weigh nothing: those that can be hidden, then those spilled so far."""
        given = Course(self.graph, self.given_order())
        for share in HIDDEN:
            if self._is_perfect or self._is_late(WEAVING_ENDS):
                return
            found = hidden(given, self.budget_bytes, self.tiers, share)
            if found is not None:
                self._look_beside(found, recomputing)
        for _ in range(WEAVINGS):
            if self.best is None or not self.best.absences or self._is_perfect or self._is_late(WEAVING_ENDS):
                return
            if not self._look_beside(self.best, recomputing):
                return

    def _look_beside(self, solution: Solution, recomputing: Recomputing) -> bool:
        """Plan anew what is recomputed beside what a solution spills."""
        spilled = {absence.gap.storage for absence in solution.absences}
        try:
            found = recomputing(lighter(self.graph, spilled), self.budget_bytes, 0.04)
        except BudgetError:
            return False
        return self._look_at_plan(found)

    def _look_at_plan(self, found: Plan) -> bool:
        schedule = found.schedule
        return self.look_at(schedule if self.graph.has_choices else self.lowering.lower(run_order(schedule)))

    def look_at(self, schedule: Schedule, effort: int = 0) -> bool:
        """Bring a schedule within the budget; whether it is the best now."""
        course = Course(self.graph, schedule)
        self.tried += 1
        self.smallest_bytes = min(self.smallest_bytes, self._reachable_bytes(course))
        return self._solve(course, effort)

    def refine(self) -> None:
        """Exchange gaps in the best course."""
        if self.best is not None and self.best.absences:
            self._solve(self.best.course, EFFORT)

    def _solve(self, course: Course, effort: int) -> bool:
        effort = min(effort, 1 + MOST_GAPS // (1 + len(course.gaps)))
        below = self.best.timing.makespan if self.best is not None else float("inf")
        found = solve(course, self.budget_bytes, self.tiers, below=below, effort=effort, is_late=self._is_late)
        if found is None or (self.best is not None and found.score >= self.best.score):
            return False
        self.best = found
        self._tell()
        return True

    def descend(self, most: int) -> None:
        """Change the best solution step by step while that makes it faster."""
        improved = True
        while improved and self.best is not None and not self._is_perfect:
            improved = False
            for order in neighbours(self.best):
                if most <= 0 or self._is_late():
                    return
                most -= 1
                if self._try(order):
                    improved = True
                    break

    def _try(self, order: RunOrder) -> bool:
        """``look_at`` for a proposal, which may have left out what only it could make."""
        try:
            return self.look_at(self.lowering.lower(order))
        except PlanError:
            return False

    @property
    def _is_perfect(self) -> bool:
        """Whether nothing can be faster: without choices, every operation takes its time once."""
        least = 0.0 if self.graph.has_choices else self.graph.base_cost
        return self.best is not None and self.best.timing.makespan <= least * (1 + 1e-12)

    def _is_late(self, part: float = 1.0) -> bool:
        """Whether so much of the time is over."""
        return self.seconds is not None and time.monotonic() > self.begun + part * self.seconds

    def _reachable_bytes(self, course: Course) -> int:
        """The smallest budget for which this search would find a way through a course."""
        low, high = course.smallest_peak_bytes, int(course.live.max(initial=0))
        if all(tier.capacity_bytes is None for tier in self.tiers):
            return low
        while low < high:
            middle = (low + high) // 2
            if solve(course, middle, self.tiers) is None:
                low = middle + 1
            else:
                high = middle
        return high

    def _tell(self) -> None:
        if self.progress is not None and self.best is not None:
            self.progress(Progress("spilling", None, self.budget_bytes, self.best.timing.makespan))
