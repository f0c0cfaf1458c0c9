"""``auto``: the simple strategies as seeds, and a greedy improvement of them over the exact simulator."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning.improve import Curve, Descent, Effort, Found
from retrograde.planning.lowering import Lowering, RunOrder
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.simulator import Problem, condense, sequence_of
from retrograde.planning.strategies.options import Options

MOST_GRAPHS = 8
"""Graphs whose plans are remembered within a process."""

ROUNDS = 8
"""Descents to one budget."""

VISITS = 60_000
"""Visits to slots after which no further descent begins, so that large graphs take seconds."""


def search(
    graph: Graph,
    budget_bytes: int | None,
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Plan:
    """The cheapest plan within a budget that seeds and greedy improvement find.

    Plans found are remembered for each graph while the process runs: a larger budget never gets a dearer plan than
    a smaller one that was asked for before, and the minimum named by a ``BudgetError`` can be asked for.

    Args:
        graph: the computation.
        budget_bytes: the budget; None for no limit.
        time_limit: seconds; unused if ``iterations`` is given. A search that ends before it is deterministic.
        iterations: visits to slots that the search may make.
        seed: of the order in which slots are visited.
        progress: called with a ``Progress`` now and then.

    Returns:
        A plan that the referee certified.

    Raises:
        BudgetError: no plan in hand fits; it names the smallest budget that one does.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> search(graph, 16).cost
        3.0
    """
    effort = Effort(iterations, None if iterations is not None else time_limit)
    with _lock:
        return _recall(graph).search(budget_bytes, effort, seed, progress)


class _Record:
    """What is known of one graph: the plans in hand, and what was tried already."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lowering = Lowering(graph)
        self.curve = Curve(self.lowering.measure)
        self.curve.add(next(_seeds(graph)))
        self.tried: dict[int, int] = {}
        self.is_seeded = False
        self.is_lowest = False
        self.problem: Problem | None = None

    def search(self, budget_bytes: int | None, effort: Effort, seed: int, progress: ProgressCallback | None) -> Plan:
        from retrograde.planning.planner import budget_error

        finder = _Finder(self, effort, seed, progress)
        best = self.curve.best(budget_bytes)
        if budget_bytes is not None and (best is None or best.cost > self.graph.base_cost):
            finder.improve(budget_bytes)
            if self.curve.best(budget_bytes) is None:
                finder.lower()
                finder.improve(budget_bytes)
            best = self.curve.best(budget_bytes)
        if best is None:
            assert budget_bytes is not None
            raise budget_error(self.graph, budget_bytes, self.curve.smallest.peak_bytes, "auto")
        schedule = self.lowering.lower(best.sequence)
        return certify(
            self.graph,
            schedule.actions,
            schedule.segments,
            strategy="auto",
            budget_bytes=budget_bytes,
            statistics=(("visits", float(effort.done)),),
        )


class _Finder:
    """One search: fills the curve of a record."""

    def __init__(self, record: _Record, effort: Effort, seed: int, progress: ProgressCallback | None) -> None:
        self.record = record
        self.curve = record.curve
        self.effort = effort
        self.seed = seed
        self.progress = progress
        self.stage = ""

    def improve(self, budget_bytes: int) -> None:
        """Descend to a budget from several sequences; the best are in the curve afterwards."""
        self.stage = "greedy descent"
        self._plant()
        start = self.record.tried.get(budget_bytes, 0)
        for number in range(start, ROUNDS):
            best = self.curve.best(budget_bytes)
            if self.effort.is_spent or (best is not None and best.cost <= self.record.graph.base_cost):
                return
            if number - start > 1 and self.effort.done > VISITS:
                return
            self._round(number, budget_bytes, best)
            self.record.tried[budget_bytes] = number + 1
            self._tell(budget_bytes, (number + 1) / ROUNDS)

    def _round(self, number: int, budget_bytes: int, best: Found | None) -> None:
        descent = self._descent(number)
        if best is None or number % 2 == 0:
            if descent.fit(self._given, budget_bytes):
                self._add(descent.nodes_now())
        else:
            problem = self._problem
            nodes = problem.nodes_of(best.sequence)
            price = self._reheat_price(best, budget_bytes)
            if descent.fit_again(nodes, budget_bytes, price):
                self._add(descent.nodes_now())

    def _reheat_price(self, best: Found, budget_bytes: int) -> float:
        extra = best.cost - self.record.graph.base_cost
        return 0.05 * extra / max(1, budget_bytes)

    def lower(self) -> None:
        """Look for the smallest peak, once for each graph, whatever budget was asked for."""
        if self.record.is_lowest:
            return
        self.stage = "smallest peak"
        step, number = 0.06, 1000
        while step > 0.004 and not self.effort.is_spent:
            smallest = self.curve.smallest
            target = int(smallest.peak_bytes * (1 - step))
            descent = self._descent(number)
            number += 1
            if descent.fit(self._problem.nodes_of(smallest.sequence), target, factor=2.0):
                self._add(descent.nodes_now())
            if self.curve.smallest.peak_bytes > smallest.peak_bytes * (1 - step / 2):
                step /= 2
            self._tell(None, None)
        self.record.is_lowest = not self.effort.is_spent

    # Parts

    @property
    def _problem(self) -> Problem:
        if self.record.problem is None:
            self.record.problem = condense(self.record.graph)
        return self.record.problem

    @property
    def _given(self) -> list[int]:
        return list(self._problem.sequence)

    def _descent(self, number: int) -> Descent:
        return Descent(self._problem, self.effort, 1000 * self.seed + number, self._see)

    def _see(self, peak_bytes: int, nodes: list[int]) -> None:
        if peak_bytes < self.curve.smallest.peak_bytes:
            self._add(nodes)

    def _add(self, nodes: list[int]) -> None:
        self.curve.add(sequence_of(self._problem, nodes))

    def _plant(self) -> None:
        if not self.record.is_seeded:
            for sequence in _seeds(self.record.graph):
                self.curve.add(sequence)
            self.record.is_seeded = True

    def _tell(self, budget_bytes: int | None, fraction: float | None) -> None:
        if self.progress is not None:
            best = self.curve.best(budget_bytes) if budget_bytes is not None else self.curve.smallest
            known = (best.peak_bytes, best.cost) if best is not None else (None, None)
            self.progress(Progress(self.stage, fraction, *known))


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
    """Forget every plan found in this process."""
    with _lock:
        _records.clear()


def _seeds(graph: Graph) -> Iterator[RunOrder]:
    """The candidates of every simple strategy that takes the graph."""
    from retrograde.planning.strategies import STRATEGIES

    for candidates in STRATEGIES.values():
        try:
            yield from candidates(graph, Options())
        except UsageError:
            continue
