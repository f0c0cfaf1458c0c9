"""The account of a tape with a budget: bytes that are held, and what was done to hold no more."""

from __future__ import annotations

from dataclasses import dataclass

from retrograde.errors import BudgetError
from retrograde.graph.units import format_bytes
from retrograde.runtime import EventLog

RESERVE_BYTES = 192 * 1024
"""Of a budget of 3 MiB and more, this is set aside: for buffers through which NumPy casts, and for frames of Python."""


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """What a tape with a budget did so far.

    Attributes:
        budget_bytes: what it may hold; None where only the strategy drops.
        peak_bytes: the most that it held, while an operation ran, its results included; without what is set aside.
        operations: how often operations ran, views not counted: to record, in the backward pass, and again.
        recomputations: how many of these ran again.
        drops: how often an array was dropped that could be needed again.
    """

    budget_bytes: int | None
    peak_bytes: int
    operations: int
    recomputations: int
    drops: int


class Account:
    """Counts bytes and operations, and says when there is no more room."""

    def __init__(self, budget_bytes: int | None, events: EventLog | None) -> None:
        self.budget_bytes = budget_bytes
        self.limit = 1 << 62 if budget_bytes is None else budget_bytes - min(RESERVE_BYTES, budget_bytes // 16)
        self.events = events
        self.held_bytes = 0
        self.peak_bytes = 0
        self.operations = 0
        self.recomputations = 0
        self.drops = 0
        self.segment = 0

    def report(self) -> MemoryReport:
        """The figures so far."""
        return MemoryReport(self.budget_bytes, self.peak_bytes, self.operations, self.recomputations, self.drops)

    def hold(self, count: int) -> None:
        """Bytes that are held from now on."""
        self.held_bytes += count
        if self.held_bytes > self.peak_bytes:
            self.peak_bytes = self.held_bytes

    def computed(self, name: str, index: int, begin: float, *, again: bool) -> None:
        """An operation ran."""
        self.operations += 1
        self.recomputations += again
        self._record("compute", name, index, begin)

    def dropped(self, index: int) -> None:
        """An array was dropped."""
        self.drops += 1
        self._record("free", "", index, self.now())

    def now(self) -> float:
        """The time by the event log, if there is one."""
        return self.events.now() if self.events is not None else 0.0

    def _record(self, action: str, operation: str, target: int, begin: float) -> None:
        if self.events is not None:
            self.events.record(
                index=len(self.events),
                begin=begin,
                action=action,
                target=target,
                operation=operation,
                segment=self.segment,
                live_bytes=self.held_bytes,
            )

    def no_room(self, name: str, operand_bytes: int, result_bytes: int) -> BudgetError:
        """The error for an operation for which everything was dropped that could be, and there is still no room."""
        held = self.held_bytes + result_bytes
        needed = held + min(RESERVE_BYTES, held // 15 + 1)
        budget_bytes = self.budget_bytes or self.limit
        return BudgetError(
            f"a tape with a budget of {format_bytes(budget_bytes)} came to the operation {name}, whose results take "
            f"{format_bytes(result_bytes)}, and of the {format_bytes(self.held_bytes)} that it holds nothing can be "
            f"dropped; for this operation {format_bytes(needed)} ({needed} bytes) are enough. Raise the budget, or "
            "work on smaller arrays",
            budget_bytes=budget_bytes,
            minimum_bytes=needed,
            bound_bytes=operand_bytes + result_bytes,
        )
