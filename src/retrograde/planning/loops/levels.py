"""The amounts of free bytes that a dynamic program over a loop tells apart."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Levels:
    """Amounts of free bytes, ascending.

    Attributes:
        values: the amounts. Bytes are Python's ints: they may go beyond 64 bits.
        exact: whether they are all amounts that a schedule can come to; otherwise amounts are rounded down.
        endless: whether there is no limit, so that nothing is ever taken away.
    """

    values: tuple[int, ...]
    exact: bool = True
    endless: bool = False

    @staticmethod
    def of(budget_bytes: int, sizes: Sequence[tuple[int, ...]], limit: int, *, equal: bool) -> Levels:
        """The amounts that are left of a budget.

        Args:
            budget_bytes: what there is at first.
            sizes: for each unit, what may be taken away for it, one of these at most.
            limit: the most levels.
            equal: every unit has the same sizes.

        Example:
            >>> Levels.of(10, [(3, 5)] * 4, 100, equal=True).values
            (0, 1, 2, 4, 5, 7, 10)
            >>> Levels.of(10**6, [(2 * k + 1,) for k in range(300)], 5, equal=False).values
            (0, 250000, 500000, 750000, 1000000)
        """
        if not sizes:
            return Levels((budget_bytes,))
        found = _closure(budget_bytes, sizes[0], len(sizes), limit) if equal else _subsets(budget_bytes, sizes, limit)
        if found is not None:
            return Levels(tuple(sorted(found)))
        parts = max(1, limit - 1)
        return Levels(tuple(sorted({budget_bytes * part // parts for part in range(parts + 1)})), exact=False)

    @staticmethod
    def without_limit() -> Levels:
        return Levels((0,), endless=True)

    @property
    def count(self) -> int:
        return len(self.values)

    def after(self, amount: int) -> NDArray[np.intp]:
        """For each level the one that is left when an amount is taken away; ``count`` where there is not enough.

        There is one more entry, for ``count`` itself.
        """
        if self.endless:
            return np.arange(self.count + 1)
        left = [bisect_right(self.values, value - amount) - 1 for value in self.values]
        return np.array([level if level >= 0 else self.count for level in left] + [self.count])

    def first_with(self, amount: int) -> int:
        """The first level that has an amount; ``count`` if none has."""
        return 0 if self.endless else bisect_left(self.values, amount)


def _closure(budget: int, sizes: tuple[int, ...], count: int, limit: int) -> set[int] | None:
    """Amounts left after up to ``count`` sizes were taken; None beyond the limit."""
    found = newest = {budget}
    for _ in range(count):
        newest = {value - size for value in newest for size in sizes if value >= size} - found
        if not newest:
            break
        found = found | newest
        if len(found) > limit:
            return None
    return found


def _subsets(budget: int, sizes: Sequence[tuple[int, ...]], limit: int) -> set[int] | None:
    found = {budget}
    for options in sizes:
        found |= {value - size for value in found for size in options if value >= size}
        if len(found) > limit:
            return None
    return found
