"""``plan_loop``: proposes schedules for a loop, takes the cheapest within the budget, or raises ``BudgetError``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from retrograde.errors import BudgetError, UsageError
from retrograde.graph.units import format_bytes, parse_bytes
from retrograde.planning.loops.candidates import (
    PATIENCE,
    dynamic_recipes,
    every_k_recipe,
    keep_all_bytes,
    keep_all_recipe,
    levels_within,
    periodic_recipes,
    revolve_recipes,
    slots_within,
    smallest_recipe,
)
from retrograde.planning.loops.model import Bytes, Cost, Disk, Loop, read_count
from retrograde.planning.loops.online_loop import OnlineLoop
from retrograde.planning.loops.plan import LoopPlan
from retrograde.planning.loops.recipes import Recipe, figures
from retrograde.planning.loops.simple import bound_bytes
from retrograde.planning.loops.walk import Units

_Propose = Callable[[Loop, int, int | None], Iterator[tuple[Recipe, bool]]]


@overload
def plan_loop(
    steps: int,
    state_bytes: int | Sequence[int],
    budget_bytes: int | str | None,
    *,
    residual_bytes: int | Sequence[int] | None = None,
    step_cost: float | Sequence[float] = 1,
    reverse_cost: float | Sequence[float] = 0,
    workspace_bytes: int | Sequence[int] = 0,
    reverse_workspace_bytes: int | Sequence[int] = 0,
    disk: Disk | None = None,
    strategy: str = "auto",
    distance: int | None = None,
) -> LoopPlan: ...
@overload
def plan_loop(
    steps: None,
    state_bytes: int,
    budget_bytes: int | str,
    *,
    residual_bytes: int | None = None,
    step_cost: float = 1,
    reverse_cost: float = 0,
    workspace_bytes: int = 0,
    reverse_workspace_bytes: int = 0,
    disk: None = None,
    strategy: str = "auto",
    distance: None = None,
) -> OnlineLoop: ...
def plan_loop(
    steps: int | None,
    state_bytes: Bytes | Sequence[int],
    budget_bytes: int | str | None,
    *,
    residual_bytes: Bytes | Sequence[int] | None = None,
    step_cost: Cost | Sequence[float] = 1,
    reverse_cost: Cost | Sequence[float] = 0,
    workspace_bytes: Bytes | Sequence[int] = 0,
    reverse_workspace_bytes: Bytes | Sequence[int] = 0,
    disk: Disk | None = None,
    strategy: str = "auto",
    distance: int | None = None,
) -> LoopPlan | OnlineLoop:
    """Plan the reversal of a loop within a budget of bytes.

    Numbers that differ from step to step are sequences. A caller that holds the initial state anyway adds its bytes
    to the budget.

    Args:
        steps: how many; None if that is not known before the loop ends.
        state_bytes: of the state that a step starts from, when it is stored.
        budget_bytes: the most bytes in memory: an int, ``"8 GiB"``, or None for no limit.
        residual_bytes: of what a step keeps for its own reversal; None if that cannot be kept (``Loop`` says more).
        step_cost: of running a step.
        reverse_cost: of reversing a step, without running it.
        workspace_bytes: live while a step runs, beside what is stored.
        reverse_workspace_bytes: live while a step is reversed, beside what is stored.
        disk: a slower tier for states.
        strategy: one of ``LOOP_STRATEGIES``.
        distance: between stored states, for ``every_k`` only.

    Returns:
        The plan; an ``OnlineLoop`` if the number of steps is not known.

    Raises:
        BudgetError: the strategy cannot meet the budget. Asking for its ``minimum_bytes`` succeeds.
        UsageError: an argument means nothing.

    Example:
        >>> plan = plan_loop(1000, state_bytes=8, budget_bytes=80)
        >>> plan.strategy, plan.forward_steps, plan.peak_bytes
        ('revolve', 3636, 80)
        >>> plan_loop(1000, state_bytes=8, budget_bytes=104, residual_bytes=8).forward_steps
        2601
    """
    budget = None if budget_bytes is None else parse_bytes(budget_bytes)
    sizes: tuple[Any, ...] = (
        state_bytes,
        residual_bytes,
        step_cost,
        reverse_cost,
        workspace_bytes,
        reverse_workspace_bytes,
    )
    if steps is None:
        if budget is None or distance is not None or disk is not None or strategy not in ("auto", "online"):
            raise UsageError(
                "a loop of unknown length is planned as it runs, by the strategy 'online', within a budget in memory; "
                f"found strategy={strategy!r}, budget_bytes={budget_bytes!r}, distance={distance!r}, disk={disk!r}"
            )
        return OnlineLoop(Loop(1, *sizes), budget)
    loop = Loop(steps, *sizes, disk=disk)
    return plan_of(loop, budget, strategy, distance)


def plan_of(loop: Loop, budget_bytes: int | None, strategy: str = "auto", distance: int | None = None) -> LoopPlan:
    """What ``plan_loop`` does, for a ``Loop``.

    Example:
        >>> plan_of(Loop(100, state_bytes=8), 24).forward_steps
        490
    """
    if strategy not in _STRATEGIES:
        raise UsageError(f"there is no strategy {strategy!r} for loops; choose from {', '.join(LOOP_STRATEGIES)}")
    if (distance is not None) != (strategy == "every_k"):
        raise UsageError(f"strategy {strategy!r} with distance={distance!r}: every_k takes a distance, no other does")
    if distance is not None and not read_count(distance, "distance"):
        raise UsageError("a distance of 0 between stored states is not above 0")
    limit = keep_all_bytes(loop) if budget_bytes is None else budget_bytes
    best: LoopPlan | None = None
    for recipe, optimal in _STRATEGIES[strategy](loop, limit, distance):
        plan = LoopPlan(loop, budget_bytes, recipe, figures(loop, recipe), optimal)
        if _fits(plan, limit) and (best is None or _rank(plan) < _rank(best)):
            best = plan
    return best or _smallest_plan(loop, budget_bytes, strategy, distance)


def _smallest_plan(loop: Loop, budget_bytes: int | None, strategy: str, distance: int | None) -> LoopPlan:
    """The plan of a strategy with the smallest peak, for a budget so tight that nothing else is within it."""
    recipe = _smallest_recipe(loop, strategy, distance)
    plan = LoopPlan(loop, budget_bytes, recipe, figures(loop, recipe))
    if budget_bytes is None or _fits(plan, budget_bytes):
        return plan
    bound = bound_bytes(loop)
    raise BudgetError(
        f"{format_bytes(budget_bytes)} ({budget_bytes} bytes) are too few for a loop of {loop.steps} steps by "
        f"{strategy!r}: the smallest budget that a plan in hand meets is {plan.peak_bytes} bytes, and no schedule "
        f"needs fewer than {bound}; raise the budget"
        + ("" if strategy == "auto" or plan.peak_bytes == bound else ', or take strategy="auto"'),
        budget_bytes=budget_bytes,
        minimum_bytes=plan.peak_bytes,
        bound_bytes=bound,
    )


def _rank(plan: LoopPlan) -> tuple[float, bool, int]:
    return plan.cost, not plan.optimal, plan.peak_bytes


def _fits(plan: LoopPlan, limit: int) -> bool:
    disk = plan.loop.disk
    room = math.inf if disk is None or disk.budget_bytes is None else disk.budget_bytes
    return plan.peak_bytes <= limit and plan.figures.disk_peak_bytes <= room


def _smallest_recipe(loop: Loop, strategy: str, distance: int | None) -> Recipe:
    match strategy:
        case "keep_all":
            return keep_all_recipe(loop)
        case "every_k" | "sqrt":
            return every_k_recipe(loop, distance)
        case "revolve":
            return Recipe("revolve", (("slots", 1), ("length", 1)))
        case _:
            return smallest_recipe(loop)


def _keep_all(loop: Loop, budget_bytes: int, distance: int | None) -> Iterator[tuple[Recipe, bool]]:
    yield keep_all_recipe(loop), True


def _every_k(loop: Loop, budget_bytes: int, distance: int | None) -> Iterator[tuple[Recipe, bool]]:
    yield every_k_recipe(loop, distance), False


def _revolve(loop: Loop, budget_bytes: int, distance: int | None) -> Iterator[tuple[Recipe, bool]]:
    slots = slots_within(loop, budget_bytes)
    if slots or loop.steps <= 1:
        yield Recipe("revolve", (("slots", max(1, slots)), ("length", 1))), _plain(loop)


def _plain(loop: Loop) -> bool:
    """Whether the binomial schedule is the optimum."""
    return loop.uniform and not loop.keeps_residuals and loop.disk is None


def _periodic(loop: Loop, budget_bytes: int, distance: int | None) -> Iterator[tuple[Recipe, bool]]:
    if loop.disk is None:
        raise UsageError("the strategy 'periodic' stores states on disk; give disk=Disk(...)")
    for recipe in periodic_recipes(loop, budget_bytes):
        yield recipe, False


def _optimal(loop: Loop, budget_bytes: int, distance: int | None) -> Iterator[tuple[Recipe, bool]]:
    if _plain(loop):
        yield from _revolve(loop, budget_bytes, distance)
        return
    if loop.steps and not levels_within(loop, Units(loop.steps), budget_bytes, PATIENCE):
        raise UsageError(
            f"a loop of {loop.steps} steps is too long for the exact dynamic program"
            + ("" if loop.uniform else " with steps that differ")
            + '; take strategy="auto"'
        )
    yield from dynamic_recipes(loop, budget_bytes, whole=True)


def _auto(loop: Loop, budget_bytes: int, distance: int | None) -> Iterator[tuple[Recipe, bool]]:
    if loop.keeps_residuals and keep_all_bytes(loop) <= budget_bytes:
        yield keep_all_recipe(loop), True
        return
    yield from _revolve(loop, budget_bytes, distance)
    if _plain(loop):
        return
    for recipe in revolve_recipes(loop, budget_bytes):
        yield recipe, False
    yield from dynamic_recipes(loop, budget_bytes)
    for recipe in periodic_recipes(loop, budget_bytes):
        yield recipe, False


_STRATEGIES: dict[str, _Propose] = {
    "auto": _auto,
    "keep_all": _keep_all,
    "every_k": _every_k,
    "sqrt": _every_k,
    "revolve": _revolve,
    "periodic": _periodic,
    "optimal": _optimal,
}
LOOP_STRATEGIES = (*_STRATEGIES, "online")
