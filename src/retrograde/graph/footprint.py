"""Live bytes of the given order when nothing is recomputed: the frontier that everything else is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrograde.graph.model import Graph


def store_all_live_bytes(graph: Graph) -> list[int]:
    """Live bytes while each operation of ``graph.order`` runs, in bytes.

    Every operation runs once, in the given order. A storage is live from the operation that allocates it (or
    the border at which it arrives) to its last reader; outputs stay to the end. While an operation runs, what it
    reads, what it makes and its workspace are live; a storage that may be overwritten and dies there counts once.
    """
    return _walk(graph)[0]


def store_all_peak_bytes(graph: Graph) -> int:
    """The most bytes that are live in the given order, borders between segments included.

    At a border everything that arrives is live for a moment, what nobody reads too.
    """
    frontier, borders = _walk(graph)
    return max(max(frontier, default=0), max(borders, default=0))


def _walk(graph: Graph) -> tuple[list[int], list[int]]:
    """Live bytes while each operation of the order runs, and at the border before each segment but the first."""
    last_use = _last_uses(graph)
    crosses = _border_crossing(graph, last_use) if graph.retain else frozenset[int]()
    live = 0
    started: set[int] = set()
    frontier: list[int] = []
    borders: list[int] = []

    def pass_borders(segment: int) -> None:
        nonlocal live
        while len(borders) < segment:
            arriving = [s for s, arrival in enumerate(graph.arrivals) if arrival == len(borders) + 1]
            unread = sum(graph.storages[s].bytes for s in arriving if last_use[s] < 0)
            live += sum(graph.storages[s].bytes for s in arriving)
            borders.append(live + graph.fixed_demand(len(borders) + 1))
            live -= unread
            started.update(arriving)

    for position, (index, segment) in enumerate(zip(graph.order, graph.order_segments, strict=True)):
        pass_borders(segment)
        operation = graph.operations[index]
        for storage in graph.allocated_storages(index):
            live += graph.storages[storage].bytes
            started.add(storage)
        saved = sum(graph.storages[s].bytes for s in _overwritten(graph, index, position, last_use, crosses))
        frontier.append(live - saved + operation.workspace_bytes + graph.fixed_demand(segment))
        for storage in {graph.values[v].storage for v in (*operation.reads, *operation.makes)}:
            if last_use[storage] <= position and storage in started and storage not in crosses:
                live -= graph.storages[storage].bytes
                started.discard(storage)
    pass_borders(graph.segment_count - 1)
    return frontier, borders


def _overwritten(
    graph: Graph, index: int, position: int, last_use: list[int], crosses: frozenset[int]
) -> dict[int, int]:
    """Storages that die under the operation and are taken over, each with the one storage made that takes it."""
    taken: dict[int, int] = {}
    for made, read in graph.operations[index].may_overwrite:
        source, target = graph.values[read].storage, graph.values[made].storage
        dies = last_use[source] == position and source not in crosses
        if dies and source not in taken and target not in taken.values():
            taken[source] = target
    return taken


def _last_uses(graph: Graph) -> list[int]:
    """For each storage the last position of the order that makes or reads a value in it; outputs last for ever."""
    last_use = [-1] * len(graph.storages)
    for position, index in enumerate(graph.order):
        operation = graph.operations[index]
        for value in (*operation.reads, *operation.makes):
            last_use[graph.values[value].storage] = position
    for output in graph.outputs:
        last_use[graph.values[output].storage] = len(graph.order)
    return last_use


def _border_crossing(graph: Graph, last_use: list[int]) -> frozenset[int]:
    """Storages that are live across a border between segments."""
    begin = {s: arrival for s, arrival in enumerate(graph.arrivals) if arrival and last_use[s] >= 0}
    for index, segment in zip(graph.order, graph.order_segments, strict=True):
        for storage in graph.allocated_storages(index):
            begin[storage] = segment
    return frozenset(s for s, segment in begin.items() if _runs_in(graph, last_use[s]) > segment)


def _runs_in(graph: Graph, position: int) -> int:
    """The segment of a position of the order; the last one behind its end."""
    return graph.order_segments[position] if position < len(graph.order) else graph.segment_count - 1
