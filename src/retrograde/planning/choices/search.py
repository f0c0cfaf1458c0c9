"""Planning a graph with choices: any strategy where they are settled, and a search over how they are settled."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Protocol

from retrograde.disk_cache import DiskCache
from retrograde.errors import BudgetError, PlanError
from retrograde.graph import Graph
from retrograde.planning.actions import Compute
from retrograde.planning.choices.bundles import Bundles, with_assignment
from retrograde.planning.choices.ladder import Assignment, cheapest, ladder
from retrograde.planning.choices.settling import Settling
from retrograde.planning.infeasible import budget_error
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback

_logger = logging.getLogger("retrograde")

MOST_GRAPHS = 8
"""Graphs with choices whose plans are remembered within a process."""

MOST_ASSIGNMENTS = 64
"""Assignments up to which all are planned."""

RUNGS = 9
"""Rungs of the ladder that are planned to begin with."""

EVALUATIONS = 40
"""Assignments that are planned at the most when there are too many to plan all."""

LOOSER = (1.1, 1.25, 1.5)
"""Budgets, as multiples of the one asked for, of plans that are then brought into the budget by their choices."""


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
    neighbours of the best. Every schedule found then gets the best choices for its own runs: an operation that is
    computed again may run by another choice the second time. Plans found are remembered within the process, so that
    a larger budget never gets a dearer plan than a smaller one.

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
    with _lock:
        record = _recall(graph)
        finder = _Finder(record, budget_bytes, solve, f"{strategy}{options}", time_limit, iterations, progress)
        return replace(finder.search(strategy), strategy=strategy)


@dataclass
class _Record:
    """The plans in hand of one graph: of each kind of search those that no other beats in peak and cost."""

    graph: Graph
    hand: list[tuple[str, Plan]] = field(default_factory=list[tuple[str, Plan]])

    def add(self, kind: str, plan: Plan) -> None:
        if any(k == kind and _beats(other, plan) for k, other in self.hand):
            return
        self.hand = [(k, other) for k, other in self.hand if k != kind or not _beats(plan, other)]
        self.hand.append((kind, plan))

    def best(self, budget_bytes: int | None, kind: str) -> Plan | None:
        fit = [plan for plan in self._of(kind) if budget_bytes is None or plan.peak_bytes <= budget_bytes]
        return min(fit, key=lambda plan: (plan.cost, plan.peak_bytes), default=None)

    def smallest(self, kind: str) -> Plan | None:
        return min(self._of(kind), key=lambda plan: (plan.peak_bytes, plan.cost), default=None)

    def _of(self, kind: str) -> list[Plan]:
        """The plans that a kind of search may give as its own: ``auto`` any that does not spill."""
        return [plan for k, plan in self.hand if k == kind or (kind == "auto" and plan.strategy != "spill")]


def _beats(one: Plan, other: Plan) -> bool:
    return one.peak_bytes <= other.peak_bytes and one.cost <= other.cost


class _Finder:
    """One search: fills the hand of a record."""

    def __init__(
        self,
        record: _Record,
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

    def search(self, strategy: str) -> Plan:
        if self.budget_bytes is None:
            self._plan(cheapest(self.graph), 1)
        elif not self._is_closed():
            self._recover()
            self._look_around(self.budget_bytes)
        best = self.record.best(self.budget_bytes, self.kind)
        if best is None:
            assert self.budget_bytes is not None
            smallest = self.record.smallest(self.kind)
            assert smallest is not None
            self._store(smallest)
            raise budget_error(self.graph, self.budget_bytes, smallest.peak_bytes, strategy)
        statistics = (*best.statistics, ("assignments", float(self.planned)))
        return replace(best, budget_bytes=self.budget_bytes, statistics=statistics)

    # Which assignments

    def _look_around(self, budget_bytes: int) -> None:
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
        self._from_above(budget_bytes)

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
            best = self._best_assignment()
            if best not in rungs:
                return
            middle = rungs.index(best)
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
        best = self._best_assignment()
        for factor in LOOSER:
            if self._is_spent():
                return
            self._plan_within(best, int(factor * budget_bytes), EVALUATIONS)

    # One assignment

    def _plan(self, assignment: Assignment, parts: int) -> None:
        """Plan an assignment, unless that was done, with one of so many parts of the effort."""
        if assignment in self.score or (self.planned and self._is_spent()):
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
        bundles = Bundles(self.graph, with_assignment(self.graph, found.schedule, dict(assignment)))
        plans = [self._certified(found, bundles, bundles.choice)]
        settling = Settling(bundles, self.budget_bytes)
        settling.settle()
        if settling.choice != bundles.choice:
            plans.append(self._certified(found, bundles, settling.choice))
        fit = [plan.cost for plan in plans if self.budget_bytes is None or plan.peak_bytes <= self.budget_bytes]
        return (False, min(fit)) if fit else (True, min(plan.peak_bytes for plan in plans))

    def _certified(self, found: Plan, bundles: Bundles, choices: list[int]) -> Plan:
        schedule = bundles.with_choices(choices)
        plan = certify(
            self.graph, schedule.actions, schedule.segments, strategy=found.strategy, statistics=found.statistics
        )
        self.record.add(self.kind, plan)
        return plan

    # Effort

    def _share(self, parts: int) -> Share:
        iterations = None if self.iterations is None else self.iterations // parts
        left = max(1e-3, self.time_limit - (time.monotonic() - self.begun))
        return Share(left / max(1, parts - self.planned), iterations)

    def _is_spent(self) -> bool:
        if self._is_closed():
            return True
        if self.iterations is None and time.monotonic() - self.begun >= self.time_limit:
            return True
        return self.planned >= max(EVALUATIONS, MOST_ASSIGNMENTS)

    def _is_closed(self) -> bool:
        """Whether a plan in hand cannot be beaten: it costs what no schedule goes below."""
        best = self.record.best(self.budget_bytes, self.kind)
        return best is not None and best.cost <= self.graph.base_cost

    # The smallest plan on disk, so that another process can be asked for what a BudgetError names.

    def _store(self, smallest: Plan) -> None:
        DiskCache("smallest-choices").put(self._key, {"plan": smallest.to_json()})

    def _recover(self) -> None:
        document = DiskCache("smallest-choices").get(self._key)
        if document is None:
            return
        try:
            plan = Plan.from_json(document["plan"])
            plan.verify(self.graph)
        except (LookupError, TypeError, PlanError) as error:
            _logger.warning("the smallest plan stored for graph %s is not usable: %s", self.graph.fingerprint, error)
        else:
            self.record.add(self.kind, plan)

    @property
    def _key(self) -> str:
        return f"{self.graph.fingerprint}-{hashlib.sha256(self.kind.encode()).hexdigest()[:8]}"


def _spread(rungs: list[Assignment]) -> list[Assignment]:
    """Some rungs, evenly spread; the first and the last among them, which come first."""
    last = len(rungs) - 1
    places = dict.fromkeys([0, last, *(round(i * last / (RUNGS - 1)) for i in range(1, RUNGS - 1))])
    return [rungs[place] for place in places]


_lock = threading.RLock()
_records: OrderedDict[str, _Record] = OrderedDict()


def _recall(graph: Graph) -> _Record:
    record = _records.get(graph.fingerprint)
    if record is None:
        record = _records[graph.fingerprint] = _Record(graph)
        while len(_records) > MOST_GRAPHS:
            _records.popitem(last=False)
    _records.move_to_end(graph.fingerprint)
    return record


def forget() -> None:
    """Forget every plan of a graph with choices that was found in this process."""
    with _lock:
        _records.clear()


def choices_used(plan: Plan) -> dict[int, tuple[int, ...]]:
    """For each operation the choices that a plan runs it by, in order of use; only those that leave choice 0.

    Example:
        >>> from retrograde.graph import Choice, Graph, Operation, Storage, Value
        >>> from retrograde.planning import plan
        >>> choices = (Choice(1.0), Choice(3.0, storage_bytes=((0, 2),)))
        >>> graph = Graph((Operation("loop", 1.0, (), (0,), choices=choices),), (Value(0),), (Storage(8),), order=(0,))
        >>> choices_used(plan(graph, 7))
        {0: (1,)}
    """
    used: dict[int, dict[int, None]] = {}
    for action in plan.actions:
        if isinstance(action, Compute):
            used.setdefault(action.operation, {})[action.choice] = None
    return {operation: tuple(found) for operation, found in used.items() if set(found) != {0}}
