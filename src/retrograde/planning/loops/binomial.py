"""Equal steps and slots for states: the binomial schedules, in closed form (Griewank & Walther, 2000)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb

from retrograde.planning.loops.actions import TierName
from retrograde.planning.loops.walk import Capacity


def longest(slots: int, repetitions: int) -> int:
    """The longest loop that can be reversed with so many slots when no step is advanced over more often than that.

    Example:
        >>> longest(3, 2), longest(3, 0), longest(3, -1)
        (10, 1, 0)
    """
    return comb(slots + repetitions, slots) if repetitions >= 0 else 0


@lru_cache(maxsize=1 << 14)
def repetitions(steps: int, slots: int) -> int:
    """How often some step has to be advanced over, at least, to reverse a loop.

    Args:
        steps: at least 1.
        slots: places for states, the initial one included; at least 1, or 0 for a single step.

    Example:
        >>> repetitions(10, 3), repetitions(11, 3), repetitions(1, 0)
        (2, 3, 0)
    """
    if slots <= 1:
        return steps - 1
    high = 1
    while longest(slots, high) < steps:
        high *= 2
    low = high // 2
    # longest(slots, low) < steps <= longest(slots, high), or low is 0.
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if longest(slots, middle) >= steps else (middle, high)
    return low if longest(slots, low) >= steps else high


def forward_steps(steps: int, slots: int) -> int:
    """The least number of steps to advance over when a loop is reversed, the first sweep included.

    The run inside each reversed step is not counted: it is a ``Record``.

    Args:
        steps: 0 or more.
        slots: places for states, the initial one included; at least 1 where there is more than one step.

    Returns:
        r·n − C(s + r, r − 1), with the r for which C(s + r − 1, s) < n ≤ C(s + r, s) (Griewank & Walther, 2000).

    Example:
        >>> forward_steps(100, 3), forward_steps(1000, 10), forward_steps(10_000, 10)
        (490, 3636, 57624)
    """
    if steps <= 1:
        return 0
    if slots == 1:
        return steps * (steps - 1) // 2
    count = repetitions(steps, slots)
    return count * steps - comb(slots + count, count - 1)


@lru_cache(maxsize=1 << 14)
def _ahead(length: int, slots: int) -> int:
    """How far to advance from a stored state; 0 for a single step, which is recorded."""
    if length == 1 or slots == 1:
        return length - 1
    count = repetitions(length, slots)
    return min(longest(slots, count - 1), length - longest(slots - 1, count - 1))


@dataclass(frozen=True, slots=True)
class Revolve:
    """The binomial schedule, with capacity counted in slots.

    A split of l steps at k is optimal when neither part needs its steps more often than r - 1 times (the first) and r
    times (the second). The largest such k is C(s + r - 1, s) or what leaves C(s + r - 2, s - 1) behind it, whichever
    is less.
    """

    slots: int

    @property
    def capacity(self) -> Capacity:
        return (self.slots, 0)

    def decide(self, start: int, stop: int, capacity: Capacity, tier: TierName | None) -> tuple[int, TierName]:
        return start + _ahead(stop - start, capacity[0]), "memory"

    def recorded(self, unit: int, capacity: Capacity) -> Capacity:
        return capacity

    def stored(self, unit: int, capacity: Capacity, tier: TierName) -> Capacity:
        return (capacity[0] - 1, 0)
