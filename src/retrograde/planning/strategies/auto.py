"""``auto``: the simple strategies as seeds, and a greedy improvement of them over the exact simulator."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from retrograde.disk_cache import DiskCache
from retrograde.errors import RetrogradeError, UsageError
from retrograde.graph import Graph
from retrograde.planning.actions import Compute
from retrograde.planning.improve import Curve, Descent, Effort, Found
from retrograde.planning.infeasible import budget_error
from retrograde.planning.lowering import Lowering, RunOrder
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.simulator import Problem, condense, sequence_of
from retrograde.planning.strategies.options import Options

_logger = logging.getLogger("retrograde")

MOST_GRAPHS = 8
"""Graphs whose plans are remembered within a process."""

ROUNDS = 8
"""Descents to one budget."""

VISITS = 120_000
"""Visits to slots after which no further descent begins, so that large graphs take seconds."""

LOWER_VISITS = 40_000
"""Visits to slots in the search for the smallest peak."""

LADDER_NODES = 600
"""The largest graph for which that search begins with a descent in small steps from the given order."""

REHEAT = 0.3
"""The price at which a plan is taken up again, over what it pays on average for the overload it avoids."""


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
        self.rungs: list[RunOrder] | None = None

    def search(self, budget_bytes: int | None, effort: Effort, seed: int, progress: ProgressCallback | None) -> Plan:
        finder = _Finder(self, effort, seed, progress)
        best = self.curve.best(budget_bytes)
        if budget_bytes is not None and (best is None or best.cost > self.graph.base_cost):
            if not effort.is_spent:
                effort.postpone(warm_up(progress))
            finder.improve(budget_bytes)
            if self.curve.best(budget_bytes) is None:
                finder.climb_down()
                self._recover()
            if self.curve.best(budget_bytes) is None:
                finder.lower()
                self._store()
            if self.curve.best(budget_bytes) is not None:
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

    def _store(self) -> None:
        """Keep the smallest plan on disk, so that another process can be asked for what a ``BudgetError`` names."""
        smallest = self.curve.smallest
        document = {"peak_bytes": smallest.peak_bytes, "sequence": [list(part) for part in smallest.sequence]}
        DiskCache("smallest-peak").put(self.graph.fingerprint, document)

    def _recover(self) -> None:
        document = DiskCache("smallest-peak").get(self.graph.fingerprint)
        if document is None:
            return
        try:
            sequence = [[int(operation) for operation in part] for part in document["sequence"]]
            schedule = self.lowering.lower(sequence)
            certify(self.graph, schedule.actions, schedule.segments, strategy="auto")
        except (LookupError, TypeError, ValueError, RetrogradeError) as error:
            _logger.warning("the smallest plan stored for graph %s is not usable: %s", self.graph.fingerprint, error)
        else:
            self.curve.add(sequence)


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
            if number > start and self.effort.done > VISITS:
                return
            self._round(number, budget_bytes, best)
            self._tell(budget_bytes, (number + 1) / ROUNDS)
            if self.curve.best(budget_bytes) is None:
                return
            self.record.tried[budget_bytes] = number + 1

    def _round(self, number: int, budget_bytes: int, best: Found | None) -> None:
        """Descend from the given order, or once more from the best plan in hand at a fraction of what it pays."""
        descent = self._descent(self.effort, self.seed * 1000 + number)
        if best is None or number % 2 == 0:
            fits = descent.fit(self._problem.sequence, budget_bytes, factor=self._factor)
        else:
            overload = descent.overload(self._problem.sequence, budget_bytes)
            price = REHEAT * (best.cost - self.record.graph.base_cost) / max(1, overload)
            fits = descent.fit(self._nodes_of(best), budget_bytes, price=price, factor=self._factor, always=True)
        if fits:
            self._add(descent.nodes_now())

    def lower(self) -> None:
        """Look for the smallest peak, once for each graph, in a way that does not depend on the budget."""
        if self.record.is_lowest:
            return
        self.stage = "smallest peak"
        effort = self.effort.part(LOWER_VISITS)
        floor = Curve(self.record.lowering.measure)
        most = 3 * len(self.record.graph.operations)
        for sequence in _seeds(self.record.graph):
            if sum(map(len, sequence)) <= most:
                floor.add(sequence)
        self.climb_down()
        if self.record.rungs is not None:
            floor.add(self.record.rungs[-1])
        step, number = 0.1, 0
        while step > 0.02 and not effort.is_spent:
            smallest = floor.smallest
            for kind in range(2):
                self._lower_once(floor, int(smallest.peak_bytes * (1 - step)), kind, number, effort)
                number += 1
                if floor.smallest.peak_bytes <= smallest.peak_bytes * (1 - step / 2):
                    break
            else:
                step /= 2
            self._tell(None, None)
        self.curve.add(floor.smallest.sequence)
        self.record.is_lowest = not self.effort.is_spent

    def climb_down(self) -> None:
        """Descend from the given order in small steps, each from the one before, until one fails; once a graph.

        The rungs are plans for budgets that a descent in one go does not reach, or reaches only at a high cost.
        """
        if self.record.rungs is not None or len(self._problem.operations) > LADDER_NODES:
            return
        self.stage = "descent in small steps"
        effort = self.effort.part(LOWER_VISITS)
        nodes = list(self._problem.sequence)
        rungs: list[RunOrder] = [sequence_of(self._problem, nodes)]
        fits, number = True, 1000
        while fits and not effort.is_spent:
            descent = Descent(self._problem, effort, number, lambda peak_bytes, nodes: None)
            descent.overload(nodes, 0)
            target = int(0.94 * descent.simulator.peak_bytes)
            price = self.record.graph.base_cost / max(1, descent.overload(nodes, target))
            fits = descent.fit(nodes, target, price=price, factor=2.0)
            if fits:
                nodes = descent.nodes_now()
                rungs.append(sequence_of(self._problem, nodes))
            number += 1
            self._tell(None, None)
        for rung in rungs:
            self.curve.add(rung)
        self.record.rungs = rungs

    def _lower_once(self, floor: Curve, target: int, kind: int, number: int, effort: Effort) -> None:
        """Descend to a target from the smallest plan, at a price at which bytes are all that counts, or afresh."""

        def see(peak_bytes: int, nodes: list[int]) -> None:
            if peak_bytes < floor.smallest.peak_bytes:
                floor.add(sequence_of(self._problem, nodes))

        descent = Descent(self._problem, effort, number, see)
        nodes, price = list(self._problem.sequence), None
        if kind == 0:
            nodes = self._nodes_of(floor.smallest)
            price = 10.0 * self.record.graph.base_cost / max(1, descent.overload(nodes, target))
        if descent.fit(nodes, target, price=price, factor=3.0 if kind == 0 else 2.0):
            floor.add(sequence_of(self._problem, descent.nodes_now()))

    # Parts

    @property
    def _problem(self) -> Problem:
        if self.record.problem is None:
            self.record.problem = condense(self.record.graph)
        return self.record.problem

    @property
    def _factor(self) -> float:
        """By how much the price rises after each sweep: faster in large graphs, where a sweep takes long."""
        size = len(self._problem.operations)
        return 1.5 if size <= 2000 else (2.5 if size <= 6000 else 4.0)

    def _nodes_of(self, found: Found) -> list[int]:
        """A plan as nodes, with the views in it that do not dissolve: the lowering may have put them there."""
        schedule = self.record.lowering.lower(found.sequence)
        ends = (*schedule.segments[1:], len(schedule.actions))
        runs = [
            [action.operation for action in schedule.actions[start:end] if isinstance(action, Compute)]
            for start, end in zip(schedule.segments, ends, strict=True)
        ]
        return self._problem.nodes_of(runs)

    def _descent(self, effort: Effort, seed: int) -> Descent:
        return Descent(self._problem, effort, seed, self._see)

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


def warm_up(progress: ProgressCallback | None = None) -> float:
    """Load the compiled kernels, or compile them where no cache holds them (some half a minute, once a machine).

    A search does this by itself, and its time limit begins afterwards; call it early to be rid of the wait.

    Returns:
        The seconds that it took; 0 when it was done before.
    """
    if _is_warm:
        return 0.0
    begun = time.monotonic()
    if progress is not None:
        progress(Progress("loading compiled kernels"))
    graph = Graph.from_arrays(cost=[1, 1, 1, 1], bytes=[8, 8, 8, 8], edges=[(0, 1), (1, 2), (0, 3), (2, 3)])
    problem = condense(graph)
    descent = Descent(problem, Effort(), 0, lambda peak_bytes, nodes: None)
    descent.fit(problem.sequence, 16, always=True)
    descent.polish(1 << 40)
    _is_warm.append(True)
    return time.monotonic() - begun


_is_warm: list[bool] = []
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
