"""Graphs from flat arrays."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Iterable, Sequence
from typing import SupportsFloat, SupportsIndex, cast

from retrograde.errors import GraphError
from retrograde.graph.model import Graph, Operation, Storage, Value


def graph_from_arrays(
    *,
    cost: Sequence[float],
    bytes: Sequence[int],
    edges: Iterable[tuple[int, int]],
    order: Sequence[int] | None = None,
    outputs: Sequence[int] = (),
    name: str = "",
) -> Graph:
    """See ``Graph.from_arrays``."""
    count = len(cost)
    if len(bytes) != count:
        raise GraphError(f"cost has {count} entries and bytes has {len(bytes)}; give one of each for every operation")
    reads: list[dict[int, None]] = [{} for _ in range(count)]
    for source, target in edges:
        if not (0 <= source < count and 0 <= target < count):
            raise GraphError(f"edge ({source}, {target}) leaves the range of operations 0 to {count - 1}")
        reads[target][int(source)] = None
    return Graph(
        operations=tuple(
            Operation(name=f"operation {i}", cost=_cost(cost[i], i), reads=tuple(reads[i]), makes=(i,))
            for i in range(count)
        ),
        values=tuple(Value(storage=i) for i in range(count)),
        storages=tuple(Storage(bytes=_whole(bytes[i], i)) for i in range(count)),
        order=tuple(int(i) for i in (order if order is not None else _topological_order(reads))),
        outputs=tuple(int(i) for i in outputs),
        name=name,
    )


def _cost(cost: object, place: int) -> float:
    if isinstance(cost, str | bool):
        raise GraphError(f"cost of operation {place} must be a number of 0 or more, found {cost!r}")
    try:
        return float(cast(SupportsFloat, cost))
    except (TypeError, ValueError):
        raise GraphError(f"cost of operation {place} must be a number of 0 or more, found {cost!r}") from None


def _whole(size: SupportsIndex, place: int) -> int:
    try:
        return operator.index(size)
    except TypeError:
        raise GraphError(f"bytes of operation {place} must be an int of 0 or more, found {size!r}") from None


def _topological_order(reads: Sequence[Iterable[int]]) -> list[int]:
    """The topological order that follows the numbering as closely as it can; the numbering itself on a cycle."""
    missing = [len(list(r)) for r in reads]
    readers: list[list[int]] = [[] for _ in reads]
    for node, before in enumerate(reads):
        for predecessor in before:
            readers[predecessor].append(node)
    ready = [node for node, count in enumerate(missing) if count == 0]
    order: list[int] = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for reader in readers[node]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    return order if len(order) == len(missing) else list(range(len(missing)))
