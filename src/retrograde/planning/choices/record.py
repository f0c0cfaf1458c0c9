"""Plans in hand of graphs with choices, remembered within the process; the smallest also on disk."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field

from retrograde.disk_cache import DiskCache
from retrograde.errors import PlanError
from retrograde.graph import Graph
from retrograde.planning.plan import Plan
from retrograde.planning.remembered import Remembered

_logger = logging.getLogger("retrograde")


@dataclass
class Record:
    """The plans in hand of one graph: of each kind of search those that no other beats in peak and cost."""

    graph: Graph
    hand: list[tuple[str, Plan]] = field(default_factory=list[tuple[str, Plan]])

    def add(self, kind: str, plan: Plan) -> None:
        """Take a plan in hand, unless another of its kind beats it."""
        if any(k == kind and _beats(other, plan) for k, other in self.hand):
            return
        self.hand = [(k, other) for k, other in self.hand if k != kind or not _beats(plan, other)]
        self.hand.append((kind, plan))

    def best(self, budget_bytes: int | None, kind: str) -> Plan | None:
        """The cheapest plan within a budget."""
        fit = [plan for plan in self._of(kind) if budget_bytes is None or plan.peak_bytes <= budget_bytes]
        return min(fit, key=lambda plan: (plan.cost, plan.peak_bytes), default=None)

    def smallest(self, kind: str) -> Plan | None:
        """The plan with the smallest peak."""
        return min(self._of(kind), key=lambda plan: (plan.peak_bytes, plan.cost), default=None)

    def store(self, kind: str) -> None:
        """Keep the smallest plan on disk, so that another process can be asked for what a ``BudgetError`` names."""
        smallest = self.smallest(kind)
        if smallest is not None:
            DiskCache("smallest-choices").put(_key(self.graph, kind), {"plan": smallest.to_json()})

    def recover(self, kind: str) -> None:
        """Take in hand what another process stored."""
        document = DiskCache("smallest-choices").get(_key(self.graph, kind))
        if document is None:
            return
        try:
            plan = Plan.from_json(document["plan"])
            plan.verify(self.graph)
        except (LookupError, TypeError, PlanError) as error:
            _logger.warning("the smallest plan stored for graph %s is not usable: %s", self.graph.fingerprint, error)
        else:
            self.add(kind, plan)

    def _of(self, kind: str) -> list[Plan]:
        """The plans that a kind of search may give as its own: ``auto`` any that does not spill."""
        return [plan for k, plan in self.hand if k == kind or (kind == "auto" and plan.strategy != "spill")]


def _beats(one: Plan, other: Plan) -> bool:
    return one.peak_bytes <= other.peak_bytes and one.cost <= other.cost


def _key(graph: Graph, kind: str) -> str:
    return f"{graph.fingerprint}-{hashlib.sha256(kind.encode()).hexdigest()[:8]}"


_records = Remembered[Record]()
lock = _records.lock


def recall(graph: Graph) -> Record:
    """The plans in hand of a graph. Hold ``lock`` while they are used."""
    return _records.recall(graph.fingerprint, lambda: Record(graph))


def best_found(graph: Graph, budget_bytes: int | None, strategy: str) -> Plan | None:
    """The cheapest plan that searches of this process have found for a budget, also those that were interrupted.

    Args:
        graph: a graph with choices.
        budget_bytes: the budget; None for no limit.
        strategy: the strategy that looked.
    """
    with lock:
        record = _records.known(graph.fingerprint)
        return None if record is None else record.best(budget_bytes, strategy)
