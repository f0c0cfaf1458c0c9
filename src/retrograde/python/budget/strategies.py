"""Strategies by name, for the loops of a program."""

from __future__ import annotations

from math import log2

from retrograde.errors import UsageError
from retrograde.planning.loops import Loop, LoopPlan, plan_of
from retrograde.planning.loops.recipes import Recipe, figures
from retrograde.planning.strategies import STRATEGIES as GRAPH_STRATEGIES
from retrograde.python.budget.ways import Planner, auto_plan


def _optimal(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    return plan_of(loop, budget_bytes, "optimal")


def _revolve(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    if budget_bytes is None:
        return _with_slots(loop, max(1, round(log2(max(2, loop.steps)))))
    return plan_of(loop, budget_bytes, "revolve")


def _interval_tree(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    return plan_of(loop, budget_bytes, "revolve") if budget_bytes is not None else _revolve(loop, None)


def _sqrt(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    return plan_of(loop, budget_bytes, "sqrt")


def _block(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    """States at equal distances: of all distances within the budget the one that costs least, then keeps least."""
    if budget_bytes is None or loop.steps < 2:
        return plan_of(loop, budget_bytes, "sqrt")
    best: LoopPlan | None = None
    distance = 1
    while distance <= loop.steps:
        recipe = Recipe("every_k", (("distance", distance),))
        plan = LoopPlan(loop, budget_bytes, recipe, figures(loop, recipe))
        if plan.peak_bytes <= budget_bytes and (best is None or plan.cost < best.cost):
            best = plan
        distance = max(distance + 1, distance * 11 // 10)
    return best or plan_of(loop, budget_bytes, "sqrt")  # Raises the error that says how much is needed.


def _recompute_all(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    plan = _with_slots(loop, 1)
    if budget_bytes is not None and plan.peak_bytes > budget_bytes:
        return plan_of(loop, budget_bytes, "revolve")
    return plan


def _store_all(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    return plan_of(loop, budget_bytes, "keep_all")


def _with_slots(loop: Loop, slots: int) -> LoopPlan:
    recipe = Recipe("revolve", (("slots", slots), ("length", 1)))
    return LoopPlan(loop, None, recipe, figures(loop, recipe))


_PLANNERS: dict[str, Planner] = {
    "auto": auto_plan,
    "search": auto_plan,
    "selective": auto_plan,
    "optimal": _optimal,
    "revolve": _revolve,
    "interval_tree": _interval_tree,
    "sqrt": _sqrt,
    "block": _block,
    "recompute_all": _recompute_all,
    "store_all": _store_all,
}
STRATEGIES = tuple(_PLANNERS)
"""The names of strategies for programs."""

WITHOUT_BUDGET = frozenset({"sqrt", "block", "revolve", "interval_tree", "recompute_all"})
"""Strategies that do something of their own where no budget is given."""


def loop_planner(strategy: str) -> Planner:
    """What plans loops by a strategy.

    Raises:
        UsageError: there is none of that name.
    """
    if strategy not in _PLANNERS:
        raise UsageError(f"there is no strategy {strategy!r} for programs; choose from {', '.join(STRATEGIES)}")
    return _PLANNERS[strategy]


def graph_strategy(strategy: str) -> str:
    """What the planner of graphs is asked for around the loops."""
    return strategy if strategy in ("auto", "search") or strategy in GRAPH_STRATEGIES else "auto"
