"""The schedules that programs are given: plans of loops, made into rows as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from retrograde.planning.loops import Loop, LoopPlan, OnlineLoop
from retrograde.program.schedules import Rows
from retrograde.python.budget.rows import Slots, checked_rows, in_chunks, rows_of


class PlannedSchedule:
    """Follows plans whose lengths are known when their loops begin.

    Args:
        plan_for: the plan of a loop of so many steps.
    """

    def __init__(self, plan_for: Callable[[int], LoopPlan]) -> None:
        self._plan_for = plan_for
        self._plans: dict[int, LoopPlan] = {}
        self._slots: dict[int, tuple[int, int]] = {}

    def plan(self, count: int) -> LoopPlan:
        """The plan of a loop of so many steps."""
        if count not in self._plans:
            self._plans[count] = self._plan_for(count)
        return self._plans[count]

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals a loop takes."""
        assert count is not None
        if count not in self._slots:
            slots = Slots()
            for _ in rows_of(self.plan(count), slots):
                pass
            self._slots[count] = slots.most_states, slots.most_residuals
        return self._slots[count]

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep."""
        assert count is not None
        yield from in_chunks(rows_of(self.plan(count).forward(), Slots()))

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal."""
        plan, slots = self.plan(count), Slots()
        for _ in rows_of(plan.forward(), slots):
            pass
        yield from in_chunks(rows_of(plan.reversal(), slots))


class OnlineSchedule:
    """Places states while a loop runs whose length nobody knows, and reverses it by binomial schedules.

    Args:
        state_bytes: of a snapshot.
        slots: for snapshots; at least 1.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals a loop takes."""
        return self._slots, 1

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep, without an end."""
        online = self._online()
        actions = (action for _ in iter(int, 1) for action in online.advance())
        yield from in_chunks(checked_rows(rows_of(actions, Slots())))

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal: where the sweep has put its states follows from the number of steps."""
        online, slots = self._online(), Slots()
        for _ in range(count):
            for _ in rows_of(online.advance(), slots):
                pass
        yield from in_chunks(rows_of(online.finish().reversal(), slots))

    def _online(self) -> OnlineLoop:
        return OnlineLoop(Loop(1, state_bytes=1), self._slots)
