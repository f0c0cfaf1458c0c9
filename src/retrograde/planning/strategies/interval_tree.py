"""Recursive halving: reverse the right half from what crosses the middle, then the left half from the inputs.

Source: the recursive scheme of T. Chen et al., "Training deep nets with sublinear memory cost", 2016, section 4.4;
A. Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation",
1992. A chain takes O(log n) memory and O(n log n) runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from retrograde.graph import Graph
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options

MOST_RUNS = 2_000_000
"""The longest sequence that is made; graphs of ten thousands of operations stay far below it."""


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """For leaves from half of the early part down to one operation: halving by count, and at the narrowest place.

    While something late reads from a leaf, what the leaf computes is held, and what crosses the middle of each
    interval around it of which it lies in the right half.
    """
    split = Split(graph)
    leaf = max(1, (len(split.early) + 1) // 2)
    while leaf >= 1:
        for middle in (_by_count, partial(_narrowest_middle, split)):
            yield recompute_on_demand(split, split.droppable, _Tree(split, leaf, middle).holds, MOST_RUNS)
        leaf //= 2


def _by_count(low: int, high: int) -> int:
    return (low + high + 1) // 2


def _narrowest_middle(split: Split, low: int, high: int) -> int:
    """The narrowest place in the middle third of an interval."""
    third = (high - low) // 3
    middle = _by_count(low, high)
    return split.narrowest(max(low + 1, low + third), min(high - 1, high - third), middle) if high - low > 2 else middle


class _Tree:
    """What to hold at each leaf of the tree of intervals."""

    def __init__(self, split: Split, leaf: int, middle: Callable[[int, int], int]) -> None:
        self.split = split
        self.leaf = leaf
        self.middle = middle
        self.middles: dict[tuple[int, int], int] = {}
        self.crossing: dict[int, frozenset[int]] = {}
        self.low = self.high = -1
        self.held: frozenset[int] = frozenset()

    def holds(self, places: Sequence[int]) -> frozenset[int]:
        """What is held while the leaf of the last of some places is at work."""
        home = max(places)
        if self.low <= home < self.high:
            return self.held
        low, high = 0, len(self.split.early)
        held: set[int] = set()
        crossing = frozenset[int]()
        while high - low > self.leaf:
            middle = self._middle(low, high)
            if home >= middle:
                crossing = self._crossing(low, middle, crossing)
                low = middle
                held |= crossing
            else:
                high = middle
        self.low, self.high = low, high
        self.held = frozenset(held.union(self.split.early[low:high]))
        return self.held

    def _middle(self, low: int, high: int) -> int:
        if (low, high) not in self.middles:
            self.middles[low, high] = self.middle(low, high)
        return self.middles[low, high]

    def _crossing(self, low: int, middle: int, before: frozenset[int]) -> frozenset[int]:
        """The operations before a middle that are read early at it or later, given those of the place ``low``."""
        if middle not in self.crossing:
            split, last = self.split, self.split.last_early_use
            old = [i for i in before if last[split.position[i]] >= middle]
            new = [split.early[p] for p in range(low, middle) if last[p] >= middle]
            self.crossing[middle] = frozenset(old + new)
        return self.crossing[middle]
