"""The schedules that programs are given: plans of loops, made into rows as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from retrograde.planning.loops import Loop, LoopPlan
from retrograde.planning.loops.online import Placement
from retrograde.planning.loops.recipes import Recipe, remaining
from retrograde.program.schedules import Rows
from retrograde.python.budget.rows import Slots, checked_rows, in_chunks, ranged_rows, rows_of, slots_of, swept

_MOST_ROWS = 1 << 14
"""Rows that are written down when they are first asked for; a schedule of more is made anew each time."""


class PlannedSchedule:
    """Follows plans whose lengths are known when their loops begin.

    Args:
        plan_for: the plan of a loop of so many steps.
    """

    def __init__(self, plan_for: Callable[[int], LoopPlan]) -> None:
        self._plan_for = plan_for
        self._followed: dict[int, _Followed] = {}
        self._left = _MOST_ROWS

    def plan(self, count: int) -> LoopPlan:
        """The plan of a loop of so many steps."""
        return self._of(count).plan

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals a loop takes."""
        return self._of(count).slots[:2]

    def room(self, count: int | None) -> int:
        """How many slots one array needs whose first are for snapshots, and whose last are for residuals."""
        return self._of(count).slots[2]

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep."""
        return self._of(count).sweep()

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal."""
        return self._of(count).reversal()

    def _of(self, count: int | None) -> _Followed:
        assert count is not None
        if count not in self._followed:
            followed = self._followed[count] = _Followed(self._plan_for(count), self._left)
            self._left -= followed.written
        return self._followed[count]


class _Followed:
    """A plan and its rows: written down if they are few, else made anew each time."""

    def __init__(self, plan: LoopPlan, most: int) -> None:
        self.plan = plan
        self.written = 0
        slots = Slots()
        rows = ranged_rows(plan, slots)
        forward = list(in_chunks(islice(swept(rows, plan.loop.steps), most + 1)))
        left = most + 1 - sum(map(len, forward))
        back = list(in_chunks(islice(rows, left)))
        left -= sum(map(len, back))
        if left:
            self._rows: tuple[list[Rows], list[Rows]] | None = (forward, back)
            self.written = most + 1 - left
            self.slots = slots.most
        else:
            self._rows = None
            self.slots = slots_of(plan)

    def sweep(self) -> Iterator[Rows]:
        if self._rows is not None:
            return iter(self._rows[0])
        return in_chunks(swept(ranged_rows(self.plan, Slots()), self.plan.loop.steps))

    def reversal(self) -> Iterator[Rows]:
        if self._rows is not None:
            return iter(self._rows[1])
        rows = ranged_rows(self.plan, Slots())
        for _ in swept(rows, self.plan.loop.steps):
            pass
        return in_chunks(rows)


_FEWEST_STEPS, _MOST_STEPS = 64, 1 << 14
"""For how many steps of a loop of unknown length rows are made at a time."""


class OnlineSchedule:
    """Places states while a loop runs whose length nobody knows, and reverses it by binomial schedules.

    Args:
        slots: for snapshots; at least 1.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals a loop takes."""
        return self._slots, 1

    def room(self, count: int | None) -> int:
        """How many slots one array needs whose first are for snapshots, and whose last are for residuals."""
        return self._slots + 1

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep, without an end: a chunk goes half as far again as those before it."""
        placement, slots = Placement(self._slots), Slots()
        while True:
            begun = placement.step
            ahead = min(max(_FEWEST_STEPS, begun // 2), _MOST_STEPS)
            actions = (action for _ in range(ahead) for action in placement.advance())
            yield from in_chunks(checked_rows(rows_of(actions, slots), begun))

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal: where the sweep has put its states follows from the number of steps."""
        placement, slots = Placement(self._slots), Slots()
        for _ in range(count):
            for _ in rows_of(placement.advance(), slots):
                pass
        recipe = Recipe("online", (("slots", min(self._slots, max(1, count))),))
        yield from in_chunks(rows_of(remaining(Loop(count, state_bytes=1), recipe, placement), slots))
