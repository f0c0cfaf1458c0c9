"""What the schedule of a loop of equal steps adds up to, without iterating it: equal stretches are counted once.

The referee is what is believed; this says beforehand what it will see, for schedules of billions of actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.planning.loops.actions import TierName
from retrograde.planning.loops.model import Loop, at
from retrograde.planning.loops.walk import Capacity, Decisions, Stretch, Units, parts


@dataclass(frozen=True, slots=True)
class Tally:
    """What reversing a stretch takes, beside what is stored before it, its own first state aside.

    Attributes:
        forward_steps: steps advanced over.
        disk_writes: states stored on disk.
        disk_reads: states restored from disk.
        peak_bytes: the most bytes in memory.
        disk_peak_bytes: the most bytes on disk.
    """

    forward_steps: int
    disk_writes: int
    disk_reads: int
    peak_bytes: int
    disk_peak_bytes: int


_Key = tuple[bool, int, Capacity, TierName | None]


def tally(loop: Loop, units: Units, decisions: Decisions, stretches: Sequence[Stretch] | None = None) -> Tally:
    """Count a schedule by its distinct stretches.

    Args:
        loop: of equal steps.
        units: its steps.
        decisions: the strategy; it must depend on the length of a stretch, its capacity and its tier alone.
        stretches: what is to be reversed, the last first; everything, from state 0, if left out. Their first states
            are all stored before.

    Example:
        >>> from retrograde.planning.loops.binomial import Revolve
        >>> tally(Loop(10**6, state_bytes=8), Units(10**6), Revolve(50))
        Tally(forward_steps=4658945, disk_writes=0, disk_reads=0, peak_bytes=400, disk_peak_bytes=0)
    """
    counter = _Counter(loop, units, decisions)
    if stretches is None:
        if not units.count:
            return Tally(0, 0, 0, 0, 0)
        return counter.count(Stretch(0, units.count, decisions.capacity))
    found = [counter.count(stretch) for stretch in stretches]
    state = loop.state(0) if loop.steps else 0
    return Tally(
        sum(one.forward_steps for one in found),
        sum(one.disk_writes for one in found),
        sum(one.disk_reads for one in found),
        max((rank * state + one.peak_bytes for rank, one in enumerate(found)), default=0),
        max((one.disk_peak_bytes for one in found), default=0),
    )


class _Counter:
    """Counts stretches, shorter ones first. The first unit may be shorter, so stretches from 0 are told apart."""

    def __init__(self, loop: Loop, units: Units, decisions: Decisions) -> None:
        self._loop, self._units, self._decisions = loop, units, decisions
        self._found: dict[_Key, Tally] = {}
        self._choices: dict[_Key, tuple[int, TierName, list[Stretch]]] = {}

    def count(self, stretch: Stretch) -> Tally:
        waiting = [stretch]
        while waiting:
            task = waiting[-1]
            key = _key(task)
            if key in self._found:
                waiting.pop()
                continue
            to, tier, smaller = self._choice(key, task)
            missing = [part for part in smaller if _key(part) not in self._found]
            if missing:
                waiting += missing
            else:
                self._found[key] = self._count_one(task, task.start + to, tier, smaller)
        return self._found[_key(stretch)]

    def _choice(self, key: _Key, task: Stretch) -> tuple[int, TierName, list[Stretch]]:
        if key not in self._choices:
            to, tier = self._decisions.decide(task.start, task.stop, task.capacity, task.tier)
            self._choices[key] = (to - task.start, tier, parts(task, to, tier, self._decisions))
        return self._choices[key]

    def _count_one(self, task: Stretch, to: int, tier: TierName, smaller: list[Stretch]) -> Tally:
        found = [self._found[_key(part)] for part in smaller]
        first = self._units.first(task.start)
        state = self._loop.state(first)
        peaks = [one.peak_bytes for one in found]
        disk_peaks = [one.disk_peak_bytes for one in found]
        ahead = writes = 0
        if to == task.start:
            length = self._units.first(to + 1) - first
            kept = length * self._loop.residual(first)
            peaks = [kept + peak for peak in peaks]
            peaks.append(kept - self._loop.residual(first) + self._loop.needed_bytes(first))
        else:
            ahead = self._units.first(to) - first
            held = state if tier == "memory" else 0
            # The first part has the state within its own count, the second has it beneath.
            peaks = [peaks[0], held + peaks[1], held + at(self._loop.workspace_bytes, first)]
            disk_peaks[1] += state - held
            writes = int(tier == "disk" and task.tier != "disk")
        return Tally(
            ahead + sum(one.forward_steps for one in found),
            writes + sum(one.disk_writes for one in found),
            int(task.tier == "disk") + sum(one.disk_reads for one in found),
            max(*peaks, state if "memory" in (task.tier, tier if to > task.start else None) else 0),
            max([*disk_peaks, state if "disk" in (task.tier, tier if to > task.start else None) else 0]),
        )


def _key(stretch: Stretch) -> _Key:
    return (stretch.start == 0, stretch.stop - stretch.start, stretch.capacity, stretch.tier)
