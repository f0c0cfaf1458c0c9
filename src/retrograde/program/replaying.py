"""Carrying out sweeps and replays on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from retrograde.program.model import Block, Replay, Sweep, Variable
from retrograde.program.schedules import ADVANCE, CHECK, DROP, RECORD, RESTORE, REVERSE, SNAPSHOT, TAKE, Rows

_Values = dict[Variable, Any]
_Run = Callable[[Block, _Values], list[Any]]
_Stacks = list[list[Any]]


def run_sweep(sweep: Sweep, values: _Values, value: Callable[[Any], Any], run: _Run) -> list[Any]:
    """The results of a sweep."""
    schedule = value(sweep.schedule)
    count = None if sweep.count is None else int(value(sweep.count))
    places, room = schedule.slots(count)
    width = len(sweep.initial)
    machine = _Machine(sweep, count, values, run, _stacks(len(sweep.kept), places))
    machine.residuals = _stacks(len(sweep.residuals), room)
    machine.carried = [value(initial) for initial in sweep.initial]
    machine.kept, machine.width = sweep.kept, width
    machine.follow(schedule.sweep(count, machine.snapshots))
    return [*machine.carried, *machine.snapshots, *machine.residuals]


def run_replay(replay: Replay, values: _Values, value: Callable[[Any], Any], run: _Run) -> list[Any]:
    """The results of a replay."""
    schedule, count = value(replay.schedule), int(value(replay.count))
    machine = _Machine(replay, count, values, run, [value(stack) for stack in replay.snapshots])
    machine.residuals = [value(stack) for stack in replay.residuals]
    machine.width = len(replay.snapshots)
    machine.kept = list(range(machine.width))
    machine.cotangents = [value(initial) for initial in replay.initial]
    machine.follow(schedule.reversal(count, machine.snapshots))
    return machine.cotangents


def _stacks(count: int, slots: int) -> _Stacks:
    return [[None] * slots for _ in range(count)]


def _taken(stack: list[Any], slot: int) -> Any:
    value, stack[slot] = stack[slot], None
    return value


class _Machine:
    """The current values, the slots, and the cotangents."""

    def __init__(
        self, statement: Sweep | Replay, count: int | None, values: _Values, run: _Run, snapshots: _Stacks
    ) -> None:
        self._statement, self._count, self._values, self._run = statement, count, values, run
        self.snapshots = snapshots
        self.residuals: _Stacks = []
        self.carried: list[Any] = []
        self.cotangents: list[Any] = []
        self.kept: list[int] = []
        self.width = 0
        self._ended = False

    def follow(self, chunks: Iterable[Rows]) -> None:
        for rows in chunks:
            for kind, start, stop, slot in rows.tolist():
                self._do(kind, start, stop, slot)
                if self._ended:
                    return

    def _do(self, kind: int, start: int, stop: int, slot: int) -> None:
        if kind == ADVANCE:
            self._advance(start, stop)
        elif kind == RECORD:
            for step in range(start, stop):
                self._record(step, slot + step - start)
        elif kind == REVERSE:
            self.carried = []
            for step in range(stop - 1, start - 1, -1):
                self._reverse(step, slot + step - start)
        elif kind == SNAPSHOT:
            for stack, at in zip(self.snapshots, self.kept, strict=True):
                stack[slot] = self.carried[at]
        elif kind == CHECK:
            self._goes_on(start)
        else:
            self._go_back(kind, slot)

    def _go_back(self, kind: int, slot: int) -> None:
        if kind in (RESTORE, TAKE):
            self.carried = [stack[slot] for stack in self.snapshots]
        if kind in (TAKE, DROP):
            for stack in self.snapshots:
                stack[slot] = None

    def _advance(self, start: int, stop: int) -> None:
        for step in range(start, stop):
            if not self._goes_on(step):
                return
            self.carried = self._step(self._statement.advance, step, self._take())

    def _goes_on(self, step: int) -> bool:
        condition = self._statement.condition if isinstance(self._statement, Sweep) else None
        if condition is not None:
            self._ended = not bool(self._step(condition, step, list(self.carried))[0])
        return not self._ended

    def _record(self, step: int, slot: int) -> None:
        results = self._step(self._statement.record, step, self._take())
        self.carried = results[: self.width]
        for stack, value in zip(self.residuals, results[self.width :], strict=True):
            stack[slot] = value

    def _reverse(self, step: int, slot: int) -> None:
        assert isinstance(self._statement, Replay)
        given, self.cotangents = self.cotangents, []
        for stack in self.residuals:
            given.append(_taken(stack, slot))
        self.cotangents = self._step(self._statement.reverse, step, given)

    def _take(self) -> list[Any]:
        taken, self.carried = self.carried, []
        return taken

    def _step(self, block: Block, step: int, given: list[Any]) -> list[Any]:
        """Run a block; the list is emptied, so that a value is let go after its last use."""
        if self._statement.backward:
            assert self._count is not None
            step = self._count - 1 - step
        self._values.update(zip(block.parameters, [step, *given], strict=True))
        given.clear()
        return self._run(block, self._values)
