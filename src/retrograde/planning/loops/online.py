"""Loops whose length is not known beforehand: where to store states as the loop runs."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.planning.loops.actions import Advance, Drop, LoopAction, Snapshot


class Placement:
    """Which states are stored while a loop runs, its length being unknown.

    The rule is the dynamic one of Wang, Moin & Iaccarino (2009). Every stored state has a level, the initial one
    above all others. While there is a free slot the new state takes it, at level 0. Later the newest state that
    stands before one of a higher level is given up for it; if there is none, the newest state moves on to the present
    and rises by a level.

    Whenever the loop ends, binomial schedules between the stored states reverse it with no step advanced over more
    than once more often than the shortest repetition for that length and those slots (``binomial.repetitions``).

    Args:
        slots: places for states, the initial one included; at least 1.

    Example:
        >>> placement = Placement(slots=3)
        >>> for step in range(8):
        ...     _ = placement.advance()
        >>> placement.stored
        [0, 6, 7]
    """

    __slots__ = ("_levels", "_slots", "step", "stored")

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._levels: list[int] = []
        self.stored: list[int] = []
        self.step = 0

    def advance(self) -> tuple[LoopAction, ...]:
        """What to do at the present state: a state to drop, one to store, and one step to advance."""
        actions = [*self._place(), Advance(self.step, self.step + 1)]
        self.step += 1
        return tuple(actions)

    def _place(self) -> Iterator[LoopAction]:
        level = 0
        if len(self.stored) == self._slots:
            given_up = self._dispensable()
            if given_up is None and (len(self.stored) == 1 or self.stored[-1] != self.step - 1):
                return
            if given_up is None:
                given_up = len(self.stored) - 1
                level = self._levels[given_up] + 1
            yield Drop(self.stored.pop(given_up))
            del self._levels[given_up]
        yield Snapshot(self.step)
        self.stored.append(self.step)
        self._levels.append(level)

    def _dispensable(self) -> int | None:
        """The newest stored state with one of a higher level behind it. The initial state is none."""
        highest = -1
        for index in range(len(self.stored) - 1, 0, -1):
            if self._levels[index] < highest:
                return index
            highest = max(highest, self._levels[index])
        return None
