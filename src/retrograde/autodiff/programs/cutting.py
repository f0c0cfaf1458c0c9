"""The cheapest set of values from which others can be computed: a minimum cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from itertools import pairwise
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)

_SOURCE, _SINK = (0, None), (1, None)


def cheapest_cut(
    costs: Mapping[Node, int], made_of: Mapping[Node, Iterable[Node]], wanted: Iterable[Node]
) -> set[Node]:
    """The nodes to keep, so that everything wanted is kept or can be computed from what is kept.

    Args:
        costs: of keeping each node.
        made_of: for nodes that can be computed, the nodes that takes. A node that is not here has to be kept, or
            something computed from it.
        wanted: nodes.

    Returns:
        A set of the least total cost; of several such sets the one with the least to compute.

    The cut is found by augmenting paths (Edmonds and Karp 1972); keeping or recomputing by a minimum cut is what
    Zhuang and others (2023, functorch) do for whole graphs.

    Example:
        >>> costs = {"u": 8, "left": 8, "right": 8}
        >>> sorted(cheapest_cut(costs, {"left": ["u"], "right": ["u"]}, ["left", "right"]))
        ['u']
        >>> sorted(cheapest_cut(costs, {"left": ["u"], "right": ["u"]}, ["left"]))
        ['left']
    """
    flow = _Flow()
    unlimited = sum(costs.values()) + 1
    for node, cost in costs.items():
        flow.connect((0, node), (1, node), cost)
        if node not in made_of:
            flow.connect(_SOURCE, (0, node), unlimited)
        for part in made_of.get(node, ()):
            flow.connect((1, part), (0, node), unlimited)
    for node in wanted:
        flow.connect((1, node), _SINK, unlimited)
    flow.fill()
    below = flow.reaching(_SINK)
    return {node for node in costs if (1, node) in below and (0, node) not in below}


class _Flow:
    def __init__(self) -> None:
        self._room: dict[Hashable, dict[Hashable, int]] = {_SOURCE: {}, _SINK: {}}

    def connect(self, start: Hashable, end: Hashable, capacity: int) -> None:
        self._room.setdefault(start, {})[end] = capacity
        self._room.setdefault(end, {}).setdefault(start, 0)

    def fill(self) -> None:
        """Push as much through as goes."""
        while path := self._path():
            pairs = list(pairwise(path))
            amount = min(self._room[start][end] for start, end in pairs)
            for start, end in pairs:
                self._room[start][end] -= amount
                self._room[end][start] += amount

    def reaching(self, end: Hashable) -> set[Hashable]:
        """From where there is room left on the way to a node."""
        found, waiting = {end}, [end]
        while waiting:
            node = waiting.pop()
            for neighbour in self._room[node]:
                if neighbour not in found and self._room[neighbour].get(node, 0):
                    found.add(neighbour)
                    waiting.append(neighbour)
        return found

    def _path(self) -> list[Hashable]:
        before: dict[Hashable, Hashable] = {_SOURCE: _SOURCE}
        waiting = deque[Hashable]([_SOURCE])
        while waiting and _SINK not in before:
            node = waiting.popleft()
            for neighbour, room in self._room[node].items():
                if room and neighbour not in before:
                    before[neighbour] = node
                    waiting.append(neighbour)
        if _SINK not in before:
            return []
        path: list[Hashable] = [_SINK]
        while path[-1] != _SOURCE:
            path.append(before[path[-1]])
        return path[::-1]
