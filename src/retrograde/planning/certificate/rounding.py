"""From bounds to plans: what a relaxation would run again, as choices that a planner can begin with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from retrograde.graph import Graph
from retrograde.planning.certificate.relaxation import relax
from retrograde.planning.certificate.search import CutSearch, Effort
from retrograde.planning.certificate.solver import solve
from retrograde.planning.certificate.structure import Structure

_THRESHOLDS = (0.01, 0.5, 0.99)


def recomputation_choices(
    graph: Graph,
    budget_bytes: int,
    *,
    shares: tuple[float, ...] = (1.0, 0.98, 0.95, 0.92, 0.88, 0.84, 0.8),
    effort: Effort | None = None,
) -> Iterator[tuple[int, ...]]:
    """Which operations to run again behind the moment that binds most, for a budget and for some shares of it.

    The relaxation sees one moment only and may do things by halves, so plans made from its choices can need
    somewhat more than the budget that it was asked for; those for smaller shares make up for that.

    Args:
        graph: the computation.
        budget_bytes: the budget.
        shares: of the budget, in the order in which they are tried.
        effort: how much to try to find the moment.

    Yields:
        Operations, in numbering order; each choice once.

    Example:
        >>> edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (1, 4)]
        >>> chain = Graph.from_arrays(cost=[2, 1, 1, 1, 1, 1], bytes=[4] * 6, edges=edges)
        >>> next(recomputation_choices(chain, 12))
        (0,)
    """
    structure = Structure(graph)
    search = CutSearch(structure, effort or Effort(more_cuts=1))
    search.search(budget_bytes)
    best = search.best(budget_bytes)
    if best is None:
        return
    relaxation = relax(structure, [search.cut(operation) for operation in best.operations[:1]])
    seen: set[tuple[int, ...]] = set()
    for share in shares:
        found = solve(relaxation, int(budget_bytes * share))
        for threshold in _THRESHOLDS if found is not None else ():
            assert found is not None
            chosen = np.sort(relaxation.run_operation[found.values[: relaxation.runs] > threshold])
            choice: tuple[int, ...] = tuple(chosen.tolist())
            if choice and choice not in seen:
                seen.add(choice)
                yield choice
