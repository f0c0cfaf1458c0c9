"""What one call's part of a step's plan takes by itself, which the plan of the whole does not tell."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning import Compute, Load, Schedule


def schedule_peak_bytes(graph: Graph, schedule: Schedule) -> int:
    """The most that is live while a schedule runs; what is never freed is taken to stay.

    The referee would refuse such a schedule: in a step, outputs and gradients are the caller's to free.
    """
    return max(_demands(graph, schedule), default=0)


def _demands(graph: Graph, schedule: Schedule) -> Iterator[int]:
    live: set[int] = set()
    for index, action in enumerate(schedule.actions):
        segment = int(index >= schedule.segments[1])
        if index == schedule.segments[1]:
            live.update(s for s, arrival in enumerate(graph.arrivals) if arrival == 1)
        workspace_bytes = 0
        if isinstance(action, Compute):
            live.difference_update(graph.values[read].storage for _, read in action.overwrites)
            live.update(graph.allocated_storages(action.operation))
            workspace_bytes = graph.operations[action.operation].workspace_bytes
        elif isinstance(action, Load):
            live.add(action.storage)
        else:
            live.discard(action.storage)
        yield sum(graph.storages[s].bytes for s in live) + workspace_bytes + graph.fixed_demand(segment)
