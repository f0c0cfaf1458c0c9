"""One report of everything that is known about a graph before a plan is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

from retrograde.analysis.bounds import Bound, lower_bounds
from retrograde.analysis.orders import Order, compare_orders
from retrograde.analysis.structure import Structure, structure_of
from retrograde.analysis.working_sets import Handover, working_sets
from retrograde.graph import Graph
from retrograde.graph.footprint import store_all_live_bytes


@dataclass(frozen=True)
class Frontier:
    """Live bytes over the positions of the given order when nothing is recomputed.

    Attributes:
        live_bytes: for each position the bytes live while its operation runs.
        peak_bytes: the most bytes live at any moment, the borders between segments included.
        peak_position: the first position whose operation has the most bytes live.
        mean_bytes: mean over the positions.
        tail_bytes: live after the last operation: the outputs.
        near_peak: share of the positions with at least nine tenths of the peak, as a fraction.
    """

    live_bytes: tuple[int, ...]
    peak_bytes: int
    peak_position: int
    mean_bytes: float
    tail_bytes: int
    near_peak: float


@dataclass(frozen=True)
class Analysis:
    """What is known about a graph before a plan is made; ``report()`` says it in words.

    Attributes:
        graph: the graph.
        frontier: live bytes of the given order.
        working_set_bytes: for each operation the least bytes that are live while it runs, in any schedule.
        largest_working_set: index of the operation that needs most; None if there are no operations.
        orders: several topological orders with their peaks; the given one first.
        bounds: lower bounds on the peak of any schedule, largest first.
        structure: depth, width, fan-out, narrow points.
    """

    graph: Graph
    frontier: Frontier
    working_set_bytes: tuple[int, ...]
    largest_working_set: int | None
    orders: tuple[Order, ...]
    bounds: tuple[Bound, ...]
    structure: Structure

    @property
    def best_order(self) -> Order:
        """The order with the smallest peak; the first of equals."""
        return min(self.orders, key=lambda order: order.peak_bytes)

    @property
    def bound_bytes(self) -> int:
        """The best lower bound on the peak of any schedule, spilling included."""
        return max(bound.bytes for bound in self.bounds if bound.holds_with_spilling)

    @property
    def bound_without_spilling_bytes(self) -> int:
        """The best lower bound on the peak of any schedule that does not spill."""
        return max(bound.bytes for bound in self.bounds)

    @property
    def frontier_ratio(self) -> float:
        """Peak of the given order over the best lower bound (no spilling): what recomputation could gain at most.

        1 means that nothing can be gained; 1 as well for a graph that needs no memory.
        """
        bound = self.bound_without_spilling_bytes
        return self.frontier.peak_bytes / bound if bound else 1.0

    def report(self) -> str:
        """The analysis as text that a person can read."""
        from retrograde.analysis.text import analysis_report

        return analysis_report(self)


_Found = TypeVar("_Found", covariant=True)


class Analyzable(Protocol[_Found]):
    """What knows how to analyze itself: a program."""

    def analyzed(self) -> _Found:
        """Its analysis."""
        ...


@overload
def analyze(graph: Graph) -> Analysis: ...


@overload
def analyze(graph: Analyzable[_Found]) -> _Found: ...


def analyze(graph: Graph | Analyzable[Any]) -> Any:
    """What is known about a graph before a plan is made: frontier, working sets, orders, lower bounds, shape.

    Run it to see how much memory a computation needs at the least, what its given order needs, and what stands
    between the two. Takes a few seconds for 20,000 operations.

    Args:
        graph: the computation. Of a program of NumPy code (`rg.as_program`) the work and the depth are told, as
            polynomials in its sizes.

    Example:
        >>> graph = Graph.from_arrays(cost=[1] * 4, bytes=[8] * 4, edges=[(0, 1), (1, 2), (2, 3), (0, 3)])
        >>> analysis = analyze(graph)
        >>> analysis.frontier.peak_bytes, analysis.bound_bytes, analysis.structure.depth
        (24, 24, 4)
    """
    if not isinstance(graph, Graph):
        return graph.analyzed()
    sets = working_sets(graph)
    return Analysis(
        graph=graph,
        frontier=_frontier(graph),
        working_set_bytes=sets,
        largest_working_set=max(range(len(sets)), key=sets.__getitem__, default=None),
        orders=compare_orders(graph),
        bounds=lower_bounds(graph),
        structure=structure_of(graph),
    )


def _frontier(graph: Graph) -> Frontier:
    live = store_all_live_bytes(graph)
    peak = graph.store_all_peak_bytes
    return Frontier(
        live_bytes=tuple(live),
        peak_bytes=peak,
        peak_position=live.index(max(live)) if live else 0,
        mean_bytes=sum(live) / len(live) if live else 0.0,
        tail_bytes=Handover(graph).held_bytes[-1],
        near_peak=sum(10 * count >= 9 * peak for count in live) / len(live) if live else 0.0,
    )
