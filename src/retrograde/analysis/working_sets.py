"""Working sets: the bytes that are live while one operation runs, whatever the schedule around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retrograde.graph import Graph
from retrograde.graph.choosing import bound_reads


def working_set_bytes(graph: Graph, operation: int) -> int:
    """The least bytes that are live while an operation first runs, in any schedule.

    What it reads (free of charge if the caller held it before the call), what it makes, its workspace, the outputs
    that earlier segments handed over, and the fixed demand; the least of these over the segments in which its
    first run can fall. A made value that may overwrite a read one counts once. Of an operation with choices the one
    that needs least.

    Args:
        graph: the computation.
        operation: index of the operation.

    Returns:
        Bytes.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 4], edges=[(0, 1), (1, 2)])
        >>> working_set_bytes(graph, 2)
        12
    """
    return _working_set(graph, operation, due_segments(graph)[operation], Handover(graph.relaxed))


def working_sets(graph: Graph) -> tuple[int, ...]:
    """``working_set_bytes`` of every operation, in time linear in the graph.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 4], edges=[(0, 1), (1, 2)])
        >>> working_sets(graph)
        (8, 16, 12)
    """
    due = due_segments(graph)
    handover = Handover(graph.relaxed)
    return tuple(_working_set(graph, i, due[i], handover) for i in range(len(graph.operations)))


def largest_working_set_bytes(graph: Graph) -> int:
    """The largest working set: a bound that no schedule goes below, spilling and recomputation included.

    Every operation runs at least once, and all of its working set is live while it does.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 4], edges=[(0, 1), (1, 2)])
        >>> largest_working_set_bytes(graph)
        16
    """
    return max(working_sets(graph), default=0)


def due_segments(graph: Graph) -> tuple[int, ...]:
    """For each operation the last segment in which its first run can fall.

    An operation that makes an output, or that one which makes an output depends on, has run when that output is
    handed over; any other can wait for the last segment.
    """
    last = graph.segment_count - 1
    outputs = set(graph.outputs)
    due = [last] * len(graph.operations)
    for index in reversed(graph.order):
        operation = graph.operations[index]
        if not outputs.isdisjoint(operation.makes):
            due[index] = min(due[index], operation.segment)
        for value in operation.reads:
            producer = graph.producers[value]
            if producer is not None:
                due[producer] = min(due[producer], due[index])
    return tuple(due)


class Handover:
    """Which storages the caller holds from which segment on, because they are outputs of an earlier one.

    Attributes:
        due: for each storage that an output lives in, the segment at whose end it is handed over. Storages that
            the caller held before the call are left out: they are free of charge.
        held_bytes: for each segment the bytes of the outputs handed over before it begins. One more entry, the
            last, is for the end of the plan.
    """

    def __init__(self, graph: Graph) -> None:
        self.due: dict[int, int] = {}
        for value in graph.outputs:
            storage = graph.values[value].storage
            if graph.arrivals[storage] != 0:
                due = _due_segment(graph, value)
                self.due[storage] = min(due, self.due.get(storage, due))
        fresh = [0] * (graph.segment_count + 1)
        for storage, due in self.due.items():
            fresh[due + 1] += graph.storages[storage].bytes
        self.held_bytes: list[int] = []
        for count in fresh:
            self.held_bytes.append(count + (self.held_bytes[-1] if self.held_bytes else 0))

    def held_beside(self, graph: Graph, segment: int, storages: Iterable[int]) -> int:
        """Bytes of the outputs handed over before a segment, without those in ``storages``."""
        counted = sum(graph.storages[s].bytes for s in storages if self.due.get(s, segment) < segment)
        return self.held_bytes[segment] - counted


def _due_segment(graph: Graph, value: int) -> int:
    producer = graph.producers[value]
    if producer is not None:
        return graph.operations[producer].segment
    return graph.values[value].available_from or 0


def _working_set(graph: Graph, index: int, due: int, handover: Handover) -> int:
    operation = graph.operations[index]
    storages = {s for s in graph.read_storages(index) if graph.arrivals[s] != 0}
    storages.update(graph.allocated_storages(index))
    own = min(_own_bytes(graph, index, storages, choice) for choice in range(max(1, len(operation.choices))))
    beside = min(
        graph.fixed_demand(k) + handover.held_beside(graph.relaxed, k, storages)
        for k in range(operation.segment, due + 1)
    )
    return own + beside - _overwritten_bytes(graph, operation.may_overwrite)


def _own_bytes(graph: Graph, index: int, storages: Iterable[int], choice: int) -> int:
    """What an operation reads and makes, and its workspace, when it runs by a choice."""
    bound = set(bound_reads(graph, index)) | set(graph.allocated_storages(index))
    read = sum(graph.storage_bytes(s, choice) if s in bound else graph.relaxed.storages[s].bytes for s in storages)
    return read + graph.operation_workspace_bytes(index, choice)


def _overwritten_bytes(graph: Graph, pairs: Sequence[tuple[int, int]]) -> int:
    """The most bytes that overwriting saves: each storage read is taken by one storage made, and the reverse.

    Pairs are of equal size, so a largest matching, found by augmenting paths, saves the most.
    """
    wanted: dict[int, list[int]] = {}
    for made, read in pairs:
        wanted.setdefault(graph.values[made].storage, []).append(graph.values[read].storage)
    taken: dict[int, int] = {}

    def augment(target: int, seen: set[int]) -> bool:
        for source in wanted[target]:
            if source not in seen:
                seen.add(source)
                if source not in taken or augment(taken[source], seen):
                    taken[source] = target
                    return True
        return False

    for target in wanted:
        augment(target, set())
    return sum(graph.storages[s].bytes for s in taken)
