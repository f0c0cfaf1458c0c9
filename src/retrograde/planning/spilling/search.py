"""``auto`` and ``spill`` with tiers: keep, compute again or spill, to the least makespan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from retrograde.errors import BudgetError, PlanError
from retrograde.graph import Graph
from retrograde.planning.actions import Compute
from retrograde.planning.infeasible import budget_error
from retrograde.planning.lowering import Lowering, RunOrder, Schedule
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.spilling.course import Course
from retrograde.planning.spilling.exchange import neighbours
from retrograde.planning.spilling.solve import Solution, solve
from retrograde.planning.strategies import store_all
from retrograde.planning.strategies.options import Options
from retrograde.planning.transfers import Tier, checked_tiers

RUNGS = 5
"""Budgets between the one asked for and the peak of the given order for which plans that recompute are looked at."""

EFFORT = 60
"""Times that other gaps are tried in the best course of a kind."""

MOST_GAPS = 20_000
"""Times that other gaps are tried, times gaps: less effort goes into each course of a large graph."""

MOST_TRIES = 400
"""Courses tried next to the best one where no time limit ends that."""

Recomputing = Callable[[int, float], Plan]
"""Finds the best plan that spills nothing for a budget in bytes, in a fraction of the time that there is."""


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
    the given order with storages spilled.

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
    deadline = None if iterations is not None else time.monotonic() + time_limit
    searcher = _Searcher(graph, limit, tiers, deadline, progress)
    strategy = "spill" if recomputing is None else "auto"
    searcher.look_at(searcher.given_order())
    if recomputing is not None:
        for found in searcher.rungs(recomputing):
            searcher.look_at(Schedule(found.actions, found.segments))
        searcher.descend(MOST_TRIES if iterations is None else min(iterations, MOST_TRIES))
    if searcher.best is None:
        raise budget_error(graph, limit, searcher.smallest_bytes, strategy)
    schedule = searcher.best.course.schedule(searcher.best.absences)
    return certify(
        graph,
        schedule.actions,
        schedule.segments,
        strategy=strategy,
        budget_bytes=budget_bytes,
        statistics=(("courses", float(searcher.tried)),),
        tiers=tiers,
    )


class _Searcher:
    """One search: the best solution so far, and the smallest peak of any."""

    def __init__(
        self,
        graph: Graph,
        budget_bytes: int,
        tiers: Sequence[Tier],
        deadline: float | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.graph = graph
        self.budget_bytes = budget_bytes
        self.tiers = tiers
        self.deadline = deadline
        self.progress = progress
        self.lowering = Lowering(graph)
        self.best: Solution | None = None
        self.smallest_bytes = 1 << 62
        self.tried = 0

    def given_order(self) -> Schedule:
        """Every operation once, in the given order."""
        (order,) = store_all.candidates(self.graph, Options())
        return self.lowering.lower(order)

    def rungs(self, recomputing: Recomputing) -> Iterator[Plan]:
        """Plans that recompute, from the budget up to the peak of the given order."""
        top = self.graph.store_all_peak_bytes
        if self.budget_bytes >= top or (self.best is not None and self._is_perfect):
            return
        floor = self.budget_bytes
        try:
            yield recomputing(floor, 0.4)
        except BudgetError as error:
            floor = error.minimum_bytes
            yield recomputing(floor, 0.1)
        for number in range(1, RUNGS):
            if self._is_perfect or self._is_late():
                return
            yield recomputing(floor + (top - floor) * number // RUNGS, 0.3 / RUNGS)

    def look_at(self, schedule: Schedule, effort: int = EFFORT) -> bool:
        """Bring a schedule within the budget; whether it is the best now."""
        course = Course(self.graph, schedule)
        self.tried += 1
        self.smallest_bytes = min(self.smallest_bytes, self._reachable_bytes(course))
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
        while improved and self.best is not None and self.best.absences and not self._is_perfect:
            improved = False
            if any(isinstance(a, Compute) and a.choice for a in self.best.course.actions):
                return
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
            return self.look_at(self.lowering.lower(order), effort=8)
        except PlanError:
            return False

    @property
    def _is_perfect(self) -> bool:
        return self.best is not None and self.best.timing.makespan <= self.graph.base_cost

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

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
