"""The dynamic program over a chain of blocks: what to store and what to compute again, on several levels.

Source: O. Beaumont, L. Eyraud-Dubois, J. Herrmann, A. Joly, A. Shilova, "Optimal checkpointing for heterogeneous
chains", 2019, with several ways to store a block, as in X. Zhao, T. Le Hellard, L. Eyraud-Dubois, J. Gusak,
O. Beaumont, "Rockmate", ICML 2023, and with blocks that are chains of blocks in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retrograde.planning.blocks.measures import Block
from retrograde.planning.simulator.layout import Floats, Integers


@dataclass(frozen=True)
class Step:
    """What is decided for a part of a chain.

    Attributes:
        first: the first block of the part.
        last: its last block.
        units: of memory that the part may use.
        way: how the first block is stored, as an index; -1 if it is not.
        cut: the block up to which everything is computed and given up, if the first one is not stored; -1 for a
            single block, which is computed and kept for its backward at once.
    """

    first: int
    last: int
    units: int
    way: int = -1
    cut: int = -1


class Program:
    """The least cost of every part of a chain of blocks for every number of memory units.

    A part is processed from what crosses its start, which somebody else holds: its blocks run forward and then, last
    to first, backward. Either the first block is stored in one of its ways and the rest processed, or blocks are run
    through to some later one, the part from there on is processed, and then the part before it.

    Args:
        blocks: the chain.
        overlaps: for each pair of cuts the bytes that cross both.
        unit_bytes: bytes of a unit; sizes are rounded up to units.
        units: of memory, at most.
        leaves: for each block a curve of its own in place of computing and keeping it whole: for each number of
            units the cost of its forward and backward; None for none.

    Attributes:
        cost: for each first and last block and number of units, the least cost; infinity where nothing fits.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        overlaps: Integers,
        unit_bytes: int,
        units: int,
        leaves: Sequence[Floats | None] | None = None,
    ) -> None:
        self.blocks = blocks
        self.unit_bytes = unit_bytes
        self.units = units
        self.leaves: Sequence[Floats | None] = leaves or [None] * len(blocks)
        count, self._pad = len(blocks), units + 1
        self._table = np.full((count, count, 2 * self._pad), np.inf)
        self._steps = np.arange(self._pad)
        self._through = np.concatenate([[0.0], np.cumsum([b.through_cost for b in blocks])])
        crossing = np.diagonal(overlaps)
        self._jumps = np.minimum(self._in_units(np.maximum(0, crossing[None, :] - overlaps)), self._pad)
        for last in range(count):
            for first in range(last, -1, -1):
                self._table[first, last, self._pad :] = self._options(first, last).min(axis=0)

    def cost(self, first: int, last: int) -> Floats:
        """For each number of units the least cost of a part."""
        return self._table[first, last, self._pad :]

    def steps(self, units: int) -> Iterator[Step]:
        """The decisions for the whole chain, each part's before those of the parts in it, later blocks' first.

        Args:
            units: of memory; the cost of the whole chain must be finite there.
        """
        stack = [(0, len(self.blocks) - 1, units)]
        while stack:
            first, last, left = stack.pop()
            step = self._decide(first, last, left)
            yield step
            if step.way >= 0:
                size = self._in_units(self.blocks[first].ways[step.way].size_bytes)
                stack.append((first + 1, last, left - int(size)))
            elif step.cut >= 0:
                stack.append((first, step.cut - 1, left))
                stack.append((step.cut, last, left - int(self._jumps[first, step.cut])))

    def _decide(self, first: int, last: int, units: int) -> Step:
        if first == last:
            return Step(first, last, units)
        best = int(self._options(first, last)[:, units].argmin())
        ways = len(self.blocks[first].ways)
        if best < ways:
            return Step(first, last, units, way=best)
        return Step(first, last, units, cut=first + 1 + best - ways)

    def _options(self, first: int, last: int) -> Floats:
        """For each way to go on, and each number of units, the cost."""
        if first == last:
            leaf = self.leaves[first]
            block = self.blocks[first]
            return (leaf if leaf is not None else self._within(block.whole_cost, block, block.whole_bytes))[None, :]
        block = self.blocks[first]
        ways = [
            self._within(block.both_cost + way.cost, block, block.whole_bytes if way.cost else way.size_bytes)
            + self._table[first + 1, last, self._pad - min(self._pad, self._in_units(way.size_bytes)) :][: self._pad]
            for way in block.ways
        ]
        return np.vstack([*ways, self._through_to(first, last)])

    def _within(self, cost: float, block: Block, own_bytes: int) -> Floats:
        needed = self._in_units(block.demand_bytes + own_bytes)
        return np.where(self._steps >= needed, cost, np.inf)

    def _through_to(self, first: int, last: int) -> Floats:
        """For each later block, and each number of units, the cost of running through to it, of it, and of the rest."""
        cuts = np.arange(first + 1, last + 1)
        places = self._pad - self._jumps[first, cuts][:, None] + self._steps
        behind = self._table[cuts[:, None], last, places]
        before = self._table[first, first:last, self._pad :]
        cost = (self._through[cuts] - self._through[first])[:, None] + behind + before
        running = np.maximum.accumulate([b.through_bytes for b in self.blocks[first:last]])
        needed = self._in_units(running + self.blocks[last].demand_bytes)
        cost[self._steps < needed[:, None]] = np.inf
        return cost

    def _in_units(self, size: Integers | int) -> Integers:
        return -(-np.asarray(size) // self.unit_bytes)
