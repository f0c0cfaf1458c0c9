"""How long a course takes with storages spilled: what ``makespan`` says, from the transfers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrograde.planning.spilling.course import Absence, Course, Seconds, in_order
from retrograde.planning.transfers import Tier

_LOAD, _USE, _WRITE, _SPILL = range(4)


@dataclass(frozen=True)
class Timing:
    """When a course with absences is done, and what it waits for.

    Attributes:
        makespan: when it is done, in seconds.
        waits: for each absence the seconds that its ``Spill`` is waited for, and those that its ``Load`` is.
        delays: pairs (index of an action, seconds): what waits add before the action.
    """

    makespan: float
    waits: dict[Absence, tuple[float, float]]
    delays: tuple[tuple[int, float], ...]

    def begins(self, course: Course) -> Seconds:
        """When each action of the course begins, and when the last ends."""
        added = np.zeros(len(course.begins))
        for index, seconds in self.delays:
            added[index] += seconds
        return course.begins + np.cumsum(added)


def copies_begin(course: Course, absences: Sequence[Absence]) -> dict[Absence, int]:
    """For each absence the action behind which its copy can begin, at the latest the one it is spilled behind."""
    begin: dict[Absence, int] = {}
    back: dict[int, int] = {}
    for absence in sorted(absences, key=lambda absence: absence.gap.before):
        gap = absence.gap
        is_early = gap.written >= max(0, back.get(gap.storage, 0))
        if is_early and course.segment_of[gap.written] == course.segment_of[absence.spill]:
            begin[absence] = gap.written
        else:
            begin[absence] = absence.spill
        back[gap.storage] = gap.after
    return begin


def timing(course: Course, absences: Sequence[Absence], tiers: Sequence[Tier]) -> Timing:
    """When a course with absences is done."""
    free_from = [[0.0, 0.0] for _ in tiers]
    there: dict[tuple[int, bool], float] = {}
    ordered = in_order(absences)
    spill_waits = [0.0] * len(ordered)
    load_waits = [0.0] * len(ordered)
    delays: list[tuple[int, float]] = []
    begins = course.begins
    late = 0.0
    for place, _, kind, number in _events(course, ordered):
        absence = ordered[number]
        now = float(begins[place]) + late
        if kind in (_LOAD, _WRITE):
            tier = tiers[absence.tier]
            lanes = free_from[absence.tier]
            lane = 1 if tier.duplex and kind == _LOAD else 0
            size = absence.gap.bytes
            seconds = tier.read_seconds(size) if kind == _LOAD else tier.write_seconds(size)
            there[number, kind == _LOAD] = lanes[lane] = max(now, lanes[lane]) + seconds
        else:
            wait = there[number, kind == _USE] - now
            if wait > 0:
                (load_waits if kind == _USE else spill_waits)[number] = wait
                delays.append((place, wait))
                late += wait
    waits = {absence: (spill_waits[i], load_waits[i]) for i, absence in enumerate(ordered)}
    return Timing(course.seconds + late, waits, tuple(delays))


def _events(course: Course, ordered: Sequence[Absence]) -> list[tuple[int, int, int, int]]:
    """What happens, in order: the action it happens before, a rank, the kind, and which absence it is of.

    Of what stands between two actions copies come first, then spills, then loads, then the use.
    """
    begin = copies_begin(course, ordered)
    events: list[tuple[int, int, int, int]] = []
    for number, absence in enumerate(ordered):
        copy = begin[absence]
        is_early = copy < absence.spill or copy == absence.gap.written
        events.append((copy + 1, 0 if is_early else 1, _WRITE, number))
        events.append((absence.spill + 1, 1, _SPILL, number))
        events.append((absence.load, 2, _LOAD, number))
        events.append((absence.gap.after, 3, _USE, number))

    def key(event: tuple[int, int, int, int]) -> tuple[int, int, int, int, int]:
        place, rank, kind, number = event
        return (place, rank, ordered[number].spill if rank == 0 else number, number, kind)

    return sorted(events, key=key)
