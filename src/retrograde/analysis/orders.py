"""Topological orders of a graph, each good at something, compared by the peak they reach without recomputation.

Every order respects segments: no operation stands before its segment begins, and every output is made in the segment
at whose end it is due.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from retrograde.analysis.structure import generations, predecessors
from retrograde.analysis.working_sets import due_segments, working_sets
from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.graph.footprint import store_all_live_bytes


@dataclass(frozen=True)
class Order:
    """One valid order of the operations and what it costs in memory when nothing is recomputed.

    Attributes:
        name: how it was found; a key of ``ORDERS``.
        operations: indices of the operations, each once.
        peak_bytes: the most bytes live while it runs, each storage freed after its last reader.
        mean_bytes: live bytes averaged over its positions.

    Read ``Order("greedy", (0, 2, 1), …)`` aloud as "greedily, operation 0 first, then 2, then 1".
    """

    name: str
    operations: tuple[int, ...]
    peak_bytes: int
    mean_bytes: float


def compare_orders(graph: Graph) -> tuple[Order, ...]:
    """Every order of ``ORDERS``, in that order, with its peak.

    Example:
        >>> graph = Graph.from_arrays(cost=[1] * 4, bytes=[8] * 4, edges=[(0, 2), (1, 3)])
        >>> {order.name: order.peak_bytes for order in compare_orders(graph)}["greedy"]
        16
    """
    return tuple(_measured(graph, name, find(graph)) for name, find in ORDERS.items())


def order_operations(graph: Graph, name: str) -> tuple[int, ...]:
    """One order of the operations by its name.

    Args:
        graph: the computation.
        name: a key of ``ORDERS``.

    Raises:
        UsageError: there is no order of that name.

    Example:
        >>> graph = Graph.from_arrays(cost=[1] * 4, bytes=[8] * 4, edges=[(0, 2), (1, 3)])
        >>> order_operations(graph, "depth_first")
        (0, 2, 1, 3)
    """
    if name not in ORDERS:
        raise UsageError(f"there is no order {name!r}; the orders are {', '.join(ORDERS)}")
    return tuple(ORDERS[name](graph))


def _measured(graph: Graph, name: str, operations: Sequence[int]) -> Order:
    reordered = dataclasses.replace(graph, order=tuple(operations))
    frontier = store_all_live_bytes(reordered)
    mean = sum(frontier) / len(frontier) if frontier else 0.0
    return Order(name, tuple(operations), reordered.store_all_peak_bytes, mean)


# List scheduling: among the operations that may run, always the one with the smallest key.


class _Readiness:
    """Which operations may stand next, forwards (after what they read) or backwards (before what reads them)."""

    def __init__(self, graph: Graph, *, backward: bool = False) -> None:
        count = len(graph.operations)
        last = graph.segment_count - 1
        before = predecessors(graph)
        after = _successors(before)
        earliest: Sequence[int] = [o.segment for o in graph.operations]
        latest: Sequence[int] = due_segments(graph)
        if backward:
            before, after = after, before
            earliest, latest = [last - due for due in latest], [last - segment for segment in earliest]
        self._after = after
        self._waits = [len(b) for b in before]
        self._earliest, self._latest = earliest, latest
        self._due = [0] * (last + 1)
        for due in latest:
            self._due[due] += 1
        self._held: list[list[int]] = [[] for _ in range(last + 1)]
        self._segment = 0
        self.first = [i for i in range(count) if self._waits[i] == 0 and self._is_open(i)]
        self.first += self._advance()

    def run(self, index: int) -> list[int]:
        """Note that an operation stands; the ones that may stand from now on."""
        self._due[self._latest[index]] -= 1
        fresh: list[int] = []
        for follower in self._after[index]:
            self._waits[follower] -= 1
            if self._waits[follower] == 0 and self._is_open(follower):
                fresh.append(follower)
        return fresh + self._advance()

    def _is_open(self, index: int) -> bool:
        if self._earliest[index] <= self._segment:
            return True
        self._held[self._earliest[index]].append(index)
        return False

    def _advance(self) -> list[int]:
        """Open the segments that may begin because everything due before has run."""
        opened: list[int] = []
        while self._segment + 1 < len(self._due) and self._due[self._segment] == 0:
            self._segment += 1
            opened += self._held[self._segment]
        return opened


def _successors(before: Sequence[Iterable[int]]) -> list[list[int]]:
    after: list[list[int]] = [[] for _ in before]
    for index, sources in enumerate(before):
        for source in sources:
            after[source].append(index)
    return after


def _schedule(
    ready: _Readiness, key: Callable[[int], Any], stand: Callable[[int], Iterable[int]] = lambda index: ()
) -> list[int]:
    """Place operations by smallest key; ``stand`` notes one and returns those whose key has changed by it."""
    heap = [(key(i), i) for i in ready.first]
    heapq.heapify(heap)
    waiting = set(ready.first)
    order: list[int] = []
    while heap:
        noted, index = heapq.heappop(heap)
        if index not in waiting or noted != key(index):
            continue
        waiting.discard(index)
        order.append(index)
        changed = [i for i in stand(index) if i in waiting]
        fresh = ready.run(index)
        waiting.update(fresh)
        for i in (*changed, *fresh):
            heapq.heappush(heap, (key(i), i))
    return order


def _positions(graph: Graph) -> list[int]:
    positions = [0] * len(graph.order)
    for position, index in enumerate(graph.order):
        positions[index] = position
    return positions


def _by_rank(graph: Graph, rank: Sequence[int]) -> list[int]:
    return _schedule(_Readiness(graph), lambda index: rank[index])


# The orders


def _given(graph: Graph) -> Sequence[int]:
    return graph.order


class _LiveSet:
    """Who still uses each storage, for the two greedy orders."""

    def __init__(self, graph: Graph) -> None:
        self.bytes = [s.bytes for s in graph.storages]
        self.allocated = [graph.allocated_storages(i) for i in range(len(graph.operations))]
        self.used = [tuple({graph.values[v].storage for v in (*o.reads, *o.makes)}) for o in graph.operations]
        self.users: list[list[int]] = [[] for _ in graph.storages]
        for index, storages in enumerate(self.used):
            for storage in storages:
                self.users[storage].append(index)
        self.kept = {graph.values[v].storage for v in graph.outputs}
        self.free_of_charge = {s for s, arrival in enumerate(graph.arrivals) if arrival == 0}


def _greedy(graph: Graph) -> list[int]:
    """Always the operation that leaves the fewest bytes live."""
    live, sets, positions = _LiveSet(graph), working_sets(graph), _positions(graph)
    remaining = [len(users) for users in live.users]
    pinned = live.kept | live.free_of_charge
    done: set[int] = set()
    growth = [sum(live.bytes[s] for s in allocated) for allocated in live.allocated]
    for storage, users in enumerate(live.users):
        if len(users) == 1 and storage not in pinned:
            growth[users[0]] -= live.bytes[storage]

    def stand(index: int) -> list[int]:
        done.add(index)
        changed: list[int] = []
        for storage in live.used[index]:
            remaining[storage] -= 1
            if remaining[storage] == 1 and storage not in pinned:
                last = next(user for user in live.users[storage] if user not in done)
                growth[last] -= live.bytes[storage]
                changed.append(last)
        return changed

    return _schedule(_Readiness(graph), lambda index: (growth[index], sets[index], positions[index]), stand)


def _greedy_backward(graph: Graph) -> list[int]:
    """From the end: always the operation before which the fewest bytes are live."""
    live, sets, positions = _LiveSet(graph), working_sets(graph), _positions(graph)
    alive = live.kept | live.free_of_charge
    growth: list[int] = []
    for index, used in enumerate(live.used):
        fresh = set(used) - alive - set(live.allocated[index])
        freed = set(live.allocated[index])
        growth.append(sum(live.bytes[s] for s in fresh) - sum(live.bytes[s] for s in freed))

    def stand(index: int) -> list[int]:
        changed: list[int] = []
        for storage in set(live.used[index]) - alive - set(live.allocated[index]):
            alive.add(storage)
            for user in live.users[storage]:
                if storage not in live.allocated[user]:
                    growth[user] -= live.bytes[storage]
                    changed.append(user)
        return changed

    ready = _Readiness(graph, backward=True)
    return _schedule(ready, lambda index: (growth[index], sets[index], -positions[index]), stand)[::-1]


def _depth_first(graph: Graph) -> list[int]:
    """Always the operation that became ready last: each value is carried on as soon as it exists."""
    positions = _positions(graph)
    ready = _Readiness(graph)
    stack = sorted(ready.first, key=lambda index: -positions[index])
    order: list[int] = []
    while stack:
        index = stack.pop()
        order.append(index)
        stack += sorted(ready.run(index), key=lambda i: -positions[i])
    return order


def _breadth_first(graph: Graph) -> list[int]:
    """Level by level: an operation's level is one more than the highest it reads from."""
    positions, level = _positions(graph), [0] * len(graph.operations)
    for height, operations in enumerate(generations(graph)):
        for index in operations:
            level[index] = height
    return _schedule(_Readiness(graph), lambda index: (level[index], positions[index]))


