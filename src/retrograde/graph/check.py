"""What makes a graph valid. One small function for each rule; each raises GraphError naming what is at fault."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from retrograde.errors import GraphError
from retrograde.graph.check_choices import check_choices

if TYPE_CHECKING:
    from retrograde.graph.model import Graph


def check_graph(graph: Graph) -> None:
    """Raise GraphError unless the graph is valid."""
    _check_sizes(graph)
    _check_references(graph)
    _check_makers(graph)
    _check_order_is_permutation(graph)
    _check_order_respects_reads(graph)
    _check_storages(graph)
    _check_segments(graph)
    _check_outputs(graph)
    _check_overwrites(graph)
    if graph.has_choices or any(operation.choice_of is not None for operation in graph.operations):
        check_choices(graph, describe_operation)


def check_storages_changed(before: Graph, after: Graph) -> None:
    """Raise GraphError unless a graph that differs from a valid one in its storages' bytes alone is valid."""
    if len(before.storages) != len(after.storages):
        raise GraphError(f"the graph has {len(before.storages)} storages, {len(after.storages)} are given")
    _check_storage_sizes(after)
    for index, operation in enumerate(after.operations):
        for made, read in operation.may_overwrite:
            problem = _overwrite_problem(after, operation.makes, operation.reads, made, read)
            if problem is not None:
                raise GraphError(f"{describe_operation(after, index)}: may_overwrite ({made}, {read}): {problem}")
    if after.has_choices:
        check_choices(after, describe_operation)


def _check_storage_sizes(graph: Graph) -> None:
    for index, storage in enumerate(graph.storages):
        if not _is_count(storage.bytes):
            raise GraphError(
                f"storage {index} ({storage.name or 'unnamed'}): bytes must be an int of 0 or more, "
                f"found {storage.bytes!r}"
            )


def _check_sizes(graph: Graph) -> None:
    _check_storage_sizes(graph)
    for index, operation in enumerate(graph.operations):
        place = describe_operation(graph, index)
        if not _is_cost(operation.cost):
            raise GraphError(f"{place}: cost must be finite and 0 or more, found {operation.cost!r}")
        if not _is_count(operation.workspace_bytes):
            raise GraphError(
                f"{place}: workspace_bytes must be an int of 0 or more, found {operation.workspace_bytes!r}"
            )
        if not _is_count(operation.segment):
            raise GraphError(f"{place}: segment must be an int of 0 or more, found {operation.segment!r}")
    for segment, fixed in enumerate(graph.fixed_bytes):
        if not _is_count(fixed):
            raise GraphError(f"fixed_bytes of segment {segment} must be an int of 0 or more, found {fixed!r}")


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _is_cost(number: object) -> bool:
    if not isinstance(number, int | float) or isinstance(number, bool):
        return False
    return math.isfinite(number) and number >= 0


def _check_references(graph: Graph) -> None:
    for index, value in enumerate(graph.values):
        _check_range(f"value {index} ({value.name or 'unnamed'})", "storage", [value.storage], len(graph.storages))
        if value.available_from is not None and not _is_count(value.available_from):
            raise GraphError(f"value {index}: available_from must be None or a segment, found {value.available_from!r}")
    for index, operation in enumerate(graph.operations):
        place = describe_operation(graph, index)
        _check_range(place, "value", [*operation.reads, *operation.makes], len(graph.values))
        _check_range(place, "value", [v for pair in operation.may_overwrite for v in pair], len(graph.values))
    _check_range("outputs", "value", graph.outputs, len(graph.values))
    _check_range("order", "operation", graph.order, len(graph.operations))


def _check_range(place: str, kind: str, indices: Iterable[int], count: int) -> None:
    for index in indices:
        if not _is_count(index) or index >= count:
            raise GraphError(f"{place}: there is no {kind} {index!r}; the graph has {count}")


def _check_makers(graph: Graph) -> None:
    maker: dict[int, int] = {}
    for index, operation in enumerate(graph.operations):
        for value in operation.makes:
            if value in maker:
                raise GraphError(
                    f"{describe_operation(graph, index)}: value {value} is made by operation {maker[value]} already"
                )
            maker[value] = index
    for index, value in enumerate(graph.values):
        if value.available_from is None and index not in maker:
            raise GraphError(
                f"value {index} ({value.name or 'unnamed'}) is a missing input: no operation makes it and "
                "available_from is None; give the segment in which it arrives"
            )
        if value.available_from is not None and index in maker:
            raise GraphError(
                f"value {index} is an input and is made by operation {maker[index]} too; it can be only one"
            )


def _check_order_is_permutation(graph: Graph) -> None:
    if sorted(graph.order) != list(range(len(graph.operations))):
        raise GraphError(
            f"order must name each of the {len(graph.operations)} operations once, found {len(graph.order)} entries, "
            f"{len(set(graph.order))} different"
        )


