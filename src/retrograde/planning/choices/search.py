"""Planning a graph with choices: any strategy where they are settled, and a search over how they are settled."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.planning.choices.bundles import Bundles, with_assignment
from retrograde.planning.choices.descent import assignment_of, descend_with_choices, price_of_overload
from retrograde.planning.choices.ladder import Assignment, cheapest, given_schedule, ladder
from retrograde.planning.choices.record import Record, lock, recall
from retrograde.planning.choices.settling import Settling
from retrograde.planning.improve import Effort
from retrograde.planning.infeasible import budget_error
from retrograde.planning.lowering import Schedule
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback

MOST_ASSIGNMENTS = 64
"""Assignments up to which all are planned."""

RUNGS = 9
"""Rungs of the ladder that are planned to begin with."""

EVALUATIONS = 64
"""Assignments that are planned at the most when there are too many to plan all."""

JOINT = ("auto", "search")
"""Strategies that are free to descend with choices and recomputation together."""

DESCENTS = 8
"""Descents in which choices and recomputation go together, before single assignments are planned and after."""

FIRST_DESCENT = 0.6
"""The part of the time limit that the first of them may take in graphs so large that it needs it."""

SLOW = 0.15
"""The part of the time limit from which on a first descent shows that single assignments would take too long."""

FIRST_PRICES = (0.01, 0.1, 0.001)
"""What all bytes above the budget cost together when such a descent begins, over the cost of everything."""

REHEAT = 0.3
"""The price at which a plan is taken up again, over what it pays on average for a byte above the budget."""

LOOSER = (1.1, 1.25, 1.5)
"""Budgets, as multiples of the one asked for, of plans that are then brought into the budget by their choices."""


Statistics = tuple[tuple[str, float], ...]

Score = tuple[bool, float]
"""Whether the best plan of an assignment is above the budget, and its cost; its peak where it is."""


@dataclass(frozen=True)
class Share:
    """What one planning may take: seconds, or steps of a search in their place."""

    seconds: float
    iterations: int | None


class Solver(Protocol):
    """A strategy for ordinary graphs: plans one within a budget, or raises ``BudgetError``."""

    def __call__(self, graph: Graph, budget_bytes: int | None, share: Share, /) -> Plan: ...


def plan_choices(
    graph: Graph,
    budget_bytes: int | None,
    solve: Solver,
    *,
    strategy: str,
    options: str = "",
    time_limit: float = 20.0,
    iterations: int | None = None,
    progress: ProgressCallback | None = None,
) -> Plan:
    """The cheapest plan within a budget of a graph whose operations have choices.

    An assignment gives each choosing operation one choice and so makes an ordinary graph, which ``solve`` plans.
    All assignments are tried where they are few; else those of a ladder (each best at some price of a byte), then
    neighbours of the best. ``auto`` also descends with choices and recomputation together, at one price of a byte.
    Every schedule found then gets the best choices for its own runs: an operation that is computed again may run by
    another choice the second time. Plans found are remembered within the process, so that a larger budget never gets
    a dearer plan than a smaller one.

    Args:
        graph: a graph with choices.
        budget_bytes: the budget; None for no limit.
        solve: plans the ordinary graphs.
        strategy: the name of what it does.
        options: what else it was told, as text: plans are remembered for each strategy and options.
        time_limit: seconds in all; unused if ``iterations`` is given.
        iterations: steps of the strategy's searches in all.
        progress: called with a ``Progress`` after each assignment.

    Returns:
        A plan whose runs name their choices, certified by the referee on the graph itself.

    Raises:
        BudgetError: no plan in hand meets the budget, by any assignment that was tried.

    Example:
        >>> from retrograde.graph import Choice, Graph, Operation, Storage, Value
        >>> from retrograde.planning import plan
        >>> choices = (Choice(1.0), Choice(3.0, storage_bytes=((0, 2),)))
        >>> loop = Operation("loop", 1.0, (), (0,), choices=choices)
        >>> graph = Graph((loop,), (Value(0),), (Storage(8),), order=(0,))
        >>> [(found.cost, found.actions[0].choice) for found in (plan(graph, 8), plan(graph, 7))]
        [(1.0, 0), (3.0, 1)]
    """
    with lock:
        record = recall(graph)
        finder = _Finder(record, budget_bytes, solve, f"{strategy}{options}", time_limit, iterations, progress)
        return replace(finder.search(strategy), strategy=strategy)


class _Finder:
    """One search: fills the hand of a record."""

    def __init__(
        self,
        record: Record,
        budget_bytes: int | None,
        solve: Solver,
        kind: str,
        time_limit: float,
        iterations: int | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.record = record
        self.graph = record.graph
        self.budget_bytes = budget_bytes
        self.solve = solve
        self.kind = kind
        self.progress = progress
        self.begun = time.monotonic()
        self.time_limit = time_limit
        self.iterations = iterations
        self.score: dict[Assignment, Score] = {}
        self.planned = 0
        self.is_slow = False

    def search(self, strategy: str) -> Plan:
        if self.budget_bytes is None:
            self._plan(cheapest(self.graph), 1)
        elif not self._is_closed():
            self.record.recover(self.kind)
            self._look_around(self.budget_bytes)
        best = self.record.best(self.budget_bytes, self.kind)
        if best is None:
            assert self.budget_bytes is not None
            smallest = self.record.smallest(self.kind)
            assert smallest is not None
            self.record.store(self.kind)
            raise budget_error(self.graph, self.budget_bytes, smallest.peak_bytes, strategy)
        statistics = (*best.statistics, ("assignments", float(self.planned)))
        return replace(best, budget_bytes=self.budget_bytes, statistics=statistics)

    # Which assignments

    def _look_around(self, budget_bytes: int) -> None:
        if self.kind in JOINT:
            self._descend(budget_bytes, 0.25)
        if not self.is_slow:
            self._try_assignments(budget_bytes)
            self._from_above(budget_bytes)
        if self.kind in JOINT:
            self._descend(budget_bytes, 1.0)
        if not self._is_spent():
            self._settle_best(budget_bytes)

    def _descend(self, budget_bytes: int, until: float) -> None:
        """Descend with choices and recomputation together, from the given order and from the best plan in turn."""
        given = given_schedule(self.graph)
        base = price_of_overload(self.graph, given, budget_bytes, 1.0)
        effort = self._effort(max(until, FIRST_DESCENT))
        for number in range(DESCENTS):
            best = self.record.best(budget_bytes, self.kind)
            if number == 1:
                effort = self._effort(until)
            if effort.is_spent or self._is_closed() or (best is None and number >= len(FIRST_PRICES)):
                break
            start, price = given, FIRST_PRICES[number % len(FIRST_PRICES)] * base
            if best is not None and (number % 2 or until == 1.0):
                start, price = best.schedule, REHEAT * base * max(1e-3, best.overhead)
            found = descend_with_choices(
                self.graph, start, budget_bytes, effort, seed=number + DESCENTS * int(until), first_price=price
            )
            if found is not None:
                self._settled(self.kind, found, ())
            if number == 0 and self.iterations is None and found is not None:
                self.is_slow = self._elapsed > SLOW * self.time_limit
        best = self.record.best(budget_bytes, self.kind)
        if best is not None and until < 1.0 and not self.is_slow:
            self._plan(assignment_of(Bundles(self.graph, best.schedule)), EVALUATIONS)

    def _try_assignments(self, budget_bytes: int) -> None:
        rungs = ladder(self.graph, budget_bytes)
        count = math.prod(len(self.graph.operations[chooser].choices) for chooser in self.graph.choosers)
        if count <= MOST_ASSIGNMENTS:
            for assignment in dict.fromkeys([*_spread(rungs), *self._all()]):
                self._plan(assignment, count + 2)
                if self._is_spent():
                    return
        else:
            self._climb(rungs)
            self._neighbours()

    def _all(self) -> Iterator[Assignment]:
        choosers = self.graph.choosers
        for choices in product(*(range(len(self.graph.operations[chooser].choices)) for chooser in choosers)):
            yield tuple(zip(choosers, choices, strict=True))

    def _climb(self, rungs: list[Assignment]) -> None:
        """Some rungs of the ladder, then those between the best one and its neighbours, ever closer."""
        for assignment in _spread(rungs):
            self._plan(assignment, EVALUATIONS)
        step = max(1, len(rungs) // (RUNGS - 1))
        while step > 1 and not self._is_spent():
            step = (step + 1) // 2
            known = [assignment for assignment in rungs if assignment in self.score]
            middle = rungs.index(min(known, key=lambda assignment: self.score[assignment]))
            for place in (middle - step, middle + step):
                if 0 <= place < len(rungs):
                    self._plan(rungs[place], EVALUATIONS)

    def _neighbours(self) -> None:
        """One choice changed at a time, from the best assignment on, until none helps."""
        improved = True
        while improved and not self._is_spent():
            improved = False
            for chooser in self.graph.choosers:
                for change in (-1, 1):
                    improved = self._try_neighbour(chooser, change) or improved
                    if self._is_spent():
                        return

    def _try_neighbour(self, chooser: int, change: int) -> bool:
        best = self._best_assignment()
        choice = dict(best)[chooser] + change
        if not 0 <= choice < len(self.graph.operations[chooser].choices):
            return False
        neighbour = tuple((c, choice if c == chooser else k) for c, k in best)
        if neighbour in self.score:
            return False
        self._plan(neighbour, EVALUATIONS)
        return self._best_assignment() == neighbour

    def _best_assignment(self) -> Assignment:
        return min(self.score, key=lambda assignment: self.score[assignment])

    def _from_above(self, budget_bytes: int) -> None:
        """Plans of the best assignment for larger budgets, brought into this one by choices alone."""
        for factor in LOOSER:
            if self._is_spent() or not self.score:
                return
            best = self._best_assignment()
            self._plan_within(best, int(factor * budget_bytes), EVALUATIONS)

    # One assignment

    def _plan(self, assignment: Assignment, parts: int) -> None:
        """Plan an assignment, unless that was done, with one of so many parts of the effort."""
        if assignment in self.score or (self.record.smallest(self.kind) is not None and self._is_spent()):
            return
        self.score[assignment] = self._plan_within(assignment, self.budget_bytes, parts)
        self.planned += 1
        if self.progress is not None:
            best = self.record.best(self.budget_bytes, self.kind)
            known = (best.peak_bytes, best.cost) if best is not None else (None, None)
            self.progress(Progress("choices of regions", min(1.0, self.planned / parts), *known))

    def _plan_within(self, assignment: Assignment, budget_bytes: int | None, parts: int) -> Score:
        """Plan an assignment within a budget, and bring the plan into the one asked for by its choices."""
        settled = self.graph.with_choices(dict(assignment))
        try:
            found = self.solve(settled, budget_bytes, self._share(parts))
        except BudgetError as error:
            found = self.solve(settled, error.minimum_bytes, self._share(parts))
        schedule = with_assignment(self.graph, found.schedule, dict(assignment))
        plans = self._settled(found.strategy, schedule, found.statistics)
        fit = [plan.cost for plan in plans if self.budget_bytes is None or plan.peak_bytes <= self.budget_bytes]
        return (False, min(fit)) if fit else (True, min(plan.peak_bytes for plan in plans))

    def _settled(
        self, strategy: str, schedule: Schedule, statistics: Statistics, *, thorough: bool = False
    ) -> list[Plan]:
        """Certify a schedule, and the same with the best choices for its runs."""
        bundles = Bundles(self.graph, schedule)
        settling = Settling(bundles, self.budget_bytes)
        settling.settle(thorough=thorough)
        schedules = [schedule, *([bundles.with_choices(settling.choice)] if settling.choice != bundles.choice else [])]
        plans = [
            certify(self.graph, s.actions, s.segments, strategy=strategy, statistics=statistics) for s in schedules
        ]
        for plan in plans:
            self.record.add(self.kind, plan)
        return plans

    def _settle_best(self, budget_bytes: int) -> None:
        best = self.record.best(budget_bytes, self.kind)
        if best is not None and not self._is_closed():
            self._settled(best.strategy, best.schedule, best.statistics, thorough=True)

    # Effort

    def _effort(self, until: float) -> Effort:
        """What descents may take: the time until a part of the limit is over, or an eighth of the iterations."""
        if self.iterations is not None:
            return Effort(self.iterations // 8)
        return Effort(None, max(1e-3, until * self.time_limit - self._elapsed))

    def _share(self, parts: int) -> Share:
        iterations = None if self.iterations is None else self.iterations // (2 * parts)
        left = max(1e-3, self.time_limit - self._elapsed)
        return Share(left / max(1, parts - self.planned), iterations)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self.begun

    def _is_spent(self) -> bool:
        if self._is_closed():
            return True
        if self.iterations is None and self._elapsed >= self.time_limit:
            return True
        return self.planned >= EVALUATIONS + 2

    def _is_closed(self) -> bool:
        """Whether a plan in hand cannot be beaten: it costs what no schedule goes below."""
        best = self.record.best(self.budget_bytes, self.kind)
        return best is not None and best.cost <= self.graph.base_cost


def _spread(rungs: list[Assignment]) -> list[Assignment]:
    """Some rungs, evenly spread; the first and the last among them, which come first."""
    last = len(rungs) - 1
    places = dict.fromkeys([0, last, *(round(i * last / (RUNGS - 1)) for i in range(1, RUNGS - 1))])
    return [rungs[place] for place in places]