def _on_demand(graph: Graph) -> list[int]:
    """Backwards from what nothing reads: an operation runs only when somebody is about to read from it."""
    positions = _positions(graph)
    children = [sorted(p, key=positions.__getitem__) for p in predecessors(graph)]
    return _by_rank(graph, _postorder(graph, children))


def _sethi_ullman(graph: Graph) -> list[int]:
    """On demand, but of the operands first the one that needs most memory beyond what it leaves.

    Optimal for trees (Sethi and Ullman 1970; sizes by Liu 1987), a heuristic where operands share ancestors.
    """
    results = [sum(graph.storages[s].bytes for s in graph.allocated_storages(i)) for i in range(len(graph.operations))]
    needs = [0] * len(graph.operations)
    children = predecessors(graph)
    for index in graph.order:
        children[index].sort(key=lambda child: results[child] - needs[child])
        held = 0
        for child in children[index]:
            needs[index] = max(needs[index], held + needs[child])
            held += results[child]
        needs[index] = max(needs[index], held + results[index] + graph.operations[index].workspace_bytes)
    return _by_rank(graph, _postorder(graph, children))


def _postorder(graph: Graph, children: Sequence[Sequence[int]]) -> list[int]:
    """For each operation its place in a depth-first postorder from the operations that nothing reads from."""
    read = {child for below in children for child in below}
    rank = [-1] * len(children)
    placed = 0
    entered: set[int] = set()
    for root in (i for i in graph.order if i not in read):
        stack = [(root, False)]
        while stack:
            index, leaves = stack.pop()
            if leaves:
                rank[index] = placed
                placed += 1
            elif index not in entered:
                entered.add(index)
                stack.append((index, True))
                stack += [(child, False) for child in reversed(children[index]) if child not in entered]
    return rank


ORDERS: dict[str, Callable[[Graph], Sequence[int]]] = {
    "given": _given,
    "greedy": _greedy,
    "greedy_backward": _greedy_backward,
    "depth_first": _depth_first,
    "breadth_first": _breadth_first,
    "on_demand": _on_demand,
    "sethi_ullman": _sethi_ullman,
}
