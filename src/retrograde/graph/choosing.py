"""What choices mean for a graph: which bytes they decide, and the ordinary graphs in which they are settled."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from retrograde.errors import UsageError

if TYPE_CHECKING:
    from retrograde.graph.model import Graph, Operation


def groups(graph: Graph) -> dict[int, list[int]]:
    """For each choosing operation itself and those that follow its choice."""
    found = {leader: [leader] for leader in graph.choosers}
    for index, operation in enumerate(graph.operations):
        if operation.choice_of is not None:
            found[operation.choice_of].append(index)
    return found


def base_cost_of(graph: Graph) -> float:
    """The cost of every operation once, in the cheapest choices; with choices, what no schedule goes below.

    Each run of a follower needs a run of its leader by the same choice, so the two together cost at least the
    cheapest pair. Of several followers each might be run by another choice: the best of these bounds is taken,
    which is the cost of one choice for all wherever one is cheapest for all.
    """
    if not graph.has_choices:
        return float(sum(operation.cost for operation in graph.operations))
    cost = sum(operation.cost for operation in graph.operations if not operation.choices)
    return float(cost + sum(_group_floor(graph, members) for members in groups(graph).values()))


def _group_floor(graph: Graph, members: list[int]) -> float:
    leader, *followers = (graph.operations[member] for member in members)
    least = [_least_cost(follower) for follower in followers]
    floor = _least_cost(leader) + sum(least)
    for follower, own in zip(followers, least, strict=True):
        pair = min(a.cost + b.cost for a, b in zip(leader.choices, follower.choices, strict=True))
        floor = max(floor, pair + sum(least) - own)
    return floor


def _least_cost(operation: Operation) -> float:
    return min(choice.cost for choice in operation.choices)


def varying_bytes(graph: Graph) -> dict[int, tuple[int, ...]]:
    """For each storage whose size depends on the choice of its allocator the bytes by each choice."""
    varying: dict[int, tuple[int, ...]] = {}
    for operation in graph.operations:
        for storage in sorted({storage for choice in operation.choices for storage, _ in choice.storage_bytes}):
            usual = graph.storages[storage].bytes
            sizes = tuple(dict(choice.storage_bytes).get(storage, usual) for choice in operation.choices)
            if len(set(sizes)) > 1:
                varying[storage] = sizes
    return varying


def choice_bound_storages(graph: Graph) -> frozenset[int]:
    """See ``Graph.choice_bound``."""
    if not graph.has_choices:
        return frozenset()
    outputs = {graph.values[value].storage for value in graph.outputs}
    bound = set(graph.varying_bytes)
    for storage, allocator in enumerate(graph.allocators):
        if allocator is None or storage in bound or storage in outputs or not graph.operations[allocator].choices:
            continue
        leader = graph.chooser_of(allocator)
        readers = list(_readers_through_views(graph, storage))
        if readers and all(graph.operations[reader].choice_of == leader for reader in readers):
            bound.add(storage)
    return frozenset(bound)


def _readers_through_views(graph: Graph, storage: int) -> Iterator[int]:
    for value in graph.storage_values[storage]:
        yield from (reader for reader in graph.readers[value] if not graph.is_view(reader))


def bound_reads(graph: Graph, operation: int) -> tuple[int, ...]:
    """Storages that a follower reads and whose choice it has to run by."""
    if graph.operations[operation].choice_of is None:
        return ()
    leader = graph.chooser_of(operation)
    return tuple(
        storage
        for storage in graph.read_storages(operation)
        if storage in graph.choice_bound
        and (allocator := graph.allocators[storage]) is not None
        and graph.chooser_of(allocator) == leader
    )


def with_choices(graph: Graph, assignment: Mapping[int, int]) -> Graph:
    """See ``Graph.with_choices``."""
    chosen = {operation: 0 for operation in graph.choosers}
    for operation, choice in assignment.items():
        if operation not in chosen:
            listed = ", ".join(map(str, graph.choosers[:10])) or "none"
            raise UsageError(f"operation {operation} chooses nothing by itself; the operations that do are {listed}")
        chosen[operation] = _checked(graph, operation, choice)
    operations = list(graph.operations)
    storages = list(graph.storages)
    for index, operation in enumerate(graph.operations):
        if not operation.choices:
            continue
        choice = chosen[graph.chooser_of(index)]
        operations[index] = _settled(
            operation, operation.choices[choice].cost, operation.choices[choice].workspace_bytes
        )
        for storage in graph.allocated_storages(index):
            storages[storage] = replace(storages[storage], bytes=graph.storage_bytes(storage, choice))
    return graph.rebuilt(operations, storages)


def _checked(graph: Graph, operation: int, choice: int) -> int:
    count = len(graph.operations[operation].choices)
    try:
        number = operator.index(choice)
    except TypeError:
        number = -1
    if not 0 <= number < count:
        raise UsageError(f"operation {operation} has choices 0 to {count - 1}, found {choice!r}")
    return number


def relaxed(graph: Graph) -> Graph:
    """See ``Graph.relaxed``."""
    if not graph.has_choices:
        return graph
    operations = [
        _settled(o, _least_cost(o), min(choice.workspace_bytes for choice in o.choices)) if o.choices else o
        for o in graph.operations
    ]
    storages = [
        replace(storage, bytes=min(graph.varying_bytes.get(index, (storage.bytes,))))
        for index, storage in enumerate(graph.storages)
    ]
    return graph.rebuilt(operations, storages)


def _settled(operation: Operation, cost: float, workspace_bytes: int) -> Operation:
    return replace(operation, cost=cost, workspace_bytes=workspace_bytes, choices=(), choice_of=None)
