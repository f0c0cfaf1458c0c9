"""Hypothesis strategy: small graphs with everything that a graph can have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from retrograde import Graph, Operation, Storage, Value

SIZES = [0, 1, 2, 3, 4, 4, 4, 8]


@st.composite
def small_graphs(draw: st.DrawFn, *, most_operations: int = 6, segments: int = 3) -> Graph:
    """Graphs of 1 to ``most_operations`` operations in at most ``segments`` segments, numbered at random.

    Views (of one storage and of several), several results, operations that make a view and more, workspace,
    inputs that arrive in any segment, overwriting, fixed demand, outputs, operations that run once, retention, and
    operations that stand behind a border which they need not wait for.
    """
    last_segment = draw(st.sampled_from([min(s, segments - 1) for s in (0, 1, 1, 2)]))
    builder = _Builder(draw, last_segment)
    for _ in range(draw(st.integers(0, 2))):
        builder.add_input()
    count = max(draw(st.integers(1, most_operations)), draw(st.integers(1, most_operations)))
    for place in range(count):
        builder.add_operation(place * (last_segment + 1) // count)
    return builder.build()


@dataclass
class _Builder:
    draw: st.DrawFn
    last_segment: int
    values: list[Value] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def new_storage(self) -> int:
        self.storages.append(Storage(self.draw(st.sampled_from(SIZES))))
        return len(self.storages) - 1

    def new_value(self, storage: int, since: int, available_from: int | None = None) -> int:
        self.values.append(Value(storage, available_from))
        self.since.append(since)
        return len(self.values) - 1

    def add_input(self) -> None:
        arrival = self.draw(st.integers(0, self.last_segment))
        storage = self.new_storage()
        for _ in range(self.draw(st.sampled_from([1, 1, 1, 2]))):
            self.new_value(storage, arrival, arrival)

    def add_operation(self, usual_segment: int) -> None:
        draw = self.draw
        known = [v for v, since in enumerate(self.since) if since <= usual_segment]
        least = draw(st.sampled_from([1, 1, 1, 1, 0]))
        reads = tuple(draw(st.lists(st.sampled_from(known), min_size=least, max_size=3, unique=True))) if known else ()
        earliest = max((self.since[v] for v in reads), default=0)
        segment = draw(st.sampled_from([usual_segment, usual_segment, usual_segment, earliest, self.last_segment]))
        makes: list[int] = []
        views = bool(reads) and draw(st.integers(0, 3)) == 0
        if views:
            makes.append(self.new_value(self.values[reads[0]].storage, segment))
        for _ in range(draw(st.sampled_from([0, 0, 0, 1] if views else [1, 1, 1, 1, 2, 0]))):
            makes.append(self.new_value(self.new_storage(), segment))
        if makes and not views and draw(st.integers(0, 7)) == 0:
            makes.append(self.new_value(self.values[makes[0]].storage, segment))
        self.operations.append(
            Operation(
                name=f"op {len(self.operations)}",
                cost=float(draw(st.integers(0, 4))),
                reads=reads,
                makes=tuple(makes),
                workspace_bytes=draw(st.sampled_from([0, 0, 0, 2, 5])),
                segment=segment,
                recomputable=draw(st.sampled_from([True, True, True, False])),
            )
        )

    def build(self) -> Graph:
        draw = self.draw
        count = len(self.operations)
        number = draw(st.permutations(range(count)))
        numbered = [self.operations[number.index(i)] for i in range(count)]
        graph = Graph(
            tuple(numbered),
            tuple(self.values),
            tuple(self.storages),
            order=tuple(number),
            fixed_bytes=tuple(draw(st.lists(st.integers(0, 3), max_size=self.last_segment + 1))),
            retain=draw(st.sampled_from([False, False, False, True])),
        )
        possible = _possible_outputs(graph)
        outputs = draw(st.lists(st.sampled_from(possible), max_size=3, unique=True)) if possible else []
        graph = replace(graph, outputs=tuple(outputs))
        return replace(graph, operations=tuple(self.with_overwrites(graph, i) for i in range(count)))

    def with_overwrites(self, graph: Graph, index: int) -> Operation:
        operation = graph.operations[index]
        allocated = graph.allocated_storages(index)
        kept = {graph.values[v].storage for v in graph.outputs}
        pairs = [
            (made, read)
            for made in operation.makes
            for read in operation.reads
            if (target := graph.values[made].storage) in allocated
            and (source := graph.values[read].storage) not in kept
            and graph.arrivals[source] != 0
            and graph.storages[target].bytes == graph.storages[source].bytes
        ]
        chosen = tuple(self.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3))) if pairs else ()
        return replace(operation, may_overwrite=chosen)


def _possible_outputs(graph: Graph) -> list[int]:
    """Values that may be outputs: no operation makes them behind the border before which they are due."""
    runs_in = dict(zip(graph.order, graph.order_segments, strict=True))
    possible: list[int] = []
    for value, maker in enumerate(graph.producers):
        if maker is None or runs_in[maker] == graph.operations[maker].segment:
            possible.append(value)
    return possible
