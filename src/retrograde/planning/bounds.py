"""What no schedule can go below, whatever it recomputes or spills and in whatever order."""

from __future__ import annotations

from retrograde.analysis.working_sets import Handover, largest_working_set_bytes
from retrograde.graph import Graph


def peak_bound_bytes(graph: Graph) -> int:
    """A proved bound on the peak of every schedule: the largest working set of an operation or of a border.

    The working set of a border is what arrives there, the outputs handed over before it, and the fixed demand of
    the segment that begins.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 4, 2], edges=[(0, 1), (1, 2)])
        >>> peak_bound_bytes(graph)
        12
    """
    handover = Handover(graph)
    borders = [_border_bytes(graph, segment, handover) for segment in range(1, graph.segment_count)]
    return max(largest_working_set_bytes(graph), max(borders, default=0))


def _border_bytes(graph: Graph, segment: int, handover: Handover) -> int:
    arriving = [s for s, arrival in enumerate(graph.arrivals) if arrival == segment]
    own = sum(graph.storages[s].bytes for s in arriving)
    return own + handover.held_beside(graph, segment, arriving) + graph.fixed_demand(segment)
