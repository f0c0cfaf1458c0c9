"""Schedules whose states go to disk: between two chunks of rows, slots are written to files and read back."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from retrograde.errors import UsageError
from retrograde.graph.units import parse_bytes
from retrograde.planning.loops import Disk, Loop, LoopPlan, plan_of
from retrograde.program.schedules import Rows
from retrograde.python.budget.rows import OFF_DISK, TO_DISK, Row, Slots, counted_slots, in_chunks, ranged_rows, swept
from retrograde.runtime.disk import DiskTier


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Room on disk for the states of loops that memory has none for; they are gone when the derivative is there.

    Args:
        capacity_bytes: the most bytes there: an int, `"80 GiB"`, or None for what the disk has.
        folder: where; the system's folder for temporary files if left out.
        seconds_per_byte: of writing and of reading: beside the time of computing a state again it decides which states
            go there.

    Raises:
        UsageError: an amount means nothing.

    Example:
        >>> DiskRoom("80 GiB", folder="/scratch").capacity_bytes
        85899345920
    """

    capacity_bytes: int | str | None = None
    folder: str | os.PathLike[str] | None = None
    seconds_per_byte: float = 1e-9

    def __post_init__(self) -> None:
        if self.capacity_bytes is not None:
            object.__setattr__(self, "capacity_bytes", parse_bytes(self.capacity_bytes))
        if not self.seconds_per_byte >= 0:
            raise UsageError(f"seconds_per_byte={self.seconds_per_byte!r} is no time; give a number, 0 or more")

    @staticmethod
    def of(given: DiskLike) -> DiskRoom | None:
        """The room that `disk=` asks for: a room, the most bytes, a folder as a path, or none.

        Raises:
            UsageError: it is something else.
        """
        if given is None or isinstance(given, DiskRoom):
            return given
        if isinstance(given, os.PathLike):
            return DiskRoom(folder=given)
        try:
            return DiskRoom(given)
        except UsageError:
            raise UsageError(
                f'disk={given!r} is no room on disk; give the most bytes ("80 GiB"), a folder '
                '(pathlib.Path("/scratch")), or both: DiskRoom("80 GiB", folder="/scratch")'
            ) from None

    def beside(self, loop: Loop) -> Loop:
        """A loop that may store states here."""
        seconds = self.seconds_per_byte * loop.state(0)
        assert not isinstance(self.capacity_bytes, str)
        return replace(loop, disk=Disk(self.capacity_bytes, seconds, seconds))

    def tier(self) -> DiskTier:
        """A place for the states of one run."""
        return DiskTier(self.capacity_bytes, self.folder)


DiskLike: TypeAlias = "DiskRoom | int | str | os.PathLike[str] | None"
"""Room on disk, as people ask for it."""


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
        self._slots = counted_slots(plan)

    def plan(self, count: int) -> LoopPlan:
        """The plan."""
        return self._plan

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals the loop takes in memory."""
        return self._slots[:2]

    def room(self, count: int | None) -> int:
        """How many slots one array needs whose first are for snapshots, and whose last are for residuals."""
        return self._slots[2]

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep."""
        self.close()
        self._running.tier = tier = self._make_tier()
        self._running.rows = rows = ranged_rows(self._plan, Slots())
        return _moving(swept(rows, self._plan.loop.steps), snapshots, tier)

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal."""
        yield from _moving(self._running.rows, snapshots, self._running.tier)
        self.close()

    def close(self) -> None:
        """Remove what a run has left that failed."""
        tier: DiskTier | None = getattr(self._running, "tier", None)
        if tier is not None:
            tier.close()


def _moving(rows: Iterator[Row], snapshots: Sequence[Any], tier: DiskTier) -> Iterator[Rows]:
    """Chunks of rows, with slots moved in between."""
    waiting: list[Row] = []
    try:
        for row in rows:
            if row[0] < TO_DISK:
                waiting.append(row)
                continue
            yield from in_chunks(waiting)
            waiting.clear()
            _move(row, snapshots, tier)
        yield from in_chunks(waiting)
    except BaseException:  # A run that fails, here or in what it computes, leaves no files behind.
        tier.close()
        raise


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
