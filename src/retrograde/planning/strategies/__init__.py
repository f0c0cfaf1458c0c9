"""Strategies, by name: each is a file with one function that yields operation sequences for a graph.

To add one, write a file like its neighbours with ``candidates(graph, options)`` and name it here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

from retrograde.graph import Graph
from retrograde.planning.lowering import RunOrder, Schedule
from retrograde.planning.plan import Plan
from retrograde.planning.strategies import (
    block,
    by_hand,
    interval_tree,
    recompute_all,
    selective,
    spill,
    sqrt,
    store_all,
)
from retrograde.planning.strategies.options import Options

Candidates = Callable[[Graph, Options], Iterator[RunOrder]]

STRATEGIES: dict[str, Candidates] = {
    "store_all": store_all.candidates,
    "recompute_all": recompute_all.candidates,
    "sqrt": sqrt.candidates,
    "block": block.candidates,
    "selective": selective.candidates,
    "interval_tree": interval_tree.candidates,
}
"""For each strategy the function that yields its candidates, from the cheapest to the smallest."""

Schedules = Callable[[Graph, int | None], Iterator[Schedule]]

SPILLING: dict[str, Schedules] = {"spill": spill.schedules}
"""Strategies that move storages to a slower tier: each yields schedules for a budget in bytes, best first.

They are used where they are asked for by name: how long a transfer takes is not in their plans.
"""

SEARCHES = ("auto", "search", "optimal")
"""Strategies that look for a plan themselves: each is a file with one function ``search``."""


PROVING = ("auto", "search")
"""Those of them that ask for a bound while they search, and end when nothing more can be gained."""


def searcher(strategy: str) -> Callable[..., Plan]:
    """The function ``search`` of a strategy of ``SEARCHES``; its file is imported when it is first wanted."""
    return importlib.import_module(f"retrograde.planning.strategies.{strategy}").search


__all__ = ["PROVING", "SEARCHES", "SPILLING", "STRATEGIES", "Candidates", "Options", "Schedules", "by_hand", "searcher"]
