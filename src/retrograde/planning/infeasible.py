"""The error for a budget that no plan in hand meets."""

from __future__ import annotations

from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes


def budget_error(graph: Graph, budget_bytes: int, minimum_bytes: int, strategy: str) -> BudgetError:
    """The error for a budget that no plan in hand meets.

    Args:
        graph: the computation.
        budget_bytes: what was asked for.
        minimum_bytes: the smallest peak of a plan in hand.
        strategy: the strategy that looked.
    """
    bound = peak_bound_bytes(graph)
    if budget_bytes < bound:
        advice = f"no plan at all can go below {bound} bytes"
    else:
        advice = f"no plan can go below {bound} bytes; another strategy may get closer to that"
    return BudgetError(
        f"a budget of {budget_bytes} bytes ({format_bytes(budget_bytes)}) is not met by strategy {strategy!r}: the "
        f"smallest it reaches is {minimum_bytes} bytes ({format_bytes(minimum_bytes)}), ask for that or more; {advice}",
        budget_bytes=budget_bytes,
        minimum_bytes=minimum_bytes,
        bound_bytes=bound,
    )
