"""From the actions of a loop's plan to rows: steps in ranges, states and residuals in numbered slots."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from retrograde.planning.loops import Advance, Drop, LoopAction, LoopPlan, Record, Restore, Reverse, Snapshot
from retrograde.planning.loops.recipes import decisions_of
from retrograde.planning.loops.walk import Stretch, parts
from retrograde.program.schedules import ADVANCE, CHECK, DROP, RECORD, RESTORE, REVERSE, SNAPSHOT, TAKE, Rows

CHUNK_ROWS = 128

TO_DISK = 100
"""Between two chunks: move what is in the slot to disk."""
FROM_DISK = 101
"""Between two chunks: copy it into the slot."""
OFF_DISK = 102
"""Between two chunks: move it into the slot."""
Row = tuple[int, int, int, int]


class Slots:
    """Which slot a state or a residual is in, as a schedule goes along.

    Attributes:
        most_states: how many slots for states there have been at a time.
        most_residuals: how many for residuals.
        most_together: how many at a time in one array whose first are for states, and whose last are for residuals.
    """

    def __init__(self) -> None:
        self.most_states = self.most_residuals = self.most_together = 0
        self._behind_states = 0
        self._states: dict[int, int] = {}
        self._free: list[int] = []
        self._residuals = 0

    @property
    def most(self) -> tuple[int, int, int]:
        """For states, for residuals, and in one array for both."""
        return self.most_states, self.most_residuals, self.most_together

    def store(self, step: int) -> int:
        """A slot for a state."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._behind_states
            self._behind_states += 1
            self.most_states = max(self.most_states, self._behind_states)
            self.most_together = max(self.most_together, self._behind_states + self._residuals)
        self._states[step] = slot
        return slot

    def of(self, step: int) -> int:
        """The slot of a stored state."""
        return self._states[step]

    def drop(self, step: int) -> int:
        """Give a slot back, and say which."""
        slot = self._states.pop(step)
        self._free.append(slot)
        self._free.sort(reverse=True)
        while self._free and self._free[0] == self._behind_states - 1:
            self._behind_states = self._free.pop(0)
        return slot

    def take(self, count: int) -> int:
        """The first of slots for residuals of some steps: they are reversed in the opposite order, and form a pile."""
        slot = self._residuals
        self._residuals += count
        self.most_residuals = max(self.most_residuals, self._residuals)
        self.most_together = max(self.most_together, self._behind_states + self._residuals)
        return slot

    def give_back(self, count: int) -> int:
        """The first of the slots of the steps that were recorded last, which are given back."""
        self._residuals -= count
        return self._residuals


def rows_of(actions: Iterable[LoopAction], slots: Slots) -> Iterator[Row]:
    """The rows, one by one. Steps that are recorded or reversed one after the other share a row."""
    waiting: Row | None = None
    for action in actions:
        row = _row(action, slots)
        joined = None if waiting is None else _joined(waiting, row)
        if joined is None and waiting is not None:
            yield waiting
        waiting = row if joined is None else joined
    if waiting is not None:
        yield waiting


def ranged_rows(plan: LoopPlan, slots: Slots) -> Iterator[Row]:
    """The rows of a plan whose length is known, a whole unit of steps at a time.

    The same as of its actions, without an action for each step.
    """
    units, decisions = decisions_of(plan.loop, plan.recipe)
    pending: list[Stretch | int] = [Stretch(0, units.count, decisions.capacity)] if units.count else []
    while pending:
        task = pending.pop()
        if isinstance(task, int):
            start, stop = units.first(task), units.first(task + 1)
            yield REVERSE, start, stop, slots.give_back(stop - start)
            continue
        first = units.first(task.start)
        to, tier = decisions.decide(task.start, task.stop, task.capacity, task.tier)
        if task.tier is not None:
            gone = to == task.start or tier != task.tier
            if task.tier == "disk":
                yield from _loaded(first, slots, gone)
            else:
                yield TAKE if gone else RESTORE, first, first, slots.drop(first) if gone else slots.of(first)
        if to == task.start:
            stop = units.first(to + 1)
            yield RECORD, first, stop, slots.take(stop - first)
            pending.append(to)
        else:
            if tier != task.tier:
                yield SNAPSHOT, first, first, slots.store(first)
                if tier == "disk":
                    yield TO_DISK, first, first, slots.drop(first)
            yield ADVANCE, first, units.first(to), 0
        pending += parts(task, to, tier, decisions)


def _loaded(step: int, slots: Slots, gone: bool) -> Iterator[Row]:
    """A state on disk becomes the current one, by way of a slot that it has for that moment."""
    slot = slots.store(step)
    yield OFF_DISK if gone else FROM_DISK, step, step, slot
    yield TAKE, step, step, slots.drop(step)


def swept(rows: Iterator[Row], steps: int) -> Iterator[Row]:
    """Rows until the last step has been run for the first time."""
    for row in rows:
        yield row
        if row[0] in (ADVANCE, RECORD) and row[2] == steps:
            return


def _row(action: LoopAction, slots: Slots) -> Row:
    match action:
        case Advance(start, stop):
            return ADVANCE, start, stop, 0
        case Record(step):
            return RECORD, step, step + 1, slots.take(1)
        case Reverse(step):
            return REVERSE, step, step + 1, slots.give_back(1)
        case Snapshot(step):
            return SNAPSHOT, step, step, slots.store(step)
        case Restore(step):
            return RESTORE, step, step, slots.of(step)
        case Drop(step):
            return DROP, step, step, slots.drop(step)


def _joined(one: Row, other: Row) -> Row | None:
    kind, start, stop, slot = one
    if kind == RESTORE and other[0] == DROP and other[3] == slot:
        return TAKE, start, stop, slot
    if kind != other[0]:
        return None
    if kind == ADVANCE and other[1] == stop:
        return kind, start, other[2], 0
    if kind == RECORD and other[1] == stop and other[3] == slot + stop - start:
        return kind, start, other[2], slot
    if kind == REVERSE and other[2] == start and other[3] == slot - 1:
        return kind, other[1], stop, other[3]
    return None


def checked_rows(rows: Iterable[Row], here: int) -> Iterator[Row]:
    """Rows of a loop that a condition ends: that is looked at before anything is stored, or dropped for it.

    Args:
        rows: from one step on.
        here: that step.
    """
    before = ADVANCE
    for row in rows:
        if before == ADVANCE and row[0] != ADVANCE:
            yield CHECK, here, here, 0
        yield row
        before, here = row[0], row[2] if row[0] == ADVANCE else here


def in_chunks(rows: Iterable[Row], length: int = CHUNK_ROWS) -> Iterator[Rows]:
    """Rows as arrays of up to so many."""
    chunk = array("q")
    for row in rows:
        chunk.extend(row)
        if len(chunk) == 4 * length:
            yield np.frombuffer(chunk, np.int64).reshape(-1, 4)
            chunk = array("q")
    if chunk:
        yield np.frombuffer(chunk, np.int64).reshape(-1, 4)


def slots_of(plan: LoopPlan) -> tuple[int, int, int]:
    """How many slots for states and for residuals a plan takes, and how many in one array for both.

    Where every unit of steps is recorded and reversed before the next, the numbers of its recipe say so.
    """
    numbers = dict(plan.recipe.numbers)
    if plan.strategy == "revolve":
        return numbers["slots"], numbers["length"], numbers["slots"] + numbers["length"]
    return counted_slots(plan)


def counted_slots(plan: LoopPlan) -> tuple[int, int, int]:
    """The same, counted along the rows."""
    slots = Slots()
    for _ in ranged_rows(plan, slots):
        pass
    return slots.most
