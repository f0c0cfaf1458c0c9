"""A bound on the overhead of any schedule, by whole knapsacks and a plan in hand."""

from __future__ import annotations

import math
from fractions import Fraction

from retrograde.graph import Graph
from retrograde.planning.exact.guards import guards_of
from retrograde.planning.exact.instance import Instance, instance_of
from retrograde.planning.exact.tables import whole_bytes, whole_costs


def cover_bound(graph: Graph, budget_bytes: int, known_excess: Fraction | float) -> float:
    """A lower bound on the overhead of any schedule within a budget, in any order, without spilling.

    While an operation first runs, what was made before it and is read behind it is held or made again later. A
    schedule cheaper than one in hand makes nothing again that costs as much as that one's whole excess, so those
    values are held; of the others, whole ones are dropped. The least price of a cover of the missing bytes is found
    by branch and bound (Horowitz & Sahni, 1974), and is often much more than what its linear relaxation says.

    Args:
        graph: the computation; the time grows with the square of its operations.
        budget_bytes: the budget.
        known_excess: what some schedule within the budget spends on running operations again, in the graph's unit.

    Returns:
        A fraction of ``graph.base_cost``, rounded down: no schedule has a smaller overhead.

    Example:
        >>> edges = [(0, 3), (1, 3), (2, 4), (4, 3)]
        >>> graph = Graph.from_arrays(cost=[2, 3, 5, 5, 5], bytes=[4, 4, 8, 1, 1], edges=edges, order=[0, 1, 2, 4, 3])
        >>> cover_bound(graph, 13, 2) <= 0.1
        True
    """
    known = Fraction(known_excess)
    base = sum((Fraction(operation.cost) for operation in graph.operations), Fraction(0))
    if not known or not base:
        return 0.0
    return rounded_down(min(known, least_excess(instance_of(graph, budget_bytes), budget_bytes, known)) / base)


def least_excess(instance: Instance, budget_bytes: int, ceiling: Fraction) -> Fraction:
    """What any schedule that spends less than a ceiling spends at least; above the ceiling if there is none."""
    costs = whole_costs(instance, ceiling)
    guards = guards_of(instance, costs.whole, costs.again, whole_bytes(instance, budget_bytes), False)
    return guards[0].most * costs.quantum if guards else Fraction(0)


def rounded_down(number: Fraction) -> float:
    """The largest float that is not above a fraction."""
    nearest = float(number)
    return nearest if Fraction(nearest) <= number else math.nextafter(nearest, 0.0)
