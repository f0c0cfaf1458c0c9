"""How long annealing goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retrograde.planning.improve import Effort

if TYPE_CHECKING:
    from retrograde.planning.strategies.search import Search

DRY_ROUNDS = 2
"""Rounds of annealing that gain next to nothing, after which it ends."""

DRY_GAIN = 0.003
"""What a round has to gain, as a fraction of the cost of all recomputation."""

PATIENCE = 0.75
"""Of a time limit, how long annealing goes on even if it gains nothing, where the gap to the bound is a wide one."""

LEAST_PATIENCE = 0.1
"""The same where the gap is closed but for a little."""

WIDE_GAP = 0.2
"""A wide gap between overhead and bound, as a fraction of the overhead."""


class Patience(Effort):
    """The effort left for annealing, which looks at it between two rounds; it ends early when rounds gain nothing."""

    def __init__(self, search: Search, budget_bytes: int) -> None:
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
        self.costs.append(best.cost)
        search.tell("annealing", self.budget_bytes, None)
        return super().is_spent or search.is_done(self.budget_bytes) or self._is_dry()

    def _is_dry(self) -> bool:
        if len(self.costs) <= DRY_ROUNDS or not self._is_patient_enough():
            return False
        extra = self.costs[-1] - self.search.record.graph.base_cost
        return self.costs[-1 - DRY_ROUNDS] - self.costs[-1] < DRY_ROUNDS * DRY_GAIN * extra

    def _is_patient_enough(self) -> bool:
        if self.deadline is None:
            return False
        patience = max(LEAST_PATIENCE, PATIENCE * min(1.0, self.search.gap(self.budget_bytes) / WIDE_GAP))
        return time.monotonic() >= self.search.begun + patience * (self.deadline - self.search.begun)
