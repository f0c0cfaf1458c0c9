"""What is known of a graph: the plans in hand, which every search of it begins with and adds to."""

from __future__ import annotations

import logging
import time
from functools import cached_property

from retrograde.disk_cache import DiskCache
from retrograde.errors import RetrogradeError
from retrograde.graph import Graph
from retrograde.planning.actions import Compute
from retrograde.planning.improve import Curve, Found
from retrograde.planning.lowering import Lowering, RunOrder
from retrograde.planning.plan import Plan, certify
from retrograde.planning.remembered import Remembered
from retrograde.planning.searching.seeds import Seeds
from retrograde.planning.simulator import Problem, condense
from retrograde.planning.strategies import Options, store_all

_logger = logging.getLogger("retrograde")


class Record:
    """The plans in hand for one graph, and what was tried already.

    Every plan found serves all budgets that it fits, in whatever order they are asked for: a larger budget never gets
    a dearer plan than a smaller one, and gets a cheaper one as soon as a smaller budget finds it.

    Args:
        graph: the computation.

    Attributes:
        given_order: the graph's order as a sequence.
        curve: the plans in hand; from the start, that of the given order.
        tried: for each budget the descents that were made.
        annealed: for each budget how often it was annealed.
        bounds: for each budget a proved bound on the overhead, where one was asked for.
        rungs: sequences of a descent in small steps from the given order, once it was made.
        is_lowest: whether the smallest peak was looked for to the end.
        lowering_seconds: what measuring the given order took.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lowering = Lowering(graph)
        self.curve = Curve(self.lowering.measure)
        self.seeds = Seeds(graph, self.curve)
        begun = time.monotonic()
        (self.given_order,) = store_all.candidates(graph, Options())
        self.curve.add(self.given_order)
        self.lowering_seconds = time.monotonic() - begun
        self.tried: dict[int, int] = {}
        self.annealed: dict[int, int] = {}
        self.bounds: dict[int, float] = {}
        self.rungs: list[RunOrder] | None = None
        self.is_lowest = False

    @cached_property
    def problem(self) -> Problem:
        """The graph condensed for the simulator."""
        return condense(self.graph)

    def nodes_of(self, found: Found) -> list[int]:
        """A plan as nodes, with the views in it that do not dissolve: the lowering may have put them there."""
        return self.problem.nodes_of(self.lowering.with_views(found.sequence))

    def certified(self, found: Found, budget_bytes: int | None, strategy: str, statistics: dict[str, float]) -> Plan:
        """A plan in hand with its certificate."""
        schedule = self.lowering.lower(found.sequence)
        overhead = max(0.0, found.cost / self.graph.base_cost - 1) if self.graph.base_cost else 0.0
        return certify(
            self.graph,
            schedule.actions,
            schedule.segments,
            strategy=strategy,
            budget_bytes=budget_bytes,
            bound=0.0 if budget_bytes is None else min(self.bounds.get(budget_bytes, 0.0), overhead),
            statistics=tuple(statistics.items()),
        )

    # The smallest plan, on disk

    def store(self) -> None:
        """Keep the smallest plan on disk, so that another process can be asked for what a ``BudgetError`` names."""
        smallest = self.curve.smallest
        document = {"peak_bytes": smallest.peak_bytes, "sequence": [list(part) for part in smallest.sequence]}
        DiskCache("smallest-peak").put(self.graph.fingerprint, document)

    def recover(self) -> None:
        """Take up the smallest plan that is on disk; one that is not usable is reported in the log."""
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


def runs_of(plan: Plan) -> RunOrder:
    """The operations that a plan runs in each segment, in order."""
    return [
        [action.operation for action in plan.segment_actions(segment) if isinstance(action, Compute)]
        for segment in range(len(plan.segments))
    ]


_records = Remembered[Record]()
lock = _records.lock


def recall(graph: Graph) -> Record:
    """The record of a graph. Hold ``lock`` while it is used."""
    return _records.recall(graph.fingerprint, lambda: Record(graph))


def best_in_hand(graph: Graph, budget_bytes: int | None, strategy: str = "auto") -> Plan | None:
    """The cheapest plan that searches of this process have found for a budget, also those that were interrupted.

    Args:
        graph: the computation.
        budget_bytes: the budget; None for no limit.
        strategy: the name that the plan bears.

    Returns:
        A plan that the referee certified; None if nothing in hand fits.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> best_in_hand(graph, 16).cost, best_in_hand(graph, 8)
        (3.0, None)
    """
    with lock:
        record = recall(graph)
        found = record.curve.best(budget_bytes)
        return None if found is None else record.certified(found, budget_bytes, strategy, {})
