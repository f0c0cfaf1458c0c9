"""A graph condensed to flat arrays: what the simulator's compiled kernels work on.

Views dissolve: a reader of a view reads the storage behind it, and the lowering puts the views back. What cannot
be dissolved safely (an operation that makes a view and something else, a view that may not run twice or needs
workspace) stays a node that runs once, and so does the operation whose storage it views.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from retrograde.graph import Graph
from retrograde.planning.simulator.layout import Arrays, Integers


@dataclass(frozen=True)
class Problem:
    """A graph as arrays, with the maps back to it.

    Attributes:
        graph: the graph.
        arrays: what the kernels work on.
        operations: for each node the operation it stands for; -1 for a border or the end.
        node_of: for each operation its node; -1 for a view that dissolved.
        borders: the node of the border before each segment; entry 0 is -1.
        end: the node of the end.
        storages: for each storage of the arrays the graph's storage; -1 for a token.
        sequence: the nodes in the graph's order, borders and end included.
    """

    graph: Graph
    arrays: Arrays
    operations: tuple[int, ...]
    node_of: tuple[int, ...]
    borders: tuple[int, ...]
    end: int
    storages: tuple[int, ...]
    sequence: tuple[int, ...]

    def nodes_of(self, sequence: Sequence[Sequence[int]]) -> list[int]:
        """The nodes of a per-segment sequence of operations, with borders and end; dissolved views are skipped."""
        nodes: list[int] = []
        for segment, operations in enumerate(sequence):
            if segment:
                nodes.append(self.borders[segment])
            nodes.extend(self.node_of[o] for o in operations if self.node_of[o] >= 0)
        return [*nodes, self.end]


def condense(graph: Graph) -> Problem:
    """Condense a graph to arrays.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])
        >>> problem = condense(graph)
        >>> problem.sequence, problem.end
        ((0, 1, 2), 2)
    """
    return _Condenser(graph).condense()


class _Condenser:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.dissolved = _dissolved_views(graph)
        self.operations = [o for o in range(len(graph.operations)) if o not in self.dissolved]
        self.node_of = [-1] * len(graph.operations)
        for node, operation in enumerate(self.operations):
            self.node_of[operation] = node
        count = len(self.operations)
        self.borders = [-1, *range(count, count + graph.segment_count - 1)]
        self.end = count + graph.segment_count - 1
        self.storages = [s for s, arrival in enumerate(graph.arrivals) if arrival != 0]
        self.storage_of = {s: i for i, s in enumerate(self.storages)}
        self.anchors = [o for o in self.operations if self._views(o)]
        self.token_of = {o: len(self.storages) + i for i, o in enumerate(self.anchors)}
        self.tokens = self._tokens_of_values()

    def condense(self) -> Problem:
        nodes = self.end + 1
        reads: list[list[int]] = [[] for _ in range(nodes)]
        makes: list[list[int]] = [[] for _ in range(nodes)]
        for node, operation in enumerate(self.operations):
            reads[node] = self._needs(self.graph.operations[operation].reads)
            makes[node] = [self.storage_of[s] for s in self.graph.allocated_storages(operation)]
            if operation in self.token_of:
                makes[node].append(self.token_of[operation])
        for storage, arrival in enumerate(self.graph.arrivals):
            if arrival:
                makes[self.borders[arrival]].append(self.storage_of[storage])
        due = self._read_outputs(reads)
        return Problem(
            graph=self.graph,
            arrays=self._arrays(reads, makes, due),
            operations=(*self.operations, *[-1] * self.graph.segment_count),
            node_of=tuple(self.node_of),
            borders=tuple(self.borders),
            end=self.end,
            storages=(*self.storages, *[-1] * len(self.anchors)),
            sequence=tuple(self._sequence()),
        )

    def _views(self, operation: int) -> list[int]:
        """The storages in which an operation makes views, if it does not dissolve."""
        allocated = set(self.graph.allocated_storages(operation))
        made = dict.fromkeys(self.graph.values[v].storage for v in self.graph.operations[operation].makes)
        return [s for s in made if s not in allocated]

    def _tokens_of_values(self) -> dict[int, tuple[int, ...]]:
        """For each value the tokens that stand for the anchors it comes through."""
        tokens: dict[int, tuple[int, ...]] = {}
        for index in self.graph.order:
            operation = self.graph.operations[index]
            if index in self.dissolved:
                inherited = tuple(dict.fromkeys(t for v in operation.reads for t in tokens.get(v, ())))
                tokens.update((v, inherited) for v in operation.makes if inherited)
            elif index in self.token_of:
                viewed = set(self._views(index))
                for value in operation.makes:
                    if self.graph.values[value].storage in viewed:
                        tokens[value] = (self.token_of[index],)
        return tokens

    def _needs(self, values: Iterable[int]) -> list[int]:
        needs: dict[int, None] = {}
        for value in values:
            storage = self.graph.values[value].storage
            if storage in self.storage_of:
                needs[self.storage_of[storage]] = None
            needs.update(dict.fromkeys(self.tokens.get(value, ())))
        return list(needs)

    def _read_outputs(self, reads: list[list[int]]) -> list[int]:
        """Let the border that ends its segment, and the end, read each output; return when each storage is due."""
        due = [-1] * (len(self.storages) + len(self.anchors))
        for value in self.graph.outputs:
            producer = self.graph.producers[value]
            since = self.graph.values[value].available_from
            segment = self.graph.operations[producer].segment if producer is not None else since or 0
            after = segment + 1
            marker = self.borders[after] if after < self.graph.segment_count else self.end
            for storage in self._needs([value]):
                due[storage] = segment if due[storage] < 0 else min(due[storage], segment)
                for reader in {marker, self.end}:
                    if storage not in reads[reader]:
                        reads[reader].append(storage)
        return due

    def _arrays(self, reads: list[list[int]], makes: list[list[int]], due: list[int]) -> Arrays:
        graph, count = self.graph, self.end + 1
        storage_count = len(due)
        cost, workspace = np.zeros(count), np.zeros(count, dtype=np.int64)
        segment, recomputable = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        for node, index in enumerate(self.operations):
            operation = graph.operations[index]
            cost[node], workspace[node] = operation.cost, operation.workspace_bytes
            segment[node], recomputable[node] = operation.segment, operation.recomputable
        for number in range(1, graph.segment_count):
            segment[self.borders[number]] = number
        segment[self.end] = graph.segment_count - 1
        for node in self._pinned_nodes():
            recomputable[node] = 0
        maker = np.full(storage_count, -1, dtype=np.int64)
        readers: list[list[int]] = [[] for _ in range(storage_count)]
        for node in range(count):
            for storage in makes[node]:
                maker[storage] = node
            for storage in reads[node]:
                readers[storage].append(node)
        sizes = [graph.storages[s].bytes for s in self.storages] + [0] * len(self.anchors)
        pairs = [self._overwrites(node) for node in range(count)]
        overwritable = np.zeros(storage_count, dtype=np.int64)
        overwritable[[read for row in pairs for _, read in row]] = 1
        read_pointer, read_index = _csr(reads)
        make_pointer, make_index = _csr(makes)
        reader_pointer, reader_index = _csr(readers)
        return Arrays(
            cost,
            _rows(workspace, segment, recomputable, read_pointer, make_pointer, _csr(pairs)[0]),
            _rows(np.array(sizes), maker, np.array(due), reader_pointer, overwritable),
            read_index,
            make_index,
            reader_index,
            np.array([pair for row in pairs for pair in row], dtype=np.int64).reshape(-1, 2).T.copy(),
            np.array([graph.fixed_demand(k) for k in range(graph.segment_count)], dtype=np.int64),
            np.array([int(graph.retain), len(self.operations)], dtype=np.int64),
        )

    def _pinned_nodes(self) -> set[int]:
        """Nodes that run once because a view on what they allocate cannot be made again."""
        pinned = {self.node_of[o] for o in self.anchors}
        for operation in self.anchors:
            for storage in self._views(operation):
                allocator = self.graph.allocators[storage]
                if allocator is not None:
                    pinned.add(self.node_of[allocator])
        return pinned

    def _overwrites(self, node: int) -> list[tuple[int, int]]:
        if node >= len(self.operations):
            return []
        pairs = self.graph.operations[self.operations[node]].may_overwrite
        values = self.graph.values
        return [
            (self.storage_of[values[made].storage], self.storage_of[values[read].storage])
            for made, read in pairs
            if values[read].storage in self.storage_of
        ]

    def _sequence(self) -> list[int]:
        sequence: list[int] = []
        at = 0
        for operation, segment in zip(self.graph.order, self.graph.order_segments, strict=True):
            while at < segment:
                at += 1
                sequence.append(self.borders[at])
            if self.node_of[operation] >= 0:
                sequence.append(self.node_of[operation])
        return [*sequence, *self.borders[at + 1 :], self.end]


def _dissolved_views(graph: Graph) -> set[int]:
    """The views that a simulator need not see: pure, of one storage, free of workspace, and wanted in time."""
    dissolved: set[int] = set()
    wanted = set(graph.outputs)
    for index in reversed(graph.order):
        operation = graph.operations[index]
        pure = graph.is_view(index) and operation.recomputable and operation.workspace_bytes == 0
        pure = pure and len(graph.read_storages(index)) == 1
        useful = not wanted.isdisjoint(operation.makes)
        if pure and (useful or operation.segment <= _storage_segment(graph, graph.read_storages(index)[0])):
            dissolved.add(index)
        if useful or index not in dissolved:
            wanted.update(operation.reads)
    first = [o for o, segment in zip(graph.order, graph.order_segments, strict=True) if segment == 0]
    if first and dissolved.issuperset(first):
        dissolved.discard(first[0])  # something must stand where the first segment's fixed demand shows
    return dissolved


def _storage_segment(graph: Graph, storage: int) -> int:
    allocator = graph.allocators[storage]
    return graph.operations[allocator].segment if allocator is not None else 0


def _csr(rows: Sequence[Sequence[object]]) -> tuple[Integers, Integers]:
    pointer = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=pointer[1:])
    return pointer, np.array([entry for row in rows for entry in row], dtype=np.int64)


def _rows(*columns: Integers) -> Integers:
    """Arrays as the rows of one, each padded with a 0 to the length of the longest."""
    rows = np.zeros((len(columns), max(len(c) for c in columns)), dtype=np.int64)
    for row, column in zip(rows, columns, strict=True):
        row[: len(column)] = column
    return rows
