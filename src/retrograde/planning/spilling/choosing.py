"""Which gaps to use: as little transfer that nothing hides as bringing a course within a budget takes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import numpy as np

from retrograde.planning.spilling.course import Absence, Bytes, Course, Gap, Seconds
from retrograde.planning.transfers import Tier


class Chooser:
    """Picks gaps of one course for one budget.

    Args:
        course: the course.
        budget_bytes: the budget.
        tiers: where storages may go.
    """

    def __init__(self, course: Course, budget_bytes: int, tiers: Sequence[Tier]) -> None:
        self.course = course
        self.budget_bytes = budget_bytes
        self.tiers = tiers
        count = max(1, len(course.costs))
        self._weights: Seconds = course.costs + 0.1 * (course.seconds or 1.0) / count
        self._over = np.flatnonzero(course.live > budget_bytes)
        self._useful = [(gap, self._least_seconds(gap)) for gap in course.gaps if self._is_useful(gap)]

    def choose(
        self, share: float, kept: Iterable[Absence] = (), barred: frozenset[Gap] = frozenset()
    ) -> list[Absence] | None:
        """Gaps that bring the course within the budget, those first that help most for the time they take.

        Args:
            share: how much a second of transfer counts beside a second that nothing hides.
            kept: absences to have in any case.
            barred: gaps not to use.

        Returns:
            Absences, each as long as it can be; None if they do not suffice.
        """
        room = _Room(self.course, self.tiers)
        excess: Bytes = np.maximum(self.course.live - self.budget_bytes, 0)
        taken: list[Absence] = []
        for absence in kept:
            _take(excess, absence.gap, room, absence.tier)
            taken.append(Absence(absence.gap, absence.gap.before, absence.gap.after, absence.tier))
        seen = {absence.gap for absence in taken} | barred
        heap = [
            (-self._help(excess, gap) / (bare + share * whole), number)
            for number, (gap, (bare, whole)) in enumerate(self._useful)
            if gap not in seen
        ]
        heapq.heapify(heap)
        while heap and excess.any():
            _, number = heapq.heappop(heap)
            gap, (bare, whole) = self._useful[number]
            score = self._help(excess, gap) / (bare + share * whole)
            if not score:
                continue
            if heap and -heap[0][0] > score * (1 + 1e-9):
                heapq.heappush(heap, (-score, number))
                continue
            tier = room.fastest(gap)
            if tier is not None:
                _take(excess, gap, room, tier)
                taken.append(Absence(gap, gap.before, gap.after, tier))
        return None if excess.any() else self._without_needless(taken, {a.gap for a in kept})

    def _without_needless(self, taken: list[Absence], kept: set[Gap]) -> list[Absence]:
        """Those that are still needed once all are taken; the last are given up first."""
        live = self.course.live.copy()
        for absence in taken:
            _idle(live, absence.gap)[:] -= absence.gap.bytes
        needed: list[Absence] = []
        for absence in reversed(taken):
            idle = _idle(live, absence.gap)
            if absence.gap not in kept and (idle + absence.gap.bytes <= self.budget_bytes).all():
                idle += absence.gap.bytes
            else:
                needed.append(absence)
        return needed[::-1]

    def _is_useful(self, gap: Gap) -> bool:
        return self._first_over(gap) < gap.after

    def _first_over(self, gap: Gap) -> int:
        place = int(np.searchsorted(self._over, gap.before + 1))
        return int(self._over[place]) if place < len(self._over) else len(self.course.live)

    def _last_over(self, gap: Gap) -> int:
        return int(self._over[int(np.searchsorted(self._over, gap.after)) - 1])

    def _least_seconds(self, gap: Gap) -> tuple[float, float]:
        """Seconds of transfer that nothing can hide, and seconds of transfer, in the fastest tier."""
        begins = self.course.begins
        begun = gap.written if gap.written >= 0 else gap.before
        for_write = float(begins[self._first_over(gap)] - begins[begun + 1])
        for_read = float(begins[gap.after] - begins[self._last_over(gap) + 1])

        def seconds(tier: Tier) -> tuple[float, float]:
            write, read = tier.write_seconds(gap.bytes), tier.read_seconds(gap.bytes)
            return max(0.0, write - for_write) + max(0.0, read - for_read), write + read

        return min(seconds(tier) for tier in self.tiers)

    def _help(self, excess: Bytes, gap: Gap) -> float:
        over = np.minimum(_idle(excess, gap), gap.bytes)
        return float(over @ self._weights[gap.before + 1 : gap.after])


class _Room:
    """What each tier holds at each action."""

    def __init__(self, course: Course, tiers: Sequence[Tier]) -> None:
        self.tiers = tiers
        self.held = [None if tier.capacity_bytes is None else np.zeros_like(course.live) for tier in tiers]

    def fastest(self, gap: Gap) -> int | None:
        """The fastest tier that has room for a storage while it is away; None if none has."""
        fitting = [number for number in range(len(self.tiers)) if self._fits(number, gap)]
        return min(
            fitting,
            key=lambda n: self.tiers[n].write_seconds(gap.bytes) + self.tiers[n].read_seconds(gap.bytes),
            default=None,
        )

    def take(self, gap: Gap, number: int) -> None:
        held = self.held[number]
        if held is not None:
            held[_away(gap)] += gap.bytes

    def _fits(self, number: int, gap: Gap) -> bool:
        held, capacity_bytes = self.held[number], self.tiers[number].capacity_bytes
        if held is None or capacity_bytes is None:
            return True
        return gap.bytes + int(held[_away(gap)].max(initial=0)) <= capacity_bytes


def _away(gap: Gap) -> slice:
    """The actions in which a tier has room taken for a storage: from its copy to its load."""
    return slice(gap.written if gap.written >= 0 else gap.before, gap.after + 1)


def _take(excess: Bytes, gap: Gap, room: _Room, tier: int) -> None:
    idle = _idle(excess, gap)
    np.maximum(idle - gap.bytes, 0, out=idle)
    room.take(gap, tier)


def _idle(numbers: Bytes, gap: Gap) -> Bytes:
    """Of numbers for each action those while a storage is idle, shared with the whole."""
    return numbers[gap.before + 1 : gap.after]
