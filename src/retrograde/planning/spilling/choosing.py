"""Which gaps to use: as little transfer that nothing hides as bringing a course within a budget takes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from retrograde.planning.spilling.course import Absence, Bytes, Course, Gap, Seconds
from retrograde.planning.transfers import Tier

MOST_SINGLY = 4_000_000
"""Gaps times actions above which gaps are not chosen one by one."""

BATCHES = 64
"""Parts in which they are chosen then."""


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
        self._useful = [gap for gap in course.gaps if self._is_useful(gap)]
        least = [self._least_seconds(gap) for gap in self._useful]
        self._bare: Seconds = np.array([bare for bare, _ in least])
        self._whole: Seconds = np.array([whole for _, whole in least])
        self._bytes: Bytes = np.array([gap.bytes for gap in self._useful])
        self._before: Bytes = np.array([gap.before for gap in self._useful])
        self._after: Bytes = np.array([gap.after for gap in self._useful])

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
            taken.append(_take(excess, absence.gap, room, absence.tier))
        seen = {absence.gap for absence in taken} | barred
        numbers = [number for number, gap in enumerate(self._useful) if gap not in seen]
        picks = self._at_once if len(numbers) * len(excess) > MOST_SINGLY else self._singly
        for number in picks(excess, numbers, share):
            gap = self._useful[number]
            tier = room.fastest(gap)
            if tier is not None:
                taken.append(_take(excess, gap, room, tier))
        return None if excess.any() else self._without_needless(taken, {a.gap for a in kept})

    def _singly(self, excess: Bytes, numbers: list[int], share: float) -> Iterator[int]:
        """The gap that helps most, again and again; between two, whoever asks changes the excess."""
        prices = self._bare + share * self._whole
        heap = [(-self._help(excess, self._useful[number]) / prices[number], number) for number in numbers]
        heapq.heapify(heap)
        while heap and excess.any():
            _, number = heapq.heappop(heap)
            score = self._help(excess, self._useful[number]) / prices[number]
            if heap and -heap[0][0] > score * (1 + 1e-9):
                heapq.heappush(heap, (-score, number))
            elif score:
                yield number

    def _at_once(self, excess: Bytes, numbers: list[int], share: float) -> Iterator[int]:
        """The same with less care, for many gaps: several at a time, as if all bytes of each were in excess."""
        prices = self._bare + share * self._whole
        left = np.array(numbers)
        while len(left) and excess.any():
            over = np.concatenate([[0.0], np.cumsum(self._weights * (excess > 0))])
            scores = self._bytes[left] * (over[self._after[left]] - over[self._before[left] + 1]) / prices[left]
            left, scores = left[scores > 0], scores[scores > 0]
            best_first = np.argsort(-scores, kind="stable")
            batch = best_first[: 1 + len(self._useful) // BATCHES]
            yield from (int(number) for number in left[batch])
            left = np.delete(left, batch)

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


def _take(excess: Bytes, gap: Gap, room: _Room, tier: int) -> Absence:
    """Have a storage away for the whole of a gap."""
    idle = _idle(excess, gap)
    np.maximum(idle - gap.bytes, 0, out=idle)
    room.take(gap, tier)
    return Absence(gap, gap.before, gap.after, tier)


def _idle(numbers: Bytes, gap: Gap) -> Bytes:
    """Of numbers for each action those while a storage is idle, shared with the whole."""
    return numbers[gap.before + 1 : gap.after]
