"""From decisions to actions: the walk that every strategy with a known length shares.

Reversing units i to j - 1, from state i as the current one, is either "record unit i, reverse the rest, reverse unit
i", or "store state i, advance to k, reverse units k to j - 1, go back to state i, reverse units i to k - 1". A
strategy only says which, and where k is. A unit is one step, or several that are recorded and reversed together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from retrograde.planning.loops.actions import Advance, Drop, LoopAction, Record, Restore, Reverse, Snapshot, TierName

Capacity = tuple[int, int]


class Decisions(Protocol):
    """A strategy, asked about one stretch of units at a time. What a capacity means is its own affair."""

    @property
    def capacity(self) -> Capacity:
        """What there is at the start."""
        ...

    def decide(self, start: int, stop: int, capacity: Capacity, tier: TierName | None) -> tuple[int, TierName]:
        """What to do about units ``start`` to ``stop - 1``, at least one, with ``start`` the current state.

        Args:
            start: the first unit.
            stop: the unit after the last.
            capacity: what is left, the bytes of state ``start`` included if it is stored.
            tier: where state ``start`` is stored, or None.

        Returns:
            Where to advance to and the tier that state ``start`` has to be in meanwhile; ``start`` itself to record.
        """
        ...

    def recorded(self, unit: int, capacity: Capacity) -> Capacity:
        """What is left once a unit is recorded."""
        ...

    def stored(self, unit: int, capacity: Capacity, tier: TierName) -> Capacity:
        """What is left once a state is stored."""
        ...


@dataclass(frozen=True, slots=True)
class Units:
    """Steps in units of equal length, of which the first may be shorter.

    Example:
        >>> units = Units(steps=10, length=4)
        >>> units.count, [units.first(unit) for unit in range(4)]
        (3, [0, 2, 6, 10])
    """

    steps: int
    length: int = 1

    @property
    def count(self) -> int:
        return -(-self.steps // self.length)

    def first(self, unit: int) -> int:
        """The first step of a unit; the number of steps for the unit after the last."""
        return max(0, self.steps - (self.count - unit) * self.length) if unit else 0


class Stretch(NamedTuple):
    """Units that are still to be reversed.

    Attributes:
        start: the first.
        stop: the one after the last.
        capacity: what is left, the bytes of state ``start`` included if it is stored.
        tier: where state ``start`` is stored; None if it is the current state instead.
    """

    start: int
    stop: int
    capacity: Capacity
    tier: TierName | None = None


def walk(units: Units, decisions: Decisions, stretches: Sequence[Stretch] | None = None) -> Iterator[LoopAction]:
    """The actions, one by one. What is kept meanwhile is as much as the machine has stored.

    Args:
        units: the steps.
        decisions: the strategy.
        stretches: what is to be reversed, the last first; everything, from state 0, if left out.
    """
    pending: list[Stretch | int] = [Stretch(0, units.count, decisions.capacity)] if units.count else []
    if stretches is not None:
        pending = [*stretches]
    while pending:
        task = pending.pop()
        if isinstance(task, int):
            for step in range(units.first(task + 1) - 1, units.first(task) - 1, -1):
                yield Reverse(step)
            continue
        first = units.first(task.start)
        if task.tier is not None:
            yield Restore(first, task.tier)
        to, tier = decisions.decide(task.start, task.stop, task.capacity, task.tier)
        if task.tier is not None and (to == task.start or tier != task.tier):
            yield Drop(first, task.tier)
        if to == task.start:
            for step in range(first, units.first(to + 1)):
                yield Record(step)
            pending.append(to)
        else:
            if tier != task.tier:
                yield Snapshot(first, tier)
            yield Advance(first, units.first(to))
        pending += parts(task, to, tier, decisions)


def parts(task: Stretch, to: int, tier: TierName, decisions: Decisions) -> list[Stretch]:
    """What a stretch falls into by a decision, the part to be reversed first at the end."""
    if to == task.start:
        left = decisions.recorded(task.start, task.capacity)
        return [Stretch(to + 1, task.stop, left)] if to + 1 < task.stop else []
    left = decisions.stored(task.start, task.capacity, tier)
    return [Stretch(task.start, to, task.capacity, tier), Stretch(to, task.stop, left)]
