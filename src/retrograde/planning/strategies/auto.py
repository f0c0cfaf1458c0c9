"""``auto``: the strategy for whoever does not want to choose."""

from __future__ import annotations

from retrograde.graph import Graph
from retrograde.planning.plan import Plan
from retrograde.planning.progress import ProgressCallback
from retrograde.planning.proving import proved_overhead
from retrograde.planning.searching.record import best_in_hand, forget
from retrograde.planning.searching.warming import warm_up
from retrograde.planning.strategies import search as large
from retrograde.planning.strategies.search import Bound

__all__ = ["best_in_hand", "forget", "search", "warm_up"]


def search(
    graph: Graph,
    budget_bytes: int | None,
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    bound: Bound | None = proved_overhead,
) -> Plan:
    """The cheapest plan in hand within a budget: the optimum of a small graph, the best of ``search`` for a large one.

    Args:
        graph: the computation.
        budget_bytes: the budget; None for no limit.
        time_limit: seconds; unused if ``iterations`` is given. A search that ends before it is deterministic.
        iterations: visits to slots and moves of the annealing that the search may make.
        seed: of everything random.
        progress: called with a ``Progress`` now and then.
        bound: proves how much overhead is necessary: the search ends when a plan needs no more, and the plan bears
            the bound; None for none.

    Returns:
        A plan that the referee certified.

    Raises:
        BudgetError: no plan in hand fits; it names the smallest budget that one does.

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
    )
