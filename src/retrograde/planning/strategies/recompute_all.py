"""Keep nothing: each late use recomputes what it reads from the inputs."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options

MOST_RUNS = 1_000_000
"""The longest sequence that is made; longer ones are refused."""


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """The early part keeps nothing, and each late operation recomputes all that it reads of it.

    Operations that may not run twice, and outputs, are kept. The number of runs grows with the square of the graph.

    Raises:
        UsageError: the graph is too large for that.
    """
    split = Split(graph)
    yield recompute_on_demand(split, split.droppable, lambda places: (), most_runs=MOST_RUNS)
