"""Schedules whose states go to disk: between two chunks of rows, slots are written to files and read back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from retrograde.planning.loops import Disk, Loop, LoopPlan, plan_of
from retrograde.program.schedules import Rows
from retrograde.python.budget.rows import OFF_DISK, TO_DISK, Row, Slots, in_chunks, ranged_rows, swept
from retrograde.runtime.disk import DiskTier


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Room for states on disk.

    Attributes:
        capacity_bytes: the most bytes there; None for what the disk has.
        folder: where; the system's folder for temporary files if left out.
        seconds_per_byte: of writing and of reading.
    """

    capacity_bytes: int | None = None
    folder: str | None = None
    seconds_per_byte: float = 1e-9

    def beside(self, loop: Loop) -> Loop:
        """A loop that may store states here."""
        seconds = self.seconds_per_byte * loop.state(0)
        return replace(loop, disk=Disk(self.capacity_bytes, seconds, seconds))

    def tier(self) -> DiskTier:
        """A place for the states of one run."""
        return DiskTier(self.capacity_bytes, self.folder)


def disk_plan(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    """The best plan in two tiers."""
    return plan_of(loop, budget_bytes)


class SpillingSchedule:
    """Follows a plan with two tiers.

    Args:
        plan: of a loop whose length is known.
        make_tier: makes the place for states on disk, for each run of the loop.
    """

    def __init__(self, plan: LoopPlan, make_tier: Callable[[], DiskTier]) -> None:
        self._plan = plan
        self._make_tier = make_tier
        self._running = threading.local()
        slots = Slots()
        for _ in ranged_rows(plan, slots):
            pass
        self._slots = slots.most_states, slots.most_residuals

    def plan(self, count: int) -> LoopPlan:
        """The plan."""
        return self._plan

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals the loop takes in memory."""
        return self._slots

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep."""
        self._close()
        self._running.tier = tier = self._make_tier()
        self._running.rows = rows = ranged_rows(self._plan, Slots())
        return _moving(swept(rows, self._plan.loop.steps), snapshots, tier)

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal."""
        yield from _moving(self._running.rows, snapshots, self._running.tier)
        self._close()

    def _close(self) -> None:
        """Remove what an earlier run has left, one that failed included."""
        tier: DiskTier | None = getattr(self._running, "tier", None)
        if tier is not None:
            tier.close()


def _moving(rows: Iterator[Row], snapshots: Sequence[Any], tier: DiskTier) -> Iterator[Rows]:
    """Chunks of rows, with slots moved in between."""
    waiting: list[Row] = []
    for row in rows:
        if row[0] < TO_DISK:
            waiting.append(row)
            continue
        yield from in_chunks(waiting)
        waiting.clear()
        _move(row, snapshots, tier)
    yield from in_chunks(waiting)


def _move(row: Row, snapshots: Sequence[Any], tier: DiskTier) -> None:
    kind, step, _, slot = row
    for at, stack in enumerate(snapshots):
        if kind == TO_DISK:
            tier.put((step, at), stack[slot])
            if isinstance(stack, list):
                stack[slot] = None
            continue
        stack[slot] = tier.get((step, at))[()]
        if kind == OFF_DISK:
            tier.drop((step, at))
