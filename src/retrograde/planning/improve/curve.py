"""The trade-off curve in hand: of the plans found for a graph, those that no other beats in peak and cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from retrograde.planning.lowering import RunOrder


@dataclass(frozen=True)
class Found:
    """A sequence of operations with what the referee will see of it.

    Attributes:
        peak_bytes: its peak, in bytes.
        cost: its cost, in the graph's unit.
        sequence: for each segment the operations to run.
    """

    peak_bytes: int
    cost: float
    sequence: RunOrder


class Curve:
    """Plans in hand for one graph, the smaller the dearer.

    Example:
        >>> curve = Curve(lambda sequence: (len(sequence[0]), 10.0 - len(sequence[0])))
        >>> for sequence in ([[1, 2, 3]], [[1]], [[1, 2]]):
        ...     _ = curve.add(sequence)
        >>> curve.best(2).sequence, curve.smallest.peak_bytes, curve.best(0)
        ([[1, 2]], 1, None)
    """

    def __init__(self, measure: Callable[[RunOrder], tuple[int, float]]) -> None:
        self._measure = measure
        self._found: list[Found] = []

    def add(self, sequence: RunOrder) -> Found:
        """Measure a sequence, and keep it unless one in hand is at least as good."""
        peak_bytes, cost = self._measure(sequence)
        found = Found(peak_bytes, cost, sequence)
        if any(f.peak_bytes <= peak_bytes and f.cost <= cost for f in self._found):
            return found
        self._found = [*(f for f in self._found if f.peak_bytes < peak_bytes or f.cost < cost), found]
        return found

    def best(self, budget_bytes: int | None) -> Found | None:
        """The cheapest plan in hand within a budget; None if there is none."""
        fitting = [f for f in self._found if budget_bytes is None or f.peak_bytes <= budget_bytes]
        return min(fitting, key=lambda f: (f.cost, f.peak_bytes), default=None)

    @property
    def smallest(self) -> Found:
        """The plan in hand with the smallest peak."""
        return min(self._found, key=lambda f: f.peak_bytes)
