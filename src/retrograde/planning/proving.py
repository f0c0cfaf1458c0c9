"""What is proved of the overhead within a budget, by all that proves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from retrograde.errors import PlanError, UsageError
from retrograde.graph import Graph
from retrograde.planning.plan import Plan
from retrograde.planning.transfers import Tier

MOST_COVERED = 1000
"""Operations of the largest graph whose bound is held against whole knapsacks, too: their time grows as its square."""


def proved_overhead(
    graph: Graph,
    budget_bytes: int,
    known_overhead: float = math.inf,
    time_limit: float | None = None,
    *,
    tiers: Sequence[Tier] = (),
) -> float:
    """A proved lower bound on the overhead of any schedule within a budget.

    Args:
        graph: the computation.
        budget_bytes: the budget.
        known_overhead: of a plan in hand: what it costs narrows what a better one can do.
        time_limit: seconds after which no further linear program is begun; None for no limit.
        tiers: slower tiers that schedules may use.

    Returns:
        A fraction of the base cost; infinite where no schedule meets the budget.

    Example:
        >>> graph = Graph.from_arrays(
        ...     cost=[1, 1, 1, 1, 1, 1], bytes=[4] * 6, edges=[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (1, 4)]
        ... )
        >>> round(proved_overhead(graph, 12), 4)
        0.1667
    """
    from retrograde.planning.certificate import Effort, overhead_bound

    relaxed = overhead_bound(graph, budget_bytes, effort=Effort(time_limit=time_limit), tiers=tiers).overhead
    return relaxed if tiers else max(relaxed, covered_overhead(graph, budget_bytes, known_overhead))


def covered_overhead(graph: Graph, budget_bytes: int, known_overhead: float) -> float:
    """The bound by whole knapsacks, which needs a plan in hand; 0 where there is none, or the graph is too large.

    Args:
        graph: the computation.
        budget_bytes: the budget.
        known_overhead: of a plan within the budget.
    """
    from retrograde.planning.exact.bound import cover_bound

    if graph.has_choices or len(graph.operations) > MOST_COVERED or math.isinf(known_overhead):
        return 0.0
    base = sum((Fraction(operation.cost) for operation in graph.operations), Fraction(0))
    try:
        return cover_bound(graph, budget_bytes, Fraction(max(0.0, known_overhead)) * base)
    except UsageError:
        return 0.0  # its bytes do not fit into the integers of the kernels


def held_against(found: Plan, bound: float) -> Plan:
    """A plan with a proved bound on the overhead within its budget.

    Raises:
        PlanError: the plan costs less than what was proved: one of the two is wrong.
    """
    if bound > found.overhead + 1e-9:
        raise PlanError(
            f"a plan has an overhead of {found.overhead}, and {bound} is proved to be the least; please report this "
            "with the graph as JSON"
        )
    return replace(found, bound=min(max(found.bound, bound), max(0.0, found.overhead)))
