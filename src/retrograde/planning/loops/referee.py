"""The referee of loops: an abstract machine that replays a schedule and knows no strategy.

Its memory is that of the machine: what is stored at the moment, never the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from retrograde.errors import PlanError
from retrograde.planning.loops.actions import Advance, Drop, LoopAction, Record, Restore, Reverse, Snapshot, TierName
from retrograde.planning.loops.model import Cost, Loop, largest, total


@dataclass(frozen=True, slots=True)
class Sweep:
    """What the referee saw until the last step had been run for the first time.

    Attributes:
        kept_bytes: stored in memory then.
        kept_disk_bytes: stored on disk then.
        cost: until then.
        peak_bytes: the most bytes in memory until then.
    """

    kept_bytes: int
    kept_disk_bytes: int
    cost: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class LoopReplay:
    """What the referee saw.

    Attributes:
        forward_steps: steps run by ``Advance``; each step is run once more, by ``Record``, for its reversal.
        recorded_steps: steps run by ``Record``.
        cost: of running, reversing, writing and reading.
        peak_bytes: the most bytes in memory at any moment, workspace included.
        disk_peak_bytes: the most bytes on disk at any moment.
        sweep: the part until the last step had been run for the first time.
        reverse_peak_bytes: the most bytes in memory after it.
        snapshot_peak: the most states in memory at any moment.
        disk_writes: states stored on disk.
        disk_reads: states restored from disk.
        most_runs: how often the step that ran most often ran, where that was counted; 0 otherwise.
    """

    forward_steps: int
    recorded_steps: int
    cost: float
    peak_bytes: int
    disk_peak_bytes: int
    sweep: Sweep
    reverse_peak_bytes: int
    snapshot_peak: int
    disk_writes: int
    disk_reads: int
    most_runs: int


def replay_loop(
    actions: Iterable[LoopAction], loop: Loop, budget_bytes: int | None = None, *, count_runs: bool = False
) -> LoopReplay:
    """Replay a schedule, checking every action.

    Checked are: that a step runs from its own state, a stored state is there when it is restored or dropped and is
    not stored twice in one tier, the bytes in memory and on disk are within their budgets at every moment, residuals
    are there when their step is reversed, every step is reversed once, from the last to the first, and nothing is
    left over.

    Args:
        actions: the schedule; consumed one by one.
        loop: what it is a schedule of.
        budget_bytes: the most bytes in memory, or None for no limit. The limit on disk is the loop's own.
        count_runs: also count how often each step runs, which takes memory for every step.

    Returns:
        What was seen.

    Raises:
        PlanError: an action cannot be carried out; the message names its index.

    Example:
        >>> schedule = [Snapshot(0), Advance(0, 1), Record(1), Reverse(1), Restore(0), Drop(0), Record(0), Reverse(0)]
        >>> seen = replay_loop(schedule, Loop(2, state_bytes=8, residual_bytes=24))
        >>> seen.forward_steps, seen.peak_bytes, seen.sweep.kept_bytes
        (1, 32, 32)
    """
    machine = _Machine(loop, budget_bytes, [0] * loop.steps if count_runs else None)
    for index, action in enumerate(actions):
        machine.index = index
        machine.take(action)
    return machine.finish()


def replay_sweep(actions: Iterable[LoopAction], loop: Loop, budget_bytes: int | None = None) -> Sweep:
    """Replay the forward sweep of a schedule: its actions until the last step has been run for the first time.

    Args:
        actions: the schedule; what comes after the sweep is not looked at.
        loop: what it is a schedule of.
        budget_bytes: the most bytes in memory, or None for no limit.

    Raises:
        PlanError: an action cannot be carried out, or the last step is never run.

    Example:
        >>> replay_sweep([Snapshot(0), Advance(0, 1), Record(1)], Loop(2, state_bytes=8, residual_bytes=24))
        Sweep(kept_bytes=32, kept_disk_bytes=0, cost=2, peak_bytes=32)
    """
    machine = _Machine(loop, budget_bytes, None)
    for index, action in enumerate(actions):
        if machine.sweep is not None:
            break
        machine.index = index
        machine.take(action)
    if machine.sweep is None:
        raise PlanError(f"the schedule ends before step {loop.steps - 1} of the loop has been run")
    return machine.sweep


class _Bill:
    """Adds up the cost of one kind of action: equal costs by counting, ints exactly, floats with a compensation for
    rounding (Neumaier, 1974)."""

    __slots__ = ("_cost", "_exact", "_lost", "_sum", "count")

    def __init__(self, cost: Cost) -> None:
        self._cost = cost
        self._exact = self.count = 0
        self._sum = self._lost = 0.0

    def add(self, start: int, stop: int) -> None:
        self.count += stop - start
        if not isinstance(self._cost, tuple):
            return
        cost = total(self._cost, start, stop)
        if isinstance(cost, int):
            self._exact += cost
            return
        smaller, larger = sorted((self._sum, cost), key=abs)
        after = larger + smaller
        self._lost += (larger - after) + smaller
        self._sum = after

    @property
    def value(self) -> float:
        if not isinstance(self._cost, tuple):
            return self._cost * self.count
        return self._exact + (self._sum + self._lost) if self._sum else self._exact


class _Machine:
    """The current state, what is stored, and how far the reversal has come."""

    def __init__(self, loop: Loop, budget_bytes: int | None, runs: list[int] | None) -> None:
        self.loop = loop
        self.index = 0
        self._budget = budget_bytes
        self._state: int | None = 0
        self._left = loop.steps
        self._residuals: set[int] = set()
        self._memory: dict[int, int] = {}
        self._disk: dict[int, int] = {}
        self._bytes = self._disk_bytes = self._peak = self._disk_peak = self._snapshot_peak = 0
        self._runs = runs
        disk = loop.disk
        self._bills = {
            "advance": _Bill(loop.step_cost),
            "record": _Bill(loop.step_cost),
            "reverse": _Bill(loop.reverse_cost),
            "write": _Bill(disk.write_cost if disk else 0),
            "read": _Bill(disk.read_cost if disk else 0),
        }
        self.sweep = Sweep(0, 0, 0, 0) if loop.steps == 0 else None

    def take(self, action: LoopAction) -> None:
        match action:
            case Advance(start, stop):
                self._advance(start, stop)
            case Record(step):
                self._record(step)
            case Reverse(step):
                self._reverse(step)
            case Snapshot(step, tier):
                self._snapshot(step, tier)
            case Restore(step, tier):
                self._restore(step, tier)
            case Drop(step, tier):
                self._drop(step, tier)
            case _:
                self._refuse(f"{action!r} is not an action of a loop")

    def _refuse(self, found: str) -> NoReturn:
        raise PlanError(f"action {self.index} of the loop: {found}")

    def _hold(self, extra: int, why: str) -> None:
        live = self._bytes + extra
        self._peak = max(self._peak, live)
        if self._budget is not None and live > self._budget:
            self._refuse(f"{why} takes {live} bytes in memory, above the budget of {self._budget}")

    def _run(self, kind: str, start: int, stop: int) -> None:
        if self._state != start:
            self._refuse(f"step {start} cannot run from state {self._state}")
        if not start < stop <= self._left:
            self._refuse(f"steps {start} to {stop - 1} cannot run with {self._left} steps left to reverse")
        self._bills[kind].add(start, stop)
        if self._runs is not None:
            for step in range(start, stop):
                self._runs[step] += 1
        self._state = stop

    def _advance(self, start: int, stop: int) -> None:
        self._run("advance", start, stop)
        self._hold(largest(self.loop.workspace_bytes, start, stop), f"advancing from state {start} to {stop}")
        self._note_sweep()

    def _record(self, step: int) -> None:
        if step in self._residuals:
            self._refuse(f"the residuals of step {step} are kept already")
        if self._residuals and not self.loop.keeps_residuals:
            self._refuse(f"step {step} is recorded before step {min(self._residuals)}, though residuals cannot be kept")
        self._run("record", step, step + 1)
        self._hold(self.loop.running_bytes(step), f"recording step {step}")
        self._residuals.add(step)
        self._bytes += self.loop.residual(step)
        self._note_sweep()

    def _note_sweep(self) -> None:
        if self.sweep is None and self._state == self.loop.steps:
            self.sweep = Sweep(self._bytes, self._disk_bytes, self._cost, self._peak)
            self._peak = self._bytes

    def _reverse(self, step: int) -> None:
        if step != self._left - 1:
            self._refuse(f"step {step} is reversed where step {self._left - 1} is next")
        if step not in self._residuals:
            self._refuse(f"step {step} is reversed without its residuals")
        self._hold(self.loop.reversing_bytes(step) - self.loop.residual(step), f"reversing step {step}")
        self._residuals.remove(step)
        self._bytes -= self.loop.residual(step)
        self._bills["reverse"].add(step, step + 1)
        self._left = step
        self._state = None

    def _store(self, tier: TierName) -> dict[int, int]:
        if tier == "memory":
            return self._memory
        if tier != "disk" or self.loop.disk is None:
            self._refuse(f"there is no tier {tier!r}")
        return self._disk

    def _snapshot(self, step: int, tier: TierName) -> None:
        store = self._store(tier)
        if self._state != step or step >= self._left:
            self._refuse(f"state {step} cannot be stored from state {self._state}, {self._left} steps being left")
        if step in store:
            self._refuse(f"state {step} is stored in {tier} already")
        store[step] = size = self.loop.state(step)
        if tier == "memory":
            self._bytes += size
            self._snapshot_peak = max(self._snapshot_peak, len(store))
            self._hold(0, f"storing state {step}")
        else:
            self._write(step, size)

    def _write(self, step: int, size: int) -> None:
        self._disk_bytes += size
        self._disk_peak = max(self._disk_peak, self._disk_bytes)
        self._bills["write"].add(step, step + 1)
        limit = self.loop.disk.budget_bytes if self.loop.disk else None
        if limit is not None and self._disk_bytes > limit:
            self._refuse(f"storing state {step} takes {self._disk_bytes} bytes on disk, above its {limit}")

    def _restore(self, step: int, tier: TierName) -> None:
        if step not in self._store(tier):
            self._refuse(f"state {step} is restored from {tier}, where it is not stored")
        if tier == "disk":
            self._bills["read"].add(step, step + 1)
        self._state = step

    def _drop(self, step: int, tier: TierName) -> None:
        store = self._store(tier)
        if step not in store:
            self._refuse(f"state {step} is dropped from {tier}, where it is not stored")
        size = store.pop(step)
        if tier == "memory":
            self._bytes -= size
        else:
            self._disk_bytes -= size

    @property
    def _cost(self) -> float:
        values = [bill.value for bill in self._bills.values()]
        return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)

    def finish(self) -> LoopReplay:
        self.index += 1
        if self._left or self.sweep is None:
            self._refuse(f"the schedule ends with {self._left} steps left to reverse")
        if self._memory or self._disk:
            self._refuse(f"the schedule ends with states {sorted([*self._memory, *self._disk])} still stored")
        return LoopReplay(
            forward_steps=self._bills["advance"].count,
            recorded_steps=self._bills["record"].count,
            cost=self._cost,
            peak_bytes=max(self._peak, self.sweep.peak_bytes),
            disk_peak_bytes=self._disk_peak,
            sweep=self.sweep,
            reverse_peak_bytes=self._peak,
            snapshot_peak=self._snapshot_peak,
            disk_writes=self._bills["write"].count,
            disk_reads=self._bills["read"].count,
            most_runs=max(self._runs, default=0) if self._runs is not None else 0,
        )
