"""What the dynamic program over blocks knows of a graph: bytes and costs of its blocks, and what is live anyway."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum

import numpy as np

from retrograde.planning.demand import Split
from retrograde.planning.simulator.layout import Integers

SHARES = (0.25, 0.5, 0.75, 0.9)
"""Of a block's stored bytes, what its cheaper ways of storing give up, those of least cost for each byte first."""


@dataclass(frozen=True)
class Storing:
    """A way to store a block until its backward.

    Attributes:
        places: what is stored, as places in ``split.early``; what crosses into the next block is not among them.
        size_bytes: bytes of what is stored and of what crosses into the next block.
        cost: of what is computed again for the block's backward.
    """

    places: tuple[int, ...]
    size_bytes: int
    cost: float


@dataclass(frozen=True)
class Block:
    """Early operations from one cut to the next.

    What crosses its end belongs to the next block's backward, which finds it in hand.

    Attributes:
        low: the first place in ``split.early``.
        high: the place behind the last.
        through_cost: of computing what crosses ``high`` from what crosses ``low``.
        whole_cost: of computing what else the block's backward reads.
        both_cost: of both at once.
        through_bytes: live at most while what crosses ``high`` is computed, what crosses ``low`` left out.
        whole_bytes: the same while what the backward reads is computed and kept.
        demand_bytes: live whatever is decided while the block's backward runs, at most.
        ways: to store it, from the largest to the smallest.
    """

    low: int
    high: int
    through_cost: float
    whole_cost: float
    both_cost: float
    through_bytes: int
    whole_bytes: int
    demand_bytes: int
    ways: tuple[Storing, ...]

    @property
    def signature(self) -> tuple[object, ...]:
        """All that the dynamic program reads of a block: blocks that agree in it are planned once."""
        ways = tuple((way.size_bytes, way.cost) for way in self.ways)
        costs = (self.through_cost, self.whole_cost, self.both_cost)
        return (self.high - self.low, costs, self.through_bytes, self.whole_bytes, self.demand_bytes, ways)


