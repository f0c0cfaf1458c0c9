"""The best way in hand to bring one course within a budget by spilling alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrograde.planning.spilling.choosing import Chooser
from retrograde.planning.spilling.course import Absence, Course, Gap
from retrograde.planning.spilling.placing import Placer
from retrograde.planning.spilling.timing import Timing, timing
from retrograde.planning.transfers import Tier

SHARES = (0.02, 0.3, 3.0)
"""What a second of transfer that something hides counts for, tried in turn."""

Found = tuple[list[Absence], Timing]


@dataclass(frozen=True)
class Solution:
    """A course, what is out of memory in it, and how long that takes.

    Attributes:
        course: the course.
        absences: what is out of memory, and when.
        timing: how long it takes.
    """

    course: Course
    absences: tuple[Absence, ...]
    timing: Timing

    @property
    def score(self) -> tuple[float, int]:
        """Less is better: seconds, then bytes that are moved."""
        return self.timing.makespan, sum(absence.gap.bytes for absence in self.absences)


def solve(
    course: Course,
    budget_bytes: int,
    tiers: Sequence[Tier],
    *,
    below: float = float("inf"),
    effort: int = 0,
    is_late: Callable[[], bool] = lambda: False,
) -> Solution | None:
    """Storages to spill in a course so that it keeps a budget, with little waiting.

    Gaps are chosen greedily, those first in which most bytes above the budget go for the transfer time that nothing
    hides; then spills are made as late and loads as early as the bytes allow; then gaps that are waited for are
    exchanged for others while that helps.

    Args:
        course: the course.
        budget_bytes: the budget.
        tiers: where storages may go.
        below: a makespan to beat; a course that cannot is not looked at further.
        effort: how many times to try other gaps for those that are waited for.
        is_late: whether it is time to end; the first way found is returned in any case.

    Returns:
        The best found, at whatever makespan; None if there is none, or the course cannot be faster than ``below``.
    """
    if course.seconds >= below:
        return None
    if int(course.live.max(initial=0)) <= budget_bytes:
        return Solution(course, (), timing(course, (), tiers))
    if course.smallest_peak_bytes > budget_bytes:
        return None
    chooser, placer = Chooser(course, budget_bytes, tiers), Placer(course, budget_bytes, tiers)
    best: Found | None = None
    for share in SHARES:
        chosen = chooser.choose(share)
        if chosen is not None:
            best = _better(best, placer.place(chosen, polish=8 + 4 * effort, is_late=is_late))
        if best is not None and (best[1].makespan <= course.seconds or is_late()):
            break
    if best is None:
        return None
    best = _exchanged(best, chooser, placer, effort, is_late)
    return Solution(course, tuple(best[0]), best[1])


def _exchanged(best: Found, chooser: Chooser, placer: Placer, effort: int, is_late: Callable[[], bool]) -> Found:
    """Other gaps in place of those that are waited for, the longest first, while that helps."""
    barred: set[Gap] = set()
    while effort > 0 and best[1].makespan > placer.course.seconds and not is_late():
        waits = best[1].waits
        waiting = [a for a in waits if any(waits[a]) and a.gap not in barred]
        if not waiting:
            break
        worst = max(waiting, key=lambda a: (sum(waits[a]), a.gap.bytes, -a.gap.after))
        barred.add(worst.gap)
        kept = [a for a in best[0] if a != worst]
        for share in SHARES[::2]:
            effort -= 1
            chosen = chooser.choose(share, kept, frozenset(barred))
            if chosen is not None:
                best = _better(best, placer.place(chosen, polish=32, is_late=is_late))
    return best


def _better(best: Found | None, found: Found) -> Found:
    return found if best is None or _score(found) < _score(best) else best


def _score(found: Found) -> tuple[float, int]:
    return found[1].makespan, sum(absence.gap.bytes for absence in found[0])
