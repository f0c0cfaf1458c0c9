"""The shape of a graph: how deep, how wide, how widely read, and where its order is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.graph import Graph


@dataclass(frozen=True)
class NarrowPoint:
    """A place in the given order across which little is carried within its segment: a natural border of a block.

    Attributes:
        position: the place is between ``order[position]`` and ``order[position + 1]``.
        carried_bytes: bytes of the storages that are allocated before it and read after it in the same segment.
    """

    position: int
    carried_bytes: int


@dataclass(frozen=True)
class Structure:
    """The shape of a graph.

    Attributes:
        depth: number of operations on the longest path.
        width: the most operations at one level, a level being the length of the longest path that ends there.
        mean_fan_out: readers of a value that is read at all, on average.
        largest_fan_out: readers of the value that most operations read.
        shared_values: values that more than one operation reads.
        once_only: operations that may not run twice.
        narrow_points: local minima of the bytes that the given order carries, at most half the mean of the segment.
    """

    depth: int
    width: int
    mean_fan_out: float
    largest_fan_out: int
    shared_values: int
    once_only: int
    narrow_points: tuple[NarrowPoint, ...]


def structure_of(graph: Graph) -> Structure:
    """The shape of a graph.

    Example:
        >>> graph = Graph.from_arrays(cost=[1] * 4, bytes=[8] * 4, edges=[(0, 1), (0, 2), (1, 3), (2, 3)])
        >>> shape = structure_of(graph)
        >>> shape.depth, shape.width, shape.largest_fan_out
        (3, 2, 2)
    """
    by_level = generations(graph)
    fan_outs = [len(readers) for readers in graph.readers if readers]
    return Structure(
        depth=len(by_level),
        width=max((len(level) for level in by_level), default=0),
        mean_fan_out=sum(fan_outs) / len(fan_outs) if fan_outs else 0.0,
        largest_fan_out=max(fan_outs, default=0),
        shared_values=sum(count > 1 for count in fan_outs),
        once_only=sum(not operation.recomputable for operation in graph.operations),
        narrow_points=narrow_points(graph),
    )


def predecessors(graph: Graph) -> list[list[int]]:
    """For each operation the operations whose values it reads, each once."""
    return [
        list(dict.fromkeys(p for v in operation.reads if (p := graph.producers[v]) is not None))
        for operation in graph.operations
    ]


def generations(graph: Graph) -> list[list[int]]:
    """The operations by level: those of level k end a longest path of k + 1 operations."""
    import rustworkx

    dag: rustworkx.PyDiGraph[None, None] = rustworkx.PyDiGraph()
    dag.add_nodes_from([None] * len(graph.operations))
    edges = [(source, index) for index, sources in enumerate(predecessors(graph)) for source in sources]
    dag.add_edges_from_no_data(edges)
    return [sorted(level) for level in rustworkx.topological_generations(dag)]


def carried_bytes(graph: Graph) -> list[int]:
    """For each position of the given order the bytes carried across it within its segment.

    Position p is the place between ``order[p]`` and ``order[p + 1]``. A storage is carried if it is allocated before
    and last used after it, both in the segment of position p; what waits for a later segment does not count, so
    that the borders between a network's blocks show although the backward pass reads from inside them.
    """
    begin: dict[int, int] = {}
    end: dict[int, int] = {}
    allocators = graph.allocators
    for position, index in enumerate(graph.order):
        operation = graph.operations[index]
        for storage in {graph.values[v].storage for v in (*operation.reads, *operation.makes)}:
            if allocators[storage] == index:
                begin[storage] = position
            if storage in begin and graph.order_segments[begin[storage]] == graph.order_segments[position]:
                end[storage] = position
    change = [0] * (len(graph.order) + 1)
    for storage, first in begin.items():
        change[first] += graph.storages[storage].bytes
        change[end[storage]] -= graph.storages[storage].bytes
    carried: list[int] = []
    now = 0
    for position in range(len(graph.order)):
        now += change[position]
        carried.append(now)
    return carried


def narrow_points(graph: Graph) -> tuple[NarrowPoint, ...]:
    """Local minima of ``carried_bytes`` of at most half its mean over the segment; of a plateau the first position."""
    carried = carried_bytes(graph)
    points: list[NarrowPoint] = []
    for first, last in _segment_spans(graph):
        inside = carried[first:last]
        limit = sum(inside) / len(inside) / 2 if inside else 0
        points += [
            NarrowPoint(first + place, inside[place]) for place in _local_minima(inside) if inside[place] <= limit
        ]
    return tuple(points)


def _segment_spans(graph: Graph) -> list[tuple[int, int]]:
    """For each segment that the order runs in, its first position and its last one."""
    spans: dict[int, tuple[int, int]] = {}
    for position, segment in enumerate(graph.order_segments):
        spans[segment] = (spans.get(segment, (position, position))[0], position)
    return list(spans.values())


def _local_minima(numbers: Sequence[int]) -> list[int]:
    """First places of the plateaus with nothing lower on either side; neither end of the sequence is one."""
    minima: list[int] = []
    start = 0
    for place in range(1, len(numbers)):
        if numbers[place] == numbers[start]:
            continue
        if start > 0 and numbers[start - 1] > numbers[start] < numbers[place]:
            minima.append(start)
        start = place
    return minima
