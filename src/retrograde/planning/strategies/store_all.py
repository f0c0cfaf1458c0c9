"""Keep everything: the given order, each operation once."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """The given order, once. Its peak is ``graph.store_all_peak_bytes``."""
    segments: list[list[int]] = [[] for _ in range(graph.segment_count)]
    for operation, segment in zip(graph.order, graph.order_segments, strict=True):
        segments[segment].append(operation)
    yield segments
