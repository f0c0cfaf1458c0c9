"""How long annealing goes on."""

from __future__ import annotations

from typing import Protocol

from retrograde.planning.improve import Curve, Effort
from retrograde.planning.searching.record import Record

MOST_DRY_ROUNDS = 8
"""Rounds of annealing that gain next to nothing, after which it ends, where the gap to the bound is a wide one.

Each round is longer than the one before. Where the gap is nearly closed, one such round is the end.
"""

PATIENT_SECONDS = 60.0
"""The time limit from which on it goes on for so many rounds; with a shorter one for proportionately fewer."""

WIDE_GAP = 0.2
"""A wide gap between overhead and bound, as a fraction of the overhead."""

DRY_GAIN = 0.003
"""What rounds have to gain together, as a fraction of the cost of all recomputation."""


class Searching(Protocol):
    """The search that anneals."""

    effort: Effort
    curve: Curve
    record: Record
    begun: float

    def is_done(self, budget_bytes: int) -> bool: ...
    def gap(self, budget_bytes: int) -> float: ...
    def tighten(self, budget_bytes: int) -> None: ...
    def tell(self, stage: str, budget_bytes: int | None, fraction: float | None) -> None: ...


class Patience(Effort):
    """The effort left for annealing, which looks at it between two rounds; it ends early when rounds gain nothing."""

    def __init__(self, search: Searching, budget_bytes: int) -> None:
        effort = search.effort
        super().__init__(None if effort.visits is None else max(0, effort.visits - effort.done))
        self.deadline = effort.deadline
        self.search = search
        self.budget_bytes = budget_bytes
        self.costs: list[float] = []

    @property
    def is_spent(self) -> bool:
        """Whether annealing has to end."""
        search = self.search
        best = search.curve.best(self.budget_bytes)
        assert best is not None
        if self.costs and best.cost < self.costs[-1]:
            search.tighten(self.budget_bytes)
        self.costs.append(best.cost)
        search.tell("annealing", self.budget_bytes, None)
        return super().is_spent or search.is_done(self.budget_bytes) or self._is_dry()

    def _is_dry(self) -> bool:
        patience = min(1.0, self.search.gap(self.budget_bytes) / WIDE_GAP)
        if self.deadline is not None:
            patience *= min(1.0, (self.deadline - self.search.begun) / PATIENT_SECONDS)
        rounds = 1 + round((MOST_DRY_ROUNDS - 1) * patience)
        if len(self.costs) <= rounds:
            return False
        extra = self.costs[-1] - self.search.record.graph.base_cost
        return self.costs[-1 - rounds] - self.costs[-1] < DRY_GAIN * extra
