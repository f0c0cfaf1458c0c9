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
    last_use = _last_uses(graph)
    crosses = _border_crossing(graph, last_use) if graph.retain else frozenset[int]()
    live = 0
    started: set[int] = set()
    frontier: list[int] = []
    segment = 0
    for position, (index, at_segment) in enumerate(zip(graph.order, graph.order_segments, strict=True)):
        while segment < at_segment:
            segment += 1
            live += _arriving_bytes(graph, segment, last_use, started)
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
    return frontier


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
    end = len(graph.order) - 1
    return frozenset(s for s, segment in begin.items() if graph.order_segments[min(last_use[s], end)] > segment)


def _arriving_bytes(graph: Graph, segment: int, last_use: list[int], started: set[int]) -> int:
    arriving = [s for s, arrival in enumerate(graph.arrivals) if arrival == segment and last_use[s] >= 0]
    started.update(arriving)
    return sum(graph.storages[s].bytes for s in arriving)
