"""Proofs that no schedule meets a budget."""

from __future__ import annotations

from dataclasses import dataclass

from retrograde.analysis.bounds import lower_bounds
from retrograde.analysis.working_sets import working_sets
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning.certificate.cuts import cut_at
from retrograde.planning.certificate.exact import Certificate, certify_prices
from retrograde.planning.certificate.relaxation import relax
from retrograde.planning.certificate.solver import solve
from retrograde.planning.certificate.structure import NOBODY, Structure

_MOST_CUTS = 16


@dataclass(frozen=True)
class PeakBound:
    """Bytes below which no schedule's peak goes, recomputing as it likes, without a slower tier.

    Attributes:
        bytes: how many.
        reason: what proves it, in words.
        certificate: the proof where a linear program found it; None where a working set or the like does.
    """

    bytes: int
    reason: str
    certificate: Certificate | None = None

    def objection(self, budget_bytes: int) -> str | None:
        """Why no schedule meets a budget, or None where it is no less than the bound."""
        if self.bytes <= budget_bytes:
            return None
        return f"{self.reason}, the budget is {budget_bytes} bytes ({format_bytes(budget_bytes)})"


def prove_infeasible(graph: Graph, budget_bytes: int, *, spilling: bool = False) -> str | None:
    """Why no schedule at all meets a budget, or None where that is not shown. Takes a moment.

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
    return quick_bound(graph, spilling=spilling).objection(budget_bytes)


def peak_bound(graph: Graph) -> PeakBound:
    """The best bound on the peak of any schedule: what ``lower_bounds`` knows, or a linear program.

    Operations that may not run twice, and inputs that arrive, have to be held for those who read them later,
    unless something smaller that follows from them is held in their place. The program finds the least bytes of
    such a mixture while one operation first runs.

    Args:
        graph: the computation.

    Example:
        >>> from retrograde import Operation, Storage, Value
        >>> once = Operation("once", 1, reads=(), makes=(0,), recomputable=False)
        >>> large = Operation("large", 1, reads=(0,), makes=(1,))
        >>> peak = Operation("peak", 1, reads=(1,), makes=(2,), workspace_bytes=9)
        >>> middle = Operation("middle", 1, reads=(2,), makes=(3,), workspace_bytes=20)
        >>> last = Operation("last", 1, reads=(1, 3), makes=())
        >>> graph = Graph(
        ...     operations=(once, large, peak, middle, last),
        ...     values=tuple(Value(i) for i in range(4)),
        ...     storages=(Storage(2), Storage(8), Storage(1), Storage(1)),
        ...     order=(0, 1, 2, 3, 4),
        ... )
        >>> peak_bound(graph).reason
        'what has to be held while operation 3 first runs needs 24 bytes (24 B)'
    """
    best = quick_bound(graph, spilling=False)
    structure = Structure(graph)
    needs = structure.needs
    once = needs.storage[(needs.maker == NOBODY) | ~structure.recomputable[needs.maker]]
    once_storages: set[int] = set(once.tolist())
    once_bytes = sum(structure.sizes[storage] for storage in once_storages)
    for operation in _places(graph):
        if cut_at(structure, operation).taken_bytes + once_bytes <= best.bytes:
            continue
        found = held_at_least(structure, (operation,))
        if found is not None and found.bytes() > best.bytes:
            reason = f"what has to be held while operation {operation} first runs needs {found.bytes()} bytes"
            best = PeakBound(found.bytes(), f"{reason} ({format_bytes(found.bytes())})", found)
    return best


def held_at_least(structure: Structure, operations: tuple[int, ...], *, in_order: bool = False) -> Certificate | None:
    """A certificate for the least bytes at the first runs of some operations, each certainly before the next."""
    relaxation = relax(structure, [cut_at(structure, o, in_order=in_order) for o in operations])
    found = solve(relaxation, 0, goal="bytes") if len(relaxation.least) else None
    return certify_prices(relaxation, found.prices, goal="bytes", in_order=in_order) if found is not None else None


def _places(graph: Graph) -> list[int]:
    """Operations with the largest working sets, and some that are evenly spaced in the given order."""
    sets = working_sets(graph)
    largest = sorted(range(len(sets)), key=lambda operation: -sets[operation])[:_MOST_CUTS]
    step = max(1, len(graph.order) // _MOST_CUTS)
    return list(dict.fromkeys([*largest, *graph.order[::step]]))


def quick_bound(graph: Graph, *, spilling: bool) -> PeakBound:
    """The best bound on the peak that takes no linear program."""
    bounds = [b for b in lower_bounds(graph) if b.holds_with_spilling or not spilling]
    largest = max(bounds, key=lambda bound: bound.bytes)
    return PeakBound(
        largest.bytes,
        f"{largest.name}: {largest.place} needs {largest.bytes} bytes ({format_bytes(largest.bytes)})",
    )
