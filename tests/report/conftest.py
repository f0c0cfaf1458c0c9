"""Graphs to draw."""

from __future__ import annotations

import pytest

from retrograde import Graph, Operation, Storage, Value


@pytest.fixture
def training() -> Graph:
    """A forward chain of eight operations and a backward that reads every value, in two segments."""
    operations: list[Operation] = []
    for i in range(8):
        operations.append(Operation(f"forward {i}", 1.0, (i - 1,) if i else (), (i,)))
    for i in range(8):
        reads = (7 - i, *((7 + i,) if i else ()))
        operations.append(Operation(f"backward {i}", 2.0, reads, (8 + i,), segment=1))
    values = tuple(Value(i) for i in range(16))
    storages = tuple(Storage(1000) for _ in range(16))
    return Graph(tuple(operations), values, storages, tuple(range(16)), (15,), name="training <&>")
