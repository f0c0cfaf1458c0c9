"""Random small graphs whose operations have choices, and training graphs made of regions with trade-off curves."""

from __future__ import annotations

import random
from dataclasses import replace

from random_graphs import random_graph

from retrograde import Choice, Graph, Operation, Storage, Value


def with_random_choices(graph: Graph, seed: int, *, most_choosers: int = 3, most_choices: int = 3) -> Graph:
    """A graph in which some operations choose: the bytes of what they make, their workspace and their cost.

    Where an operation of a later place alone reads what a choosing one makes, it may follow its choice.
    """
    rng = random.Random(seed)
    operations = list(graph.operations)
    overwritten = {graph.values[v].storage for o in operations for pair in o.may_overwrite for v in pair}
    for leader in rng.sample(range(len(operations)), min(len(operations), rng.randint(1, most_choosers))):
        if operations[leader].choices:
            continue
        count = rng.randint(2, most_choices)
        free = [s for s in graph.allocated_storages(leader) if s not in overwritten]
        operations[leader] = _choosing(graph, operations[leader], free, count, rng, None)
        readers = {r for s in free for v in graph.storage_values[s] for r in graph.readers[v]}
        readers = {r for r in readers if set(graph.read_storages(r)) & set(free) and not operations[r].choices}
        follower = rng.choice(sorted(readers)) if readers and rng.random() < 0.7 else None
        varies = {s for c in operations[leader].choices for s, _ in c.storage_bytes}
        if follower is not None and _reads_varying(graph, operations[leader], follower, varies):
            own = [s for s in graph.allocated_storages(follower) if s not in overwritten]
            operations[follower] = _choosing(graph, operations[follower], own, count, rng, leader)
    return replace(graph, operations=tuple(operations))


def _reads_varying(graph: Graph, leader: Operation, follower: int, varies: set[int]) -> bool:
    usual = {s: graph.storages[s].bytes for s in varies}
    differ = {s for s in varies if len({dict(c.storage_bytes).get(s, usual[s]) for c in leader.choices}) > 1}
    return bool(differ & set(graph.read_storages(follower)))


def _choosing(
    graph: Graph, operation: Operation, storages: list[int], count: int, rng: random.Random, leader: int | None
) -> Operation:
    choices = [Choice(operation.cost, operation.workspace_bytes)]
    for number in range(1, count):
        sizes = tuple((s, rng.randint(0, 9)) for s in storages if rng.random() < 0.8)
        choices.append(Choice(float(rng.randint(0, 6)), rng.choice([0, 0, 3]), sizes, {"number": number}))
    return replace(operation, choices=tuple(choices), choice_of=leader)


def random_choosing_graph(seed: int, *, operations: int = 6, odd: bool = True) -> Graph:
    """A random graph with choices."""
    return with_random_choices(random_graph(seed, operations=operations, odd=odd), seed)


CURVE = ((0, 4.0), (4, 2.0), (10, 1.0), (30, 0.4), (100, 0.0))
"""A loop's trade-off: percents of its residuals that are kept, and how many more forwards the backward runs."""


def regions_in_training(count: int, *, plain: int = 2, size: int = 1000, seed: int = 0) -> Graph:
    """A training step: regions (a loop each) with five choices, and plain operations between them.

    Forward of region k makes its result and residuals, which its backward alone reads.
    """
    return _Training(random.Random(seed), size).build(count, plain)


class _Training:
    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng = rng
        self.size = size
        self.operations: list[Operation] = []
        self.values: list[Value] = [Value(0, 0)]
        self.storages: list[Storage] = [Storage(size)]
        self.backwards: list[tuple[str, float, tuple[int, ...], int | None, int]] = []

    def build(self, count: int, plain: int) -> Graph:
        now = 0
        for region in range(count):
            for place in range(plain):
                now = self._plain(f"plain {region}.{place}", now)
            now = self._region(f"loop {region}", now)
        gradient = now
        for name, cost, reads, leader, extent in reversed(self.backwards):
            gradient = self._backward(name, cost, (*reads, gradient), leader, extent)
        return Graph(
            tuple(self.operations),
            tuple(self.values),
            tuple(self.storages),
            order=tuple(range(len(self.operations))),
            outputs=(gradient,),
            name=f"{count} loops in training",
        )

    def _make(self, size: int) -> int:
        self.storages.append(Storage(size))
        self.values.append(Value(len(self.storages) - 1))
        return len(self.values) - 1

    def _plain(self, name: str, now: int) -> int:
        cost, made = float(self.rng.randint(1, 4)), self._make(self.rng.randint(self.size // 2, 2 * self.size))
        self.operations.append(Operation(name, cost, (now,), (made,)))
        self.backwards.append((f"{name} backward", 2 * cost, (now, made), None, 0))
        return made

    def _region(self, name: str, now: int) -> int:
        cost, extent = float(self.rng.randint(20, 60)), self.rng.randint(5, 40) * self.size
        leader = len(self.operations)
        made, kept = self._make(self.size), self._make(extent)
        residuals = self.values[kept].storage
        choices = tuple(
            Choice(cost, 0, ((residuals, extent * percent // 100),), {"kept": percent}) for percent, _ in CURVE[::-1]
        )
        self.operations.append(Operation(name, cost, (now,), (made, kept), choices=choices))
        self.backwards.append((f"{name} backward", cost, (now, kept), leader, extent))
        return made

    def _backward(self, name: str, cost: float, reads: tuple[int, ...], leader: int | None, extent: int) -> int:
        made = self._make(self.size)
        choices: tuple[Choice, ...] = ()
        if leader is not None:
            choices = tuple(
                Choice(2 * cost + more * cost, extent * (100 - percent) // 400) for percent, more in CURVE[::-1]
            )
        own = choices[0].cost if choices else cost
        operation = Operation(name, own, reads, (made,), segment=1, choices=choices, choice_of=leader)
        self.operations.append(operation)
        return made
