"""Drop cheap operations only: those that give back many bytes for little cost."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options

_STEPS = 40


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """Up to forty candidates: the operations of least cost for each byte dropped, ever more of them.

    Those of equal cost for each byte are dropped together. Everything else is kept, and what is recomputed is held
    to its last use.
    """
    split = Split(graph)
    groups = _by_cost_per_byte(split)
    dropped: set[int] = set()
    taken = 0
    yield recompute_on_demand(split, dropped)
    for step in range(1, _STEPS + 1):
        upto = round(len(groups) * step / _STEPS)
        if upto > taken:
            for group in groups[taken:upto]:
                dropped.update(group)
            taken = upto
            yield recompute_on_demand(split, dropped)


def _by_cost_per_byte(split: Split) -> list[list[int]]:
    groups: dict[float, list[int]] = {}
    for operation in sorted(split.droppable):
        size = sum(split.graph.storages[s].bytes for s in split.graph.allocated_storages(operation))
        if size:
            groups.setdefault(split.graph.operations[operation].cost / size, []).append(operation)
    return [groups[ratio] for ratio in sorted(groups)]
