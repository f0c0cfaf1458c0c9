"""From the actions of a loop's plan to rows: steps in ranges, states and residuals in numbered slots."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from retrograde.errors import PlanError
from retrograde.planning.loops import Advance, Drop, LoopAction, LoopPlan, Record, Restore, Reverse, Snapshot
from retrograde.program.schedules import ADVANCE, CHECK, DROP, RECORD, RESTORE, REVERSE, SNAPSHOT, TAKE, Rows

CHUNK_ROWS = 1024
Row = tuple[int, int, int, int]


class Slots:
    """Which slot a state or a residual is in, as a schedule goes along.

    Attributes:
        most_states: how many slots for states there have been at a time.
        most_residuals: how many for residuals.
    """

    def __init__(self) -> None:
        self.most_states = self.most_residuals = 0
        self._states: dict[int, int] = {}
        self._free: list[int] = []
        self._residuals: dict[int, int] = {}

    def store(self, step: int) -> int:
        """A slot for a state."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = self.most_states
            self.most_states += 1
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
        return slot

    def record(self, step: int) -> int:
        """A slot for residuals: they are reversed in the opposite order, and so form a pile."""
        slot = len(self._residuals)
        self._residuals[step] = slot
        self.most_residuals = max(self.most_residuals, slot + 1)
        return slot

    def reverse(self, step: int) -> int:
        """The slot of residuals, which is given back."""
        slot = self._residuals.pop(step)
        if slot != len(self._residuals):
            raise PlanError(f"step {step} was to be reversed before steps that were recorded later")
        return slot


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


def _row(action: LoopAction, slots: Slots) -> Row:
    match action:
        case Advance(start, stop):
            return ADVANCE, start, stop, 0
        case Record(step):
            return RECORD, step, step + 1, slots.record(step)
        case Reverse(step):
            return REVERSE, step, step + 1, slots.reverse(step)
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


def checked_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of a loop that a condition ends: that is looked at before anything is stored, or dropped for it."""
    before, here = ADVANCE, 0
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


def slots_of(plan: LoopPlan) -> tuple[int, int]:
    """How many slots for states and for residuals a plan takes.

    Where every unit of steps is recorded and reversed before the next, the numbers of its recipe say so.
    """
    numbers = dict(plan.recipe.numbers)
    if plan.strategy == "revolve":
        return numbers["slots"], numbers["length"]
    slots = Slots()
    for _ in rows_of(plan, slots):
        pass
    return slots.most_states, slots.most_residuals
