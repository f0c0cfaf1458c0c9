"""Choices by hand: the operations that the caller names are dropped and recomputed, all others kept."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.demand import Split, recompute_on_demand
from retrograde.planning.strategies.options import Options


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """One candidate: ``options.recompute`` is dropped, and recomputed once where something late first wants it."""
    split = Split(graph)
    yield recompute_on_demand(split, split.droppable.intersection(options.recompute))
