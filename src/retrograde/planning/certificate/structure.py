"""What every relaxation of one graph shares: who needs what to run again, as flat arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrograde.analysis.working_sets import due_segments
from retrograde.graph import Graph

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

NOBODY = -1
DIGITS = 44


@dataclass(frozen=True)
class Needs:
    """The rule "who runs with a value has it kept or made again", one entry for each way to state it.

    If ``reader`` runs after a moment at which ``witness`` had run, then ``storage`` was live at that moment or
    ``maker`` runs after it. The maker is the operation that makes the value, or the one that allocates its storage.

    Attributes:
        storage: the storage that holds the value.
        maker: an operation, or ``NOBODY`` where an input holds it: then it had to be live.
        reader: the operation that reads the value; the number of operations stands for the end of the plan.
        witness: the operation that made the value first; ``NOBODY`` for an input.
        arrival: for an input the segment in which it arrives, else -1.
        is_allocation: whether the maker is the operation that allocates the storage.
    """

    storage: Integers
    maker: Integers
    reader: Integers
    witness: Integers
    arrival: Integers
    is_allocation: Flags


class Structure:
    """A graph as the relaxations see it.

    Args:
        graph: the computation.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.count = len(graph.operations)
        self.storage_count = len(graph.storages)
        self.costs = np.array([o.cost for o in graph.operations], dtype=np.float64)
        self.recomputable = np.array([o.recomputable for o in graph.operations] + [False, False], dtype=np.bool_)
        self.is_operation = np.arange(self.count + 2) < self.count
        self.segments = np.array([o.segment for o in graph.operations], dtype=np.int64)
        self.due = np.array(due_segments(graph), dtype=np.int64)
        self.order = np.array(graph.order, dtype=np.int64)
        self.position = np.empty(self.count, dtype=np.int64)
        self.position[self.order] = np.arange(self.count)
        self.sizes = [s.bytes for s in graph.storages]
        self.arrivals = np.array([-1 if a is None else a for a in graph.arrivals], dtype=np.int64)
        self.allocators = np.array([NOBODY if a is None else a for a in graph.allocators], dtype=np.int64)
        self.handed_over = self._handed_over()

    def _handed_over(self) -> Integers:
        """For each storage the segment at whose end the caller holds it; more than any segment if never."""
        graph = self.graph
        due = np.full(self.storage_count, graph.segment_count, dtype=np.int64)
        for value in graph.outputs:
            producer, storage = graph.producers[value], graph.values[value].storage
            arrival = graph.values[value].available_from or 0
            due[storage] = min(due[storage], arrival if producer is None else graph.operations[producer].segment)
        return due

    @cached_property
    def base_cost(self) -> Fraction:
        """The exact cost of running every operation once."""
        return sum((Fraction(o.cost) for o in self.graph.operations), Fraction(0))

    @cached_property
    def cost_scale(self) -> Fraction:
        """A power of two, at least the base cost: in it costs are about 1."""
        base = self.base_cost
        if not base:
            return Fraction(1)
        return Fraction(2) ** (math.ceil(math.log2(base.numerator) - math.log2(base.denominator)) + 1)

    @cached_property
    def unit(self) -> Fraction:
        """What costs and prices are counted in: a small fraction of ``cost_scale``."""
        return self.cost_scale / (1 << DIGITS)

    @cached_property
    def bytes_scale(self) -> int:
        """A power of two, at least the size of any storage; byte prices are for so many bytes."""
        return 1 << max(self.sizes, default=1).bit_length()

    @cached_property
    def scaled_sizes(self) -> Reals:
        """The size of each storage in ``bytes_scale``."""
        return np.array([float(Fraction(size, self.bytes_scale)) for size in self.sizes], dtype=np.float64)

    @cached_property
    def cost_units(self) -> Integers:
        """The cost of each operation in whole units, rounded down; the last entry, for nobody, is 0."""
        unit = self.unit
        return np.array([int(Fraction(o.cost) / unit) for o in self.graph.operations] + [0], dtype=np.int64)

    @cached_property
    def makers(self) -> tuple[Integers, Integers]:
        """For each operation those whose values it reads: where they start in a list, and the list."""
        producers = self.graph.producers
        before = [
            list(dict.fromkeys(p for v in o.reads if (p := producers[v]) is not None)) for o in self.graph.operations
        ]
        starts = np.concatenate(([0], np.cumsum([len(b) for b in before], dtype=np.int64)))
        return starts, np.array([p for b in before for p in b], dtype=np.int64)

    @cached_property
    def needs(self) -> Needs:
        """Every need that is not free of charge, each once."""
        entries: dict[tuple[int, int, int, int, int, bool], None] = {}
        for reader, operation in enumerate(self.graph.operations):
            self._add_needs(entries, reader, operation.reads)
        self._add_needs(entries, self.count, self.graph.outputs)
        columns = np.array(list(entries), dtype=np.int64).reshape(-1, 6).T
        storage, maker, reader, witness, arrival, is_allocation = columns
        return Needs(storage, maker, reader, witness, arrival, is_allocation.astype(np.bool_))

    def _add_needs(
        self, entries: dict[tuple[int, int, int, int, int, bool], None], reader: int, values: Iterable[int]
    ) -> None:
        graph = self.graph
        for value in values:
            storage = graph.values[value].storage
            if self.arrivals[storage] == 0:
                continue
            producer = graph.producers[value]
            witness = NOBODY if producer is None else producer
            arrival = graph.values[value].available_from
            allocator = int(self.allocators[storage])
            entries[(storage, allocator, reader, witness, -1 if arrival is None else arrival, True)] = None
            if producer is not None and producer != allocator and not self._is_plain_view(producer, storage):
                entries[(storage, producer, reader, witness, -1, False)] = None

    def _is_plain_view(self, operation: int, storage: int) -> bool:
        """Whether an operation runs again at no cost and from nothing but its own storage and what is free."""
        description = self.graph.operations[operation]
        read = (self.graph.values[v].storage for v in description.reads)
        return (
            description.recomputable
            and description.cost == 0
            and all(s == storage or self.arrivals[s] == 0 for s in read)
        )

    @cached_property
    def path(self) -> Integers:
        """The operations of a longest path, first to last."""
        from retrograde.planning.certificate.kernels import longest_path

        return longest_path(self.order, *self.makers) if self.count else np.empty(0, np.int64)