class Measures:
    """Blocks of one graph, measured.

    Args:
        split: the graph, cut at its turn.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        graph = split.graph
        self.is_droppable = [operation in split.droppable for operation in split.early]
        sizes = [sum(graph.storages[s].bytes for s in graph.allocated_storages(o)) for o in split.early]
        self.sizes = [size if free else 0 for size, free in zip(sizes, self.is_droppable, strict=True)]
        self.costs = [graph.operations[o].cost if o in split.droppable else 0.0 for o in split.early]
        self.workspaces = [graph.operations[o].workspace_bytes for o in split.early]
        self.last_use = split.last_early_use
        self.needs = [tuple(p for n in split.needs[o] if (p := split.position[n]) >= 0) for o in split.early]

    @cached_property
    def crossing_bytes(self) -> list[int]:
        """For each place, and the end, the bytes that can be dropped and are made before it and read early later."""
        change = [0] * (len(self.sizes) + 2)
        for place, size in enumerate(self.sizes):
            change[place + 1] += size
            change[self.last_use[place] + 1] -= size
        total, crossing = 0, list[int]()
        for step in change[:-1]:
            total += step
            crossing.append(total)
        return crossing

    @cached_property
    def is_read_late(self) -> list[bool]:
        """For each place whether it can be dropped and an operation behind the turn reads it."""
        read = [False] * len(self.sizes)
        for _, operation in self.split.late:
            for need in self.split.needs[operation]:
                place = self.split.position[need]
                if place >= 0 and self.is_droppable[place]:
                    read[place] = True
        return read

    @cached_property
    def late_reads(self) -> list[tuple[int, ...]]:
        """For each late operation the places that it reads whose results can be dropped."""
        position = self.split.position
        return [
            tuple(p for n in self.split.needs[o] if (p := position[n]) >= 0 and self.is_droppable[p])
            for _, o in self.split.late
        ]

    @cached_property
    def demands(self) -> list[int]:
        """For each late operation the bytes that are live while it runs whatever is decided about the early ones."""
        return _demands(self.split)

    def crossing(self, place: int, since: int = 0) -> list[int]:
        """The places from ``since`` up to a place whose results can be dropped and are read early at it or later."""
        return [p for p in range(since, place) if self.last_use[p] >= place and self.is_droppable[p]]

    def blocks(self, cuts: Sequence[int]) -> list[Block]:
        """The blocks between cuts, the first and the last place included among them."""
        demand = self._demand_of_blocks(cuts)
        return [self._block(low, high, live) for low, high, live in zip(cuts, cuts[1:], demand, strict=False)]

    def _demand_of_blocks(self, cuts: Sequence[int]) -> list[int]:
        """What is live anyway while the backward of each block runs; one without a backward is as the next."""
        found: dict[int, int] = {}
        for reads, live in zip(self.late_reads, self.demands, strict=True):
            index = max((self._home(cuts, place) for place in reads), default=-1)
            found[index] = max(found.get(index, 0), live)
        demand = [0] * (len(cuts) - 1)
        last = next((found[index] for index in range(len(demand)) if index in found), 0)
        for index in range(len(demand) - 1, -1, -1):
            last = demand[index] = found.get(index, last)
        return demand

    def overlaps(self, cuts: Sequence[int]) -> Integers:
        """For each pair of cuts the bytes made before the lower, and since the first of all, that cross the higher."""
        count = len(cuts)
        sizes = np.zeros((count + 1, count + 1), dtype=np.int64)
        for place in range(cuts[0], cuts[-1]):
            if self.sizes[place]:
                sizes[bisect_right(cuts, place), bisect_right(cuts, self.last_use[place])] += self.sizes[place]
        beyond = sizes.cumsum(0)[:, ::-1].cumsum(1)[:, ::-1]
        return beyond[:count, 1:]

    def _home(self, cuts: Sequence[int], place: int) -> int:
        """The block whose backward reads a place: the one behind it if the place's result crosses into that."""
        index = bisect_right(cuts, place) - 1
        if 0 <= index < len(cuts) - 1 and self.last_use[place] >= cuts[index + 1]:
            return index + 1
        return index

    def _block(self, low: int, high: int, demand_bytes: int) -> Block:
        crossing = [p for p in range(low, high) if self.last_use[p] >= high and self.is_droppable[p]]
        late = [p for p in range(low, high) if self.is_read_late[p] and self.last_use[p] < high]
        through = self._closure(crossing, low, ())
        whole = self._closure(late, low, ())
        return Block(
            low,
            high,
            through_cost=fsum(self.costs[p] for p in through),
            whole_cost=fsum(self.costs[p] for p in whole),
            both_cost=fsum(self.costs[p] for p in through | whole),
            through_bytes=self._transient(low, high, through, frozenset()),
            whole_bytes=self._transient(low, high, whole, frozenset(late)),
            demand_bytes=demand_bytes,
            ways=tuple(self._ways(low, crossing, late)),
        )

    def _closure(self, places: Iterable[int], low: int, kept: Iterable[int]) -> set[int]:
        """What has to run from a place on to have some results, with others in hand."""
        found: set[int] = set()
        stack, in_hand = list(places), frozenset(kept)
        while stack:
            place = stack.pop()
            if place >= low and place not in found and self.is_droppable[place]:
                found.add(place)
                stack += [need for need in self.needs[place] if need not in in_hand]
        return found

    def _transient(self, low: int, high: int, running: set[int], kept: frozenset[int]) -> int:
        """The most bytes live while some of a block's operations run, with what is kept held to the end."""
        leaving: dict[int, int] = {}
        live = peak = 0
        for place in range(low, high):
            if place in running:
                live += self.sizes[place]
                peak = max(peak, live + self.workspaces[place])
                if place not in kept and self.last_use[place] < high:
                    leaving[self.last_use[place]] = leaving.get(self.last_use[place], 0) + self.sizes[place]
            live -= leaving.pop(place, 0)
        return peak

    def _ways(self, low: int, crossing: Sequence[int], late: Sequence[int]) -> Iterable[Storing]:
        fixed_bytes = sum(self.sizes[p] for p in crossing)
        optional = sorted(late, key=lambda p: self.costs[p] / max(1, self.sizes[p]))
        total = sum(self.sizes[p] for p in optional)
        shares = iter((0.0, *SHARES))
        share, given = next(shares), 0
        for number in range(len(optional) + 1):
            if given >= share * total:
                kept = optional[number:]
                cost = fsum(self.costs[p] for p in self._closure(optional[:number], low, (*kept, *crossing)))
                yield Storing(tuple(kept), fixed_bytes + sum(self.sizes[p] for p in kept), cost)
                share = next((s for s in shares if s * total > given), 2.0)
            if number < len(optional):
                given += self.sizes[optional[number]]


def _demands(split: Split) -> list[int]:
    graph = split.graph
    segments = graph.order_segments
    position = {operation: place for place, operation in enumerate(graph.order)}
    end = len(graph.order)
    droppable = {s for o in split.droppable for s in graph.allocated_storages(o)}
    outputs = {graph.values[v].storage for v in graph.outputs}
    change = [0] * (end + 1)
    first_place = {segment: place for place, segment in reversed(list(enumerate(segments)))}
    last_read: dict[int, int] = {}
    for place, operation in enumerate(graph.order):
        for storage in (*graph.read_storages(operation), *graph.allocated_storages(operation)):
            last_read[storage] = place
    for storage, arrival in enumerate(graph.arrivals):
        maker = graph.allocators[storage]
        if arrival == 0 or storage in droppable:
            continue
        begins = first_place.get(arrival, end) if arrival is not None else position[maker] if maker is not None else end
        ends = end if storage in outputs else last_read.get(storage, begins) + 1
        change[begins] += graph.storages[storage].bytes
        change[max(begins, ends)] -= graph.storages[storage].bytes
    live, total = list[int](), 0
    for place in range(end):
        total += change[place]
        own = graph.operations[graph.order[place]].workspace_bytes
        live.append(total + own + graph.fixed_demand(segments[place]))
    return [live[position[operation]] for _, operation in split.late]
