"""A graph's forward as a chain of blocks, on two levels, and the sequences that the dynamic program makes of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from retrograde.errors import UsageError
from retrograde.planning.blocks.cuts import narrow_places
from retrograde.planning.blocks.measures import Block, Measures
from retrograde.planning.blocks.program import Program
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.simulator.layout import Floats, Integers

MOST_BLOCKS = 96
"""Blocks of the whole chain."""

MOST_INNER_BLOCKS = 24
"""Blocks of a block."""

UNITS = 300
"""Memory units of a budget."""

STRETCHES = (1.0, 1.03, 1.08, 1.2)
"""Budgets for which sequences are made, over the one that is asked for: the program rounds sizes up."""

MOST_RUNS = 20
"""Runs of a sequence for each operation, at most; but a million are always allowed."""


class Chain:
    """A forward as a chain of blocks, with the plans that a dynamic program over it finds.

    Blocks lie between narrow places, and what the program cannot see of a block is a chain of narrower blocks in turn.
    Blocks that look the same are planned once. The model is coarser than the graph (sizes are rounded up, what a
    block's backward frees on its way is not counted), so sequences are proposals, to be measured like all others.

    Args:
        split: the graph, cut at its turn.

    Attributes:
        cuts: the places in ``split.early`` between which blocks lie, its start and its end included.
        blocks: the blocks.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self.measures = Measures(split)
        end = len(split.early)
        self.cuts = self._cut(0, end, MOST_BLOCKS - 1)
        self.blocks = self.measures.blocks(self.cuts)
        self.inner: list[Inner | None] = [self._inner(block) for block in self.blocks]
        self._overlaps = self.measures.overlaps(self.cuts)

    def classes(self) -> list[list[int]]:
        """Which blocks look the same to the program, what is live anyway left out; each class is planned once."""
        classes: dict[tuple[object, ...], list[int]] = {}
        for number, (block, inner) in enumerate(zip(self.blocks, self.inner, strict=True)):
            look = (replace(block, demand_bytes=0).signature, inner.signature if inner is not None else ())
            classes.setdefault(look, []).append(number)
        return list(classes.values())

    def sequences(self, budget_bytes: int) -> Iterator[RunOrder]:
        """Sequences for budgets near one that is asked for; for the least that the program can do where it cannot."""
        if len(self.blocks) < 2 or budget_bytes < 1:
            return
        unit_bytes = max(1, -(-budget_bytes // UNITS))
        asked = budget_bytes // unit_bytes
        units = int(asked * STRETCHES[-1]) + 1
        programs = self._programs(unit_bytes, units)
        leaves = [self._leaf(n, p) if p is not None else None for n, p in enumerate(programs)]
        program = Program(self.blocks, self._overlaps, unit_bytes, units, leaves)
        finite = np.flatnonzero(np.isfinite(program.cost(0, len(self.blocks) - 1)))
        if not finite.size:
            return
        least = int(finite[0])
        for chosen in dict.fromkeys(max(least, int(asked * stretch)) for stretch in STRETCHES):
            try:
                yield _Writer(self, program, programs).sequence(chosen)
            except UsageError:
                continue

    def _cut(self, low: int, high: int, most: int) -> list[int]:
        return [low, *narrow_places(self.measures.crossing_bytes, low, high, most), high]

    def _inner(self, block: Block) -> Inner | None:
        cuts = self._cut(block.low, block.high, MOST_INNER_BLOCKS - 1)
        if len(cuts) < 3:
            return None
        blocks = self.measures.blocks(cuts)
        base_bytes = min(b.demand_bytes for b in blocks)
        blocks = [replace(b, demand_bytes=b.demand_bytes - base_bytes) for b in blocks]
        return Inner(cuts, blocks, self.measures.overlaps(cuts), base_bytes)

    def _leaf(self, number: int, program: Program) -> Floats:
        """The cost of a block that is a chain in turn, for each number of units."""
        inner = self.inner[number]
        assert inner is not None
        cost = program.cost(0, len(program.blocks) - 1)
        shift = min(len(cost), -(-inner.base_bytes // program.unit_bytes))
        return np.concatenate([np.full(shift, np.inf), cost[: len(cost) - shift]])

    def _programs(self, unit_bytes: int, units: int) -> list[Program | None]:
        """A program for each block that is a chain in turn; one for all that look the same."""
        known: dict[tuple[object, ...], Program] = {}
        programs: list[Program | None] = []
        for inner in self.inner:
            if inner is None:
                programs.append(None)
                continue
            if inner.signature not in known:
                known[inner.signature] = Program(inner.blocks, inner.overlaps, unit_bytes, units)
            programs.append(known[inner.signature])
        return programs


class Inner:
    """A block as a chain of blocks.

    Attributes:
        cuts: the places between which its blocks lie.
        blocks: its blocks; what is live anyway while their backward runs is counted above ``base_bytes``.
        overlaps: for each pair of cuts the bytes that cross both.
        base_bytes: live anyway throughout its backward.
        signature: all that the dynamic program reads of it.
    """

    def __init__(self, cuts: Sequence[int], blocks: Sequence[Block], overlaps: Integers, base_bytes: int) -> None:
        self.cuts = cuts
        self.blocks = blocks
        self.overlaps = overlaps
        self.base_bytes = base_bytes
        self.signature = (tuple(b.signature for b in blocks), overlaps.tobytes())


class _Writer:
    """Turns decisions into what is never dropped, and what is held while each block's backward runs."""

    def __init__(self, chain: Chain, program: Program, programs: Sequence[Program | None]) -> None:
        self.chain = chain
        self.program = program
        self.programs = programs
        self.kept: set[int] = set()
        self.leaves: dict[int, tuple[int, frozenset[int]]] = {}

    def sequence(self, units: int) -> RunOrder:
        """The sequence for a number of units."""
        chain, split = self.chain, self.chain.split
        self._write(self.program, chain.cuts, chain.blocks, units, None, self.programs)
        early = split.early
        dropped = split.droppable.difference(early[p] for p in self.kept)
        starts = sorted(self.leaves)
        held = [frozenset(early[p] for p in (*self.leaves[s][1], *range(s, self.leaves[s][0]))) for s in starts]
        now = len(starts) - 1

        def holds(places: Sequence[int]) -> frozenset[int]:
            nonlocal now
            now = min(now, max(self._home(starts, place) for place in places))
            return held[now]

        most_runs = max(1_000_000, MOST_RUNS * len(split.graph.operations))
        return recompute_on_demand(split, dropped, holds, most_runs, holds_early=False)

    def _home(self, starts: Sequence[int], place: int) -> int:
        """The leaf whose backward reads a place, as an index: the next one if the place's result crosses into that."""
        index = bisect_right(starts, place) - 1
        end = self.leaves[starts[index]][0]
        return index + 1 if self.chain.measures.last_use[place] >= end and index + 1 < len(starts) else index

    def _write(
        self,
        program: Program,
        cuts: Sequence[int],
        blocks: Sequence[Block],
        units: int,
        held: frozenset[int] | None,
        inner: Sequence[Program | None] | None,
    ) -> None:
        """Follow a program's steps; ``held`` is what is held throughout, None on the way of the first forward."""
        holding = {(0, len(blocks) - 1): held}
        for step in program.steps(units):
            now = holding.pop((step.first, step.last))
            block = blocks[step.first]
            if step.way >= 0:
                stored = (*block.ways[step.way].places, *self.chain.measures.crossing(block.high, block.low))
                holding[step.first + 1, step.last] = self._hold(now, stored)
                self.leaves[block.low] = (block.high, frozenset((*(now or ()), *stored)))
            elif step.cut >= 0:
                crossing = self.chain.measures.crossing(cuts[step.cut], cuts[step.first])
                holding[step.cut, step.last] = self._hold(now, crossing)
                holding[step.first, step.cut - 1] = now or frozenset()
            else:
                self._leaf(step.first, step.units, block, now, inner)

    def _leaf(
        self,
        number: int,
        units: int,
        block: Block,
        held: frozenset[int] | None,
        inner: Sequence[Program | None] | None,
    ) -> None:
        program = inner[number] if inner is not None else None
        if program is not None:
            chain = self.chain.inner[number]
            assert chain is not None
            base_units = -(-chain.base_bytes // program.unit_bytes)
            self._write(program, chain.cuts, chain.blocks, units - base_units, held, None)
            return
        if held is None:
            self.kept.update(range(block.low, block.high))
        self.leaves[block.low] = (block.high, held or frozenset())

    def _hold(self, held: frozenset[int] | None, places: Sequence[int]) -> frozenset[int] | None:
        if held is None:
            self.kept.update(places)
            return None
        return held.union(places)
