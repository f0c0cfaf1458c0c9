"""A graph condensed to what the exact search sees: operations, items and storages with small numbers.

Views that cost nothing dissolve: their reader reads what they view, and the lowering puts them back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from retrograde.graph import Graph
from retrograde.planning.exact.layout import BORDER, END, PLAIN


@dataclass
class Step:
    """An operation as the search sees it; borders between segments and the end are steps, too.

    Attributes:
        operation: index in the graph; -1 for a border or the end.
        kind: ``PLAIN``, ``BORDER`` or ``END``.
        segment: the segment since which it may run; of a border the one that it ends.
        reads: items.
        makes: items.
        allocates: storages.
        touches: storages that it reads from.
        cost: in the graph's unit.
        workspace_bytes: beside its reads and makes.
        recomputable: whether it may run twice.
        pairs: storages (made, read) of which the one made may take the place of the one read.
    """

    operation: int
    kind: int
    segment: int
    reads: set[int] = field(default_factory=set[int])
    makes: set[int] = field(default_factory=set[int])
    allocates: list[int] = field(default_factory=list[int])
    touches: set[int] = field(default_factory=set[int])
    cost: float = 0.0
    workspace_bytes: int = 0
    recomputable: bool = False
    pairs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


@dataclass
class Instance:
    """Steps in the given order, and the storages between them.

    Attributes:
        steps: operations, borders and the end, in the given order.
        storage_bytes: for each storage its size; 0 for those that the caller held before the call.
        item_storage: for each item the storage that it lives in.
        held: storages that the caller held before the call.
        pins: for each segment the storages that were handed over when it begins.
        fixed_bytes: for each segment.
        retain: whether what crosses a border stays.
        ran: how many steps, the first ones, ran before the search begins.
        present: items that are there when it begins.
        segment: in which it begins.
    """

    steps: list[Step]
    storage_bytes: list[int]
    item_storage: list[int]
    held: set[int]
    pins: list[set[int]]
    fixed_bytes: list[int]
    retain: bool
    ran: int = 0
    present: frozenset[int] = frozenset()
    segment: int = 0

    @property
    def size(self) -> int:
        """How many operations there are to run."""
        return sum(step.kind == PLAIN for step in self.steps)


def instance_of(graph: Graph, budget_bytes: int) -> Instance:
    """Condense a graph.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])
        >>> [step.operation for step in instance_of(graph, 16).steps]
        [0, 1, -1]
    """
    return _Builder(graph, budget_bytes).build()


class _Builder:
    def __init__(self, graph: Graph, budget_bytes: int) -> None:
        self.graph = graph
        self.dissolved = _dissolved(graph, budget_bytes)
        self.item_of = [-1] * len(graph.values)
        self.item_storage: list[int] = []
        self.steps: list[Step] = []

    def build(self) -> Instance:
        graph = self.graph
        arrivals = self._number_arrivals()
        at = 0
        for index, segment in zip(graph.order, graph.order_segments, strict=True):
            while at < segment:
                at += 1
                self._add_border(at, arrivals)
            self._add(index)
        for segment in range(at + 1, graph.segment_count):
            self._add_border(segment, arrivals)
        self.steps.append(Step(-1, END, graph.segment_count - 1))
        pins = self._hand_over()
        for step in self.steps:
            if step.kind != PLAIN:
                step.touches = {self.item_storage[i] for i in step.reads}
        held = {s for s, arrival in enumerate(graph.arrivals) if arrival == 0}
        return Instance(
            steps=self.steps,
            storage_bytes=[0 if s in held else storage.bytes for s, storage in enumerate(graph.storages)],
            item_storage=self.item_storage,
            held=held,
            pins=pins,
            fixed_bytes=[graph.fixed_demand(k) for k in range(graph.segment_count)],
            retain=graph.retain,
        )

    def _new_item(self, storage: int) -> int:
        self.item_storage.append(storage)
        return len(self.item_storage) - 1

    def _number_arrivals(self) -> dict[int, list[int]]:
        """Give each storage that arrives later an item; return the storages by segment."""
        arrivals: dict[int, list[int]] = {}
        for storage, arrival in enumerate(self.graph.arrivals):
            if arrival:
                item = self._new_item(storage)
                arrivals.setdefault(arrival, []).append(storage)
                for value in self.graph.storage_values[storage]:
                    if self.graph.values[value].available_from is not None:
                        self.item_of[value] = item
        return arrivals

    def _add_border(self, segment: int, arrivals: dict[int, list[int]]) -> None:
        storages = arrivals.get(segment, [])
        makes = {self.item_of[v] for s in storages for v in self.graph.storage_values[s] if self.item_of[v] >= 0}
        self.steps.append(Step(-1, BORDER, segment - 1, makes=makes, allocates=storages))

    def _add(self, index: int) -> None:
        graph, operation = self.graph, self.graph.operations[index]
        if index in self.dissolved:
            viewed = self.item_of[operation.reads[0]]
            for value in operation.makes:
                self.item_of[value] = viewed
            return
        reads = self._items(operation.reads)
        items: dict[int, int] = {}
        for value in operation.makes:
            storage = graph.values[value].storage
            if storage not in items:
                items[storage] = self._new_item(storage)
            self.item_of[value] = items[storage]
        pairs = [(graph.values[m].storage, graph.values[r].storage) for m, r in operation.may_overwrite]
        self.steps.append(
            Step(
                index,
                PLAIN,
                operation.segment,
                reads=reads,
                makes=set(items.values()),
                allocates=list(graph.allocated_storages(index)),
                touches=set(graph.read_storages(index)),
                cost=operation.cost,
                workspace_bytes=operation.workspace_bytes,
                recomputable=operation.recomputable,
                pairs=list(dict.fromkeys(pairs)),
            )
        )

    def _items(self, values: Iterable[int]) -> set[int]:
        return {self.item_of[v] for v in values if self.item_of[v] >= 0}

    def _hand_over(self) -> list[set[int]]:
        """Let the border that ends its segment read each output; return what each segment finds handed over."""
        graph = self.graph
        pins: list[set[int]] = [set() for _ in range(graph.segment_count)]
        ends = [step for step in self.steps if step.kind != PLAIN]
        for value in graph.outputs:
            producer = graph.producers[value]
            since = graph.values[value].available_from if producer is None else graph.operations[producer].segment
            due = since or 0
            ends[due].reads |= self._items([value])
            for segment in range(due + 1, graph.segment_count):
                pins[segment].add(graph.values[value].storage)
        return pins


def _dissolved(graph: Graph, budget_bytes: int) -> set[int]:
    """Views of one value that are free, may run any time, and are wanted where what they view is wanted."""
    dissolved: set[int] = set()
    wanted = set(graph.outputs)
    for index in reversed(graph.order):
        operation = graph.operations[index]
        useful = not wanted.isdisjoint(operation.makes)
        if _is_free_view(graph, index) and (useful or _is_soon_enough(graph, index)):
            storage = graph.read_storages(index)[0]
            if graph.arrivals[storage] != 0 or graph.fixed_demand(0) <= budget_bytes:
                dissolved.add(index)
        if useful or index not in dissolved:
            wanted.update(operation.reads)
    return dissolved


def _is_free_view(graph: Graph, index: int) -> bool:
    operation = graph.operations[index]
    free = operation.cost == 0 and operation.workspace_bytes == 0 and operation.recomputable
    return free and graph.is_view(index) and len(set(operation.reads)) == 1


def _is_soon_enough(graph: Graph, index: int) -> bool:
    """Whether a view that nobody reads can run as soon as what it views is made."""
    value = graph.operations[index].reads[0]
    producer = graph.producers[value]
    if producer is not None:
        return graph.operations[index].segment <= graph.operations[producer].segment
    since = graph.values[value].available_from
    return since == 0 or graph.operations[index].segment <= (since or 0)
