"""Lower bounds on the overhead of any schedule within a budget, each with its proof."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from retrograde.graph import Graph
from retrograde.planning.certificate.exact import Certificate
from retrograde.planning.certificate.infeasible import held_at_least, quick_bound
from retrograde.planning.certificate.search import CutSearch, Effort
from retrograde.planning.certificate.spilling import Channel, SlowerTier, channel_of
from retrograde.planning.certificate.structure import Structure

_ALARMING = 100
_ROUNDING = 2.0**-50


@dataclass(frozen=True)
class OverheadBound:
    """What any schedule within a budget spends at least on recomputation.

    Attributes:
        overhead: as a fraction of the base cost; infinite where no schedule meets the budget.
        budget_bytes: the budget.
        certificate: the proof; None where the bound is 0, or where the reason proves itself.
        infeasible: why no schedule meets the budget; None where that is not proved.

    Read ``OverheadBound(0.0026, 30 * 10**9, …)`` aloud as "within 30 GB no schedule has less than 0.26 % overhead".
    """

    overhead: float
    budget_bytes: int
    certificate: Certificate | None = None
    infeasible: str | None = None

    @property
    def operations(self) -> tuple[int, ...]:
        """The operations at whose first runs the budget is shown to bind, earliest first."""
        return self.certificate.operations if self.certificate is not None else ()


def overhead_bound(
    graph: Graph, budget_bytes: int, *, effort: Effort | None = None, tiers: Sequence[SlowerTier] = ()
) -> OverheadBound:
    """A lower bound on the overhead of every schedule that meets a budget.

    It holds for any order and any number of recomputations. Schedules may move storages to a slower tier only where
    ``tiers`` says so; their cost is then the time that computation and transfers take side by side.
    While an operation first runs, what it depends on has run and what depends on it has not; all that is read later
    is live at that moment or computed again. What that costs at least is a linear program; its prices prove it.

    Args:
        graph: the computation.
        budget_bytes: the budget.
        effort: how much to try; the default suits the size of the graph.
        tiers: slower tiers that schedules may use; costs are then seconds.

    Example:
        >>> chain = Graph.from_arrays(
        ...     cost=[1, 1, 1, 1, 1, 1], bytes=[4] * 6, edges=[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (1, 4)]
        ... )
        >>> chain.store_all_peak_bytes, round(overhead_bound(chain, 12).overhead * chain.base_cost, 6)
        (16, 1.0)
    """
    return overhead_bounds(graph, [budget_bytes], effort=effort, tiers=tiers)[0]


def overhead_bounds(
    graph: Graph, budgets: Iterable[int], *, effort: Effort | None = None, tiers: Sequence[SlowerTier] = ()
) -> tuple[OverheadBound, ...]:
    """``overhead_bound`` for many budgets, sharing the work between them; a smaller budget never has a smaller bound.

    Args:
        graph: the computation.
        budgets: in bytes.
        effort: how much to try for each budget that is looked at by itself.
        tiers: slower tiers that schedules may use.

    Example:
        >>> chain = Graph.from_arrays(cost=[1, 1, 1], bytes=[4, 4, 4], edges=[(0, 1), (1, 2)])
        >>> [bound.overhead for bound in overhead_bounds(chain, [4, 8])]
        [inf, 0.0]
    """
    return _bounds(graph, list(budgets), effort or Effort(), channel=channel_of(tiers))


def fixed_order_bound(graph: Graph, budget_bytes: int, *, effort: Effort | None = None) -> OverheadBound:
    """A lower bound on the overhead of every schedule whose first runs follow ``graph.order``.

    Schedules that reorder can be below it, so it is no bound on what a plan could cost.

    Args:
        graph: the computation.
        budget_bytes: the budget.
        effort: how much to try.

    Example:
        >>> fork = Graph.from_arrays(
        ...     cost=[1, 1, 2, 1, 1], bytes=[2, 8, 8, 1, 1], edges=[(0, 1), (0, 2), (1, 3), (2, 4)]
        ... )
        >>> fixed_order_bound(fork, 17).overhead > overhead_bound(fork, 17).overhead
        True
    """
    return _bounds(graph, [budget_bytes], effort or Effort(), in_order=True)[0]


def _bounds(
    graph: Graph, budgets: list[int], effort: Effort, *, in_order: bool = False, channel: Channel | None = None
) -> tuple[OverheadBound, ...]:
    least = quick_bound(graph, spilling=channel is not None)
    reasons = {budget: least.objection(budget) for budget in budgets}
    possible = [budget for budget in budgets if reasons[budget] is None and budget < graph.store_all_peak_bytes]
    structure = Structure(graph.relaxed)
    search: CutSearch | None = None
    if possible and structure.base_cost:
        search = CutSearch(structure, effort, in_order=in_order, channel=channel)
        search.search_all(possible)
    # Of a graph with choices the structure has the least of each operation; what runs once costs more together.
    base_cost = Fraction(graph.base_cost) if graph.has_choices else structure.base_cost
    return tuple(_bound(structure, base_cost, search, budget, reasons[budget]) for budget in budgets)


def _bound(
    structure: Structure, base_cost: Fraction, search: CutSearch | None, budget_bytes: int, reason: str | None
) -> OverheadBound:
    if reason is not None:
        return OverheadBound(math.inf, budget_bytes, infeasible=reason)
    certificate = search.best(budget_bytes) if search is not None else None
    if certificate is None:
        return OverheadBound(0.0, budget_bytes)
    # Beside transfers what costs more may be hidden: there the least of each operation is all that is sure.
    sure = base_cost if certificate.channel is None else structure.base_cost
    exact = (sure + certificate.extra_cost(budget_bytes)) / base_cost - 1
    held = (
        held_at_least(structure, certificate.operations, in_order=certificate.in_order) if exact > _ALARMING else None
    )
    if held is not None and held.bytes() > budget_bytes and certificate.channel is None:
        reason = f"the least budget in which operations {held.operations} can first run is {held.bytes()} bytes"
        return OverheadBound(math.inf, budget_bytes, held, reason)
    return OverheadBound(_rounded_down(exact, structure.count), budget_bytes, certificate)


def _rounded_down(overhead: Fraction, operations: int) -> float:
    """A float below what a sum of that many costs, added up in floating point, can come to."""
    return max(0.0, math.nextafter(float(overhead) - (1 + float(overhead)) * operations * _ROUNDING, -math.inf))
