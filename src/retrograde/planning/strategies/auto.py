"""``auto``: the strategy for whoever does not want to choose."""

from __future__ import annotations

from retrograde.graph import Graph
from retrograde.planning.plan import Plan
from retrograde.planning.progress import ProgressCallback
from retrograde.planning.proving import proved_overhead
from retrograde.planning.strategies import search as large
from retrograde.planning.strategies.search import Bound


def search(
    graph: Graph,
    budget_bytes: int | None,
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    bound: Bound | None = proved_overhead,
    reorder: bool = True,
) -> Plan:
    """The cheapest plan in hand within a budget: ``search``, which also solves small graphs to the optimum.

    Arguments, result and errors are those of ``retrograde.planning.strategies.search.search``.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> search(graph, 16).cost
        3.0
    """
    return large.search(
        graph,
        budget_bytes,
        time_limit=time_limit,
        iterations=iterations,
        seed=seed,
        progress=progress,
        bound=bound,
        strategy="auto",
        proves=True,
        reorder=reorder,
    )
