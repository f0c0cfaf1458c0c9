"""Small random graphs with everything a graph can have: segments, views, arrivals, workspace, outputs, once-only."""

from __future__ import annotations

from hypothesis import strategies as st

from retrograde import Graph, Operation, Storage, Value


@st.composite
def random_graphs(draw: st.DrawFn, *, most_operations: int = 8) -> Graph:
    count = draw(st.integers(1, most_operations))
    segment_of = sorted(draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    values: list[Value] = []
    storages: list[Storage] = []

    def new_storage() -> int:
        storages.append(Storage(draw(st.integers(0, 9))))
        return len(storages) - 1

    for segment in draw(st.lists(st.integers(0, 2), max_size=3)):
        values.append(Value(new_storage(), available_from=segment))
    since = [value.available_from or 0 for value in values]
    operations: list[Operation] = []
    for segment in segment_of:
        known = [v for v in range(len(values)) if since[v] <= segment]
        reads = tuple(dict.fromkeys(draw(st.lists(st.sampled_from(known), max_size=3)))) if known else ()
        is_view = bool(reads) and draw(st.integers(0, 4)) == 0
        makes: list[int] = []
        for _ in range(1 if is_view else draw(st.integers(1, 2))):
            values.append(Value(values[reads[0]].storage if is_view else new_storage()))
            since.append(segment)
            makes.append(len(values) - 1)
        operations.append(
            Operation(
                name="op",
                cost=draw(st.integers(0, 3)),
                reads=reads,
                makes=tuple(makes),
                workspace_bytes=draw(st.sampled_from([0, 0, 0, 5])),
                segment=segment,
                recomputable=draw(st.integers(0, 3)) > 0,
            )
        )
    outputs = draw(st.lists(st.sampled_from(range(len(values))), max_size=3, unique=True))
    fixed = draw(st.lists(st.integers(0, 4), max_size=3))
    order = tuple(range(count))
    graph = Graph(tuple(operations), tuple(values), tuple(storages), order, tuple(outputs), tuple(fixed))
    return _with_overwrites(draw, graph) if draw(st.booleans()) else graph


def _with_overwrites(draw: st.DrawFn, graph: Graph) -> Graph:
    kept = {graph.values[v].storage for v in graph.outputs}
    operations: list[Operation] = []
    for index, operation in enumerate(graph.operations):
        allocated = graph.allocated_storages(index)
        pairs = tuple(
            (made, read)
            for made in operation.makes
            for read in operation.reads
            if graph.values[made].storage in allocated
            and graph.values[read].storage not in kept
            and graph.arrivals[graph.values[read].storage] != 0
            and graph.storages[graph.values[made].storage].bytes == graph.storages[graph.values[read].storage].bytes
            and draw(st.booleans())
        )
        fields = {name: getattr(operation, name) for name in operation.__dataclass_fields__}
        operations.append(Operation(**(fields | {"may_overwrite": pairs})))
    return Graph(
        tuple(operations), graph.values, graph.storages, graph.order, graph.outputs, graph.fixed_bytes, name="drawn"
    )
