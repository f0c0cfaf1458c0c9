"""Where to spill and to load: as late and as early as the bytes allow, so that transfers run beside operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from retrograde.planning.spilling.course import Absence, Bytes, Course, Gap, Seconds
from retrograde.planning.spilling.timing import Timing, copies_begin, timing
from retrograde.planning.transfers import Tier

_ROUNDS = 3
"""Times that transfers are placed anew, by the times that the placing before led to."""


class Placer:
    """Places the transfers of one course for one budget.

    Args:
        course: the course.
        budget_bytes: the budget.
        tiers: where storages go.
    """

    def __init__(self, course: Course, budget_bytes: int, tiers: Sequence[Tier]) -> None:
        self.course = course
        self.budget_bytes = budget_bytes
        self.tiers = tiers

    def place(
        self, chosen: Sequence[Absence], polish: int = 0, is_late: Callable[[], bool] = lambda: False
    ) -> tuple[list[Absence], Timing]:
        """The same absences, begun and ended where least is waited for.

        Args:
            chosen: absences that, as long as they can be, keep the budget.
            polish: steps of a descent over single places.
            is_late: whether it is time to end.
        """
        tight = [replace(a, spill=a.gap.before, load=a.gap.after) for a in chosen]
        best, best_timing = tight, timing(self.course, tight, self.tiers)
        begins = self.course.begins
        for _ in range(_ROUNDS):
            if best_timing.makespan <= self.course.seconds:
                break
            placed = self._by_times(tight, begins)
            found = timing(self.course, placed, self.tiers)
            begins = found.begins(self.course)
            if found.makespan < best_timing.makespan:
                best, best_timing = placed, found
        return self._polish(best, best_timing, polish, is_late) if polish else (best, best_timing)

    # Just in time

    def _by_times(self, tight: Sequence[Absence], begins: Seconds) -> list[Absence]:
        live = self.live_bytes(tight)
        placed = {a.gap: a for a in tight}
        self._place_spills(placed, begins, live)
        self._place_loads(placed, begins, live)
        return list(placed.values())

    def _place_spills(self, placed: dict[Gap, Absence], begins: Seconds, live: Bytes) -> None:
        """Each behind the operations that run until its copy is made, as far as there is room."""
        course = self.course
        copies = copies_begin(course, list(placed.values()))
        free_from = [0.0] * len(self.tiers)
        for absence in sorted(placed.values(), key=lambda a: (copies[a], a.gap.after)):
            gap, tier = absence.gap, self.tiers[absence.tier]
            copy = copies[absence]
            done = max(float(begins[copy + 1]), free_from[absence.tier]) + tier.write_seconds(gap.bytes)
            free_from[absence.tier] = done
            if copy == gap.before and gap.written != copy:
                continue
            wanted = min(int(np.searchsorted(begins, done - 1e-12 * done)) - 1, gap.after - 2)
            wanted = min(wanted, course.end_of_segment(gap.before) - 1)
            latest = self._latest_spill(gap, wanted, live)
            if latest > gap.before:
                live[gap.before + 1 : latest + 1] += gap.bytes
                placed[gap] = replace(absence, spill=latest)

    def _latest_spill(self, gap: Gap, wanted: int, live: Bytes) -> int:
        full = np.flatnonzero(live[gap.before + 1 : wanted + 1] + gap.bytes > self.budget_bytes)
        return gap.before + int(full[0]) if len(full) else wanted

    def _place_loads(self, placed: dict[Gap, Absence], begins: Seconds, live: Bytes) -> None:
        """Each so early that it is there when it is used, the last first, as far as there is room."""
        busy_from = [float("inf")] * len(self.tiers)
        for absence in sorted(placed.values(), key=lambda a: (-a.gap.after, a.gap.storage)):
            gap, tier = absence.gap, self.tiers[absence.tier]
            begin = min(float(begins[gap.after]), busy_from[absence.tier]) - tier.read_seconds(gap.bytes)
            busy_from[absence.tier] = begin
            wanted = int(np.searchsorted(begins, begin + 1e-12 * abs(begin), "right")) - 1
            wanted = min(max(wanted, absence.spill + 1), gap.after)
            full = np.flatnonzero(live[wanted : gap.after] + gap.bytes > self.budget_bytes)
            earliest = wanted + int(full[-1]) + 1 if len(full) else wanted
            if earliest < gap.after:
                live[earliest : gap.after] += gap.bytes
                placed[gap] = replace(absence, load=earliest)

    # Descent

    def _polish(
        self, placed: list[Absence], found: Timing, steps: int, is_late: Callable[[], bool]
    ) -> tuple[list[Absence], Timing]:
        """Move single spills and loads while that takes waiting away."""
        live = self.live_bytes(placed)
        improved = True
        while improved and steps > 0 and found.makespan > self.course.seconds and not is_late():
            improved = False
            for absence in sorted(found.waits, key=lambda a: -sum(found.waits[a])):
                if not any(found.waits[absence]):
                    break
                size = absence.gap.bytes
                for moved in self._moves(absence, found):
                    steps -= 1
                    back = [slice(absence.spill + 1, moved.spill + 1), slice(moved.load, absence.load)]
                    if steps < 0 or any((live[part] + size > self.budget_bytes).any() for part in back):
                        continue
                    others = [moved if a is absence else a for a in placed]
                    after = timing(self.course, others, self.tiers)
                    if after.makespan < found.makespan - 1e-12 * found.makespan:
                        placed, found, improved = others, after, True
                        for part in back:
                            live[part] += size
                        break
                if improved:
                    break
        return placed, found

    def _moves(self, absence: Absence, found: Timing) -> list[Absence]:
        spill_wait, load_wait = found.waits[absence]
        moves: list[Absence] = []
        if load_wait:
            loads = [self._step(absence.load, -1, count) for count in (1, 2, 4, 16)]
            moves += [replace(absence, load=load) for load in loads if load > absence.spill]
        if spill_wait:
            spills = [self._step(absence.spill, 1, count) for count in (1, 2, 4, 16)]
            moves += [replace(absence, spill=spill) for spill in spills if spill < absence.load]
            moves += [
                replace(absence, tier=t) for t in range(len(self.tiers)) if t != absence.tier and self._is_free(t)
            ]
        return moves

    def _is_free(self, tier: int) -> bool:
        return self.tiers[tier].capacity_bytes is None

    def _step(self, index: int, direction: int, count: int) -> int:
        """So many actions that cost something further on."""
        costs = self.course.costs
        while count and 0 < index + direction < len(costs):
            index += direction
            count -= costs[index] > 0
        return index

    def live_bytes(self, absences: Sequence[Absence]) -> Bytes:
        """The most bytes live while each action of the course is carried out."""
        change = np.zeros(len(self.course.live) + 1, dtype=np.int64)
        sizes = [absence.gap.bytes for absence in absences]
        np.subtract.at(change, [absence.spill + 1 for absence in absences], sizes)
        np.add.at(change, [absence.load for absence in absences], sizes)
        return self.course.live + np.cumsum(change)[:-1]