def _check_order_respects_reads(graph: Graph) -> None:
    position = {operation: place for place, operation in enumerate(graph.order)}
    for index in graph.order:
        for value in graph.operations[index].reads:
            producer = graph.producers[value]
            if producer is not None and position[producer] >= position[index]:
                _check_acyclic(graph)
                raise GraphError(
                    f"order is not valid: {describe_operation(graph, index)} reads value {value}, which "
                    f"{describe_operation(graph, producer)} makes later; give a topological order"
                )


def _check_acyclic(graph: Graph) -> None:
    predecessors = [
        {p for v in operation.reads if (p := graph.producers[v]) is not None} for operation in graph.operations
    ]
    cycle = find_cycle(predecessors)
    if cycle:
        names = " <- ".join(str(i) for i in [*cycle, cycle[0]])
        raise GraphError(f"the graph has a cycle: operations {names} (each reads from the next); break it")


def find_cycle(predecessors: Sequence[Iterable[int]]) -> list[int]:
    """A cycle among nodes given by their predecessors, each node reading from the next; empty if there is none."""
    waiting = [set(p) for p in predecessors]
    ready = [node for node, before in enumerate(waiting) if not before]
    readers: list[list[int]] = [[] for _ in waiting]
    for node, before in enumerate(waiting):
        for predecessor in before:
            readers[predecessor].append(node)
    while ready:
        done = ready.pop()
        for reader in readers[done]:
            waiting[reader].discard(done)
            if not waiting[reader]:
                ready.append(reader)
    stuck = next((node for node, before in enumerate(waiting) if before), None)
    path: list[int] = []
    while stuck is not None and stuck not in path:
        path.append(stuck)
        stuck = min(waiting[stuck])
    return path[path.index(stuck) :] if stuck is not None else []


def _check_storages(graph: Graph) -> None:
    owner: dict[int, str] = {}
    for index, value in enumerate(graph.values):
        if value.available_from is None:
            continue
        kind = f"an input of segment {value.available_from}"
        if owner.setdefault(value.storage, kind) != kind:
            raise GraphError(
                f"storage {value.storage}: value {index} is {kind}, another of its values is {owner[value.storage]}"
            )
    for index in graph.order:
        for storage in graph.allocated_storages(index):
            if storage in owner:
                raise GraphError(
                    f"{describe_operation(graph, index)} makes a value in storage {storage} without reading from it, "
                    f"but {owner[storage]} owns that storage; a view reads what it views"
                )
            owner[storage] = describe_operation(graph, index)


def _check_segments(graph: Graph) -> None:
    for index, operation in enumerate(graph.operations):
        for value in operation.reads:
            producer = graph.producers[value]
            since = graph.operations[producer].segment if producer is not None else graph.values[value].available_from
            if since is not None and since > operation.segment:
                raise GraphError(
                    f"{describe_operation(graph, index)} may run from segment {operation.segment}, but value {value}, "
                    f"which it reads, comes in segment {since}"
                )


def _check_outputs(graph: Graph) -> None:
    if len(set(graph.outputs)) != len(graph.outputs):
        raise GraphError("outputs names a value twice")
    runs_in = dict(zip(graph.order, graph.order_segments, strict=True))
    for value in graph.outputs:
        producer = graph.producers[value]
        if producer is not None and runs_in[producer] != graph.operations[producer].segment:
            raise GraphError(
                f"output {value} is due when segment {graph.operations[producer].segment} ends, but order runs "
                f"{describe_operation(graph, producer)} in segment {runs_in[producer]}"
            )


def _check_overwrites(graph: Graph) -> None:
    kept = {graph.values[v].storage for v in graph.outputs}
    for index, operation in enumerate(graph.operations):
        allocated = set(graph.allocated_storages(index))
        for made, read in operation.may_overwrite:
            target, source = graph.values[made].storage, graph.values[read].storage
            problem = _overwrite_problem(graph, operation.makes, operation.reads, made, read)
            if problem is None and target not in allocated:
                problem = f"value {made} is a view, not in a storage of its own"
            if problem is None and (graph.arrivals[source] == 0 or source in kept):
                problem = f"the storage of value {read} is the caller's or an output's and is never overwritten"
            if problem is not None:
                raise GraphError(f"{describe_operation(graph, index)}: may_overwrite ({made}, {read}): {problem}")


def _overwrite_problem(
    graph: Graph, makes: tuple[int, ...], reads: tuple[int, ...], made: int, read: int
) -> str | None:
    if made not in makes or read not in reads:
        return "a pair is (value made, value read) by this operation"
    made_bytes = graph.storages[graph.values[made].storage].bytes
    read_bytes = graph.storages[graph.values[read].storage].bytes
    if made_bytes != read_bytes:
        return f"sizes differ: {made_bytes} and {read_bytes} bytes"
    return None


def describe_operation(graph: Graph, index: int) -> str:
    """An operation as messages name it."""
    operation = graph.operations[index]
    own_name = "" if operation.name == f"operation {index}" else operation.name
    details = " at ".join(part for part in (own_name, operation.source) if part)
    return f"operation {index} ({details})" if details else f"operation {index}"
