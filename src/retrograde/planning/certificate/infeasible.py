"""Proofs that no schedule meets a budget."""

from __future__ import annotations

from retrograde.analysis.bounds import lower_bounds
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes


def prove_infeasible(graph: Graph, budget_bytes: int, *, spilling: bool = False) -> str | None:
    """Why no schedule at all meets a budget, or None where that is not shown.

    Args:
        graph: the computation.
        budget_bytes: the budget.
        spilling: whether schedules may move storages to a slower tier.

    Example:
        >>> chain = Graph.from_arrays(cost=[1, 1], bytes=[4, 4], edges=[(0, 1)])
        >>> prove_infeasible(chain, 7)
        'largest working set: operation 1 needs 8 bytes (8 B), the budget is 7 bytes (7 B)'
        >>> prove_infeasible(chain, 8) is None
        True
    """
    bounds = [b for b in lower_bounds(graph) if b.holds_with_spilling or not spilling]
    largest = max(bounds, key=lambda bound: bound.bytes)
    if largest.bytes <= budget_bytes:
        return None
    return (
        f"{largest.name}: {largest.place} needs {largest.bytes} bytes ({format_bytes(largest.bytes)}), "
        f"the budget is {budget_bytes} bytes ({format_bytes(budget_bytes)})"
    )
