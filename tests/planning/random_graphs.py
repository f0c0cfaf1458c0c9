"""Random small graphs with everything that a graph may have, for property tests."""

from __future__ import annotations

import random

from retrograde import Graph
from retrograde.graph import Operation, Storage, Value


def random_graph(seed: int, *, operations: int = 10, odd: bool = True) -> Graph:
    """A random graph: views, several results, segments, arrivals, outputs, overwrites; odd ones mix and run once."""
    return _Builder(random.Random(seed), operations, odd).build()


class _Builder:
    def __init__(self, rng: random.Random, operations: int, odd: bool) -> None:
        self.rng = rng
        self.odd = odd
        self.count = operations
        self.values: list[Value] = []
        self.storages: list[Storage] = []
        self.since: list[int] = []
        self.operations: list[Operation] = []

    def build(self) -> Graph:
        segments = self.rng.choice([1, 2, 2, 3])
        for _ in range(self.rng.randint(0, 2)):
            self._value(self._storage(), 0, arrives=self.rng.randrange(segments))
        for index in range(self.count):
            self._operation(index * segments // self.count)
        made = [v for o in self.operations for v in o.makes]
        outputs = self.rng.sample(made, min(len(made), self.rng.randint(0, 3)))
        kept = {self.values[v].storage for v in outputs}
        operations = tuple(
            Operation(
                o.name, o.cost, o.reads, o.makes, o.workspace_bytes, o.segment, o.recomputable,
                tuple(pair for pair in o.may_overwrite if self.values[pair[1]].storage not in kept),
            )
            for o in self.operations
        )  # fmt: skip
        return Graph(
            operations=operations,
            values=tuple(self.values),
            storages=tuple(self.storages),
            order=tuple(range(self.count)),
            outputs=tuple(outputs),
            fixed_bytes=tuple(self.rng.randint(0, 5) for _ in range(self.rng.randint(0, segments))),
        )

    def _storage(self, size: int | None = None) -> int:
        self.storages.append(Storage(self.rng.randint(0, 9) if size is None else size))
        return len(self.storages) - 1

    def _value(self, storage: int, since: int, arrives: int | None = None) -> int:
        self.values.append(Value(storage, arrives))
        self.since.append(since if arrives is None else arrives)
        return len(self.values) - 1

    def _operation(self, segment: int) -> None:
        rng = self.rng
        known = [v for v in range(len(self.values)) if self.since[v] <= segment]
        reads = rng.sample(known, min(len(known), rng.randint(0, 3)))
        kind = rng.random()
        views = self.odd and bool(reads) and kind < 0.3
        makes: list[int] = []
        overwrites: list[tuple[int, int]] = []
        if views:
            makes.append(self._value(self.values[reads[0]].storage, segment))
            reads = reads[: rng.choice([1, 1, 1, 2])]
        for _ in range(rng.choice([0, 0, 0, 1]) if views else rng.choice([0, 1, 1, 1, 2])):
            source = rng.choice(reads) if reads and rng.random() < 0.3 else None
            size = self.storages[self.values[source].storage].bytes if source is not None else None
            makes.append(self._value(self._storage(size), segment))
            if source is not None and self.values[source].available_from != 0 and self._is_owned(source):
                overwrites.append((makes[-1], source))
        self.operations.append(
            Operation(
                name=f"operation {len(self.operations)}",
                cost=float(rng.randint(0, 5)),
                reads=tuple(reads),
                makes=tuple(makes),
                workspace_bytes=rng.choice([0, 0, 0, 4]),
                segment=segment,
                recomputable=not self.odd or rng.random() < 0.85,
                may_overwrite=tuple(overwrites),
            )
        )

    def _is_owned(self, value: int) -> bool:
        """Whether no input that the caller holds lives in the value's storage."""
        storage = self.values[value].storage
        return all(v.available_from != 0 for v in self.values if v.storage == storage)
