"""The ways in which a scheduled loop can run: its trade-off curve, and the best plan for what bytes are left to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log2

from retrograde.errors import BudgetError
from retrograde.planning.loops import Loop, LoopPlan, plan_of
from retrograde.planning.loops.binomial import forward_steps
from retrograde.planning.loops.candidates import (
    keep_all_bytes,
    keep_all_recipe,
    revolve_recipes,
    slots_within,
    smallest_recipe,
)
from retrograde.planning.loops.model import total
from retrograde.planning.loops.recipes import Figures, Recipe, figures

_COUNTED = 20_000
"""Steps up to which schedules are counted."""

_LONG = 4000
"""Steps beyond which the dynamic programs are left out: they would take seconds."""

_MOST_SLOTS = 1 << 20

# A budget is looked for in many attempts, and most of them ask the same of a loop.
_figures = lru_cache(1024)(figures)

Planner = Callable[[Loop, int | None], LoopPlan]
"""From a loop and the bytes that are left to it to a plan; without bytes what the strategy does by itself."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a sweep and its replay.

    Attributes:
        kept_bytes: what the sweep leaves.
        forward_workspace_bytes: what the sweep needs besides.
        reverse_workspace_bytes: what the replay needs besides.
        forward_cost: of the sweep, in seconds.
        reverse_cost: of the replay.
        plan: the plan.
    """

    kept_bytes: int
    forward_workspace_bytes: int
    reverse_workspace_bytes: int
    forward_cost: float
    reverse_cost: float
    plan: LoopPlan

    @staticmethod
    def of(plan: LoopPlan) -> Way:
        """The way that a plan is."""
        found = plan.figures
        return Way(
            found.kept_bytes,
            found.forward_peak_bytes - found.kept_bytes,
            found.peak_bytes - found.kept_bytes,
            found.forward_cost,
            found.cost - found.forward_cost,
            plan,
        )


def curve(loop: Loop, count: int = 8, planner: Planner | None = None, limit: int | None = None) -> list[Way]:
    """A short trade-off curve, the way that keeps most first.

    Args:
        loop: of equal steps.
        count: the most ways.
        planner: what makes a plan of a budget; one that is quick if left out.
        limit: the most bytes that are of interest.
    """
    least, most = _smallest_plan(loop).peak_bytes, max(1, keep_all_bytes(loop))
    most = most if limit is None else max(least, min(most, limit))
    found: list[Way] = []
    for part in range(count):
        share = part / max(1, count - 1)
        budget = max(least, round(2 ** (log2(most) * (1 - share) + log2(max(1, least)) * share)))
        try:
            way = Way.of((planner or quick_plan)(loop, budget))
        except BudgetError:
            continue
        if not found or (way.plan.peak_bytes < found[-1].plan.peak_bytes and way.kept_bytes <= found[-1].kept_bytes):
            found.append(way)
    return found or [Way.of(_smallest_plan(loop))]


def quick_plan(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    """The best of the schedules that need no dynamic program.

    Raises:
        BudgetError: not even the smallest schedule is within the budget.
    """
    limit = keep_all_bytes(loop) if budget_bytes is None else budget_bytes
    if keep_all_bytes(loop) <= limit:
        return _made(loop, keep_all_recipe(loop), budget_bytes)
    recipes = list(revolve_recipes(loop, limit))
    slots = slots_within(loop, limit)
    if slots or loop.steps <= 1:
        recipes.append(Recipe("revolve", (("slots", max(1, slots)), ("length", 1))))
    for recipe in sorted(recipes, key=lambda recipe: _steps_of(loop, recipe)):
        plan = _made(loop, recipe, budget_bytes)
        if plan.peak_bytes <= limit:
            return plan
    smallest = _smallest_plan(loop)
    if smallest.peak_bytes <= limit:
        return smallest
    return plan_of(loop, limit)  # Raises the error that says how much is needed.


def _made(loop: Loop, recipe: Recipe, budget_bytes: int | None) -> LoopPlan:
    found = _estimated(loop, recipe) if loop.steps > _COUNTED and loop.keeps_residuals else _figures(loop, recipe)
    return LoopPlan(loop, budget_bytes, recipe, found)


def _steps_of(loop: Loop, recipe: Recipe) -> int:
    """Steps advanced over, those of the first unit counted as if it were as long as the others."""
    if recipe.strategy == "keep_all":
        return 0
    length = recipe["length"]
    return length * forward_steps(-(-loop.steps // length), recipe["slots"])


def _estimated(loop: Loop, recipe: Recipe) -> Figures:
    """What a schedule of equal steps adds up to at most, by formulas: counting takes seconds for long loops."""
    states = 0 if recipe.strategy == "keep_all" else recipe["slots"]
    kept = states * loop.state(0) + recipe["length"] * loop.residual(0)
    workspace = loop.needed_bytes(0) - loop.residual(0)
    steps = _steps_of(loop, recipe)
    forward_cost = total(loop.step_cost, 0, loop.steps)
    again = total(loop.step_cost, 0, 1) * steps
    # The sweep runs every step once; what runs again is counted with the reversal.
    cost = loop.base_cost + (again if states else 0)
    return Figures(steps, cost, kept + workspace, 0, kept, 0, forward_cost, kept + workspace)


def auto_plan(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    """The best plan in hand, whatever it takes to find it.

    Raises:
        BudgetError: not even the smallest schedule is within the budget.
    """
    quick = quick_plan(loop, budget_bytes)
    if budget_bytes is None or quick.strategy == "keep_all" or loop.steps > _LONG:
        return quick
    return min((plan_of(loop, budget_bytes), quick), key=lambda plan: plan.cost)


def online_plan(loop: Loop, budget_bytes: int | None) -> LoopPlan:
    """The plan of a loop whose length only the run knows, as if it were that of the loop that is given.

    Raises:
        BudgetError: there is no room for a state beside a step.
    """
    state, needed = loop.state(0), loop.needed_bytes(0)
    slots = max(1, round(log2(max(2, loop.steps))))
    if budget_bytes is not None:
        slots = (budget_bytes - needed) // state if state else slots
    if slots < 1:
        raise BudgetError(
            f"{budget_bytes} bytes are too few for a loop of unknown length: one state and one step take "
            f"{state + needed}; raise the budget",
            budget_bytes=budget_bytes or 0,
            minimum_bytes=state + needed,
            bound_bytes=needed,
        )
    recipe = Recipe("online", (("slots", min(slots, _MOST_SLOTS)),))
    recorded = replace(
        loop,
        residual_bytes=None,
        reverse_workspace_bytes=loop.reversing_bytes(0),
        workspace_bytes=loop.running_bytes(0),
    )
    return LoopPlan(loop, budget_bytes, recipe, _figures(recorded, recipe))


def _smallest_plan(loop: Loop) -> LoopPlan:
    # The schedule of one state is counted action by action, and takes long beside that of two.
    two = Recipe("revolve", (("slots", 2), ("length", 1)))
    return _made(loop, two if loop.steps > 1000 else smallest_recipe(loop), None)
