"""``plan_loop``: what it refuses, what it survives, and that its figures are what the referee sees."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograde import BudgetError, PlanError, UsageError
from retrograde.planning.loops import LOOP_STRATEGIES, Disk, Loop, LoopPlan, loop_choices, plan_loop, plan_of
from retrograde.planning.loops.simple import bound_bytes, smallest

BYTES = st.integers(0, 9)


@st.composite
def loops(draw: st.DrawFn) -> Loop:
    steps = draw(st.integers(0, 25))

    def number(most: int) -> Any:
        if draw(st.booleans()):
            return draw(st.integers(0, most))
        return draw(st.lists(st.integers(0, most), min_size=steps, max_size=steps))

    disk = Disk(draw(st.none() | st.integers(0, 40)), number(3), number(3)) if draw(st.booleans()) else None
    residuals = None if draw(st.booleans()) else number(9)
    return Loop(steps, number(9), residuals, number(9), number(9), number(5), number(5), disk)


@settings(max_examples=150)
@given(loops(), st.integers(0, 120), st.sampled_from([s for s in LOOP_STRATEGIES if s != "online"]))
def test_every_plan_is_what_it_says(loop: Loop, budget_bytes: int, strategy: str) -> None:
    if strategy == "periodic" and loop.disk is None:
        return
    distance = 3 if strategy == "every_k" else None
    refusal: BudgetError | None = None
    try:
        plan = plan_of(loop, budget_bytes, strategy, distance)
    except BudgetError as error:
        refusal = error
        plan = plan_of(loop, error.minimum_bytes, strategy, distance)
    if refusal is not None:
        assert refusal.bound_bytes <= refusal.minimum_bytes
        assert refusal.budget_bytes == budget_bytes < refusal.minimum_bytes
    plan.verify()
    assert LoopPlan.from_json(plan.to_json()) == plan
    assert plan.peak_bytes >= bound_bytes(loop)


@settings(max_examples=80)
@given(loops())
def test_the_smallest_peak_is_met_and_the_bound_is_beneath_it(loop: Loop) -> None:
    schedule, peak = smallest(loop)
    plan = plan_of(loop, peak)
    assert plan.verify().peak_bytes <= peak
    assert schedule.tier in ("memory", "disk")
    assert bound_bytes(loop) <= peak


@settings(max_examples=60)
@given(loops(), st.integers(0, 80))
def test_the_automatic_choice_is_no_dearer_than_any_other(loop: Loop, budget_bytes: int) -> None:
    plans: list[LoopPlan] = []
    for strategy in ("auto", "keep_all", "sqrt", "revolve", "optimal"):
        try:
            plans.append(plan_of(loop, budget_bytes, strategy))
        except BudgetError:
            assert strategy != "auto" or budget_bytes < smallest(loop)[1]
    assert all(plans[0].cost <= plan.cost * (1 + 1e-12) or plans[0].strategy != "auto" for plan in plans)


@pytest.mark.parametrize("strategy", [s for s in LOOP_STRATEGIES if s not in ("online", "periodic", "every_k")])
def test_no_step_and_one_step(strategy: str) -> None:
    none = plan_loop(0, 8, 0, strategy=strategy)
    assert (list(none), none.cost, none.overhead, none.peak_bytes) == ([], 0, 0, 0)
    one = plan_loop(1, 8, 5, residual_bytes=5, strategy=strategy)
    assert (one.verify().peak_bytes, one.forward_steps, one.overhead) == (5, 0, 0)


def test_no_limit() -> None:
    assert plan_loop(50, 8, None, residual_bytes=5).overhead == 0
    assert plan_loop(50, 8, None).forward_steps == 49


def test_budgets_in_words() -> None:
    assert plan_loop(100, 1024, "3 KiB").forward_steps == 490


def test_numbers_of_numpy() -> None:
    plan = plan_loop(np.int64(3), np.array([8, 8, 8]), np.int64(24), step_cost=np.ones(3), reverse_cost=np.float32(0.5))
    assert plan.loop == Loop(3, 8, reverse_cost=0.5, step_cost=1.0)
    assert json.loads(plan.to_json())["loop"]["step_cost"] == 1.0


def test_bytes_beyond_what_floats_and_words_hold() -> None:
    plan = plan_loop(40, 2**70 + 1, 5 * 2**70 + 4, residual_bytes=2**70 + 2)
    assert plan.verify().peak_bytes <= 5 * 2**70 + 4
    assert plan.forward_steps < plan_loop(40, 2**70 + 1, 4 * 2**70 + 4, residual_bytes=2**70 + 2).forward_steps


def test_states_without_bytes() -> None:
    plan = plan_loop(30, 0, 7, residual_bytes=7)
    assert (plan.peak_bytes, plan.forward_steps) == (7, 29)


def test_steps_without_cost() -> None:
    plan = plan_loop(30, 8, 24, step_cost=0)
    assert (plan.cost, plan.overhead) == (0, 0)


def test_costs_that_differ_by_twelve_orders() -> None:
    costs = [1e12 if step % 7 == 3 else 1.0 for step in range(30)]
    plan = plan_loop(30, 8, 48, step_cost=costs)
    assert plan.optimal
    assert plan.verify().cost == plan.cost < plan_loop(30, 8, 48, step_cost=costs, strategy="revolve").cost


def test_long_loops_of_unequal_steps() -> None:
    """Too long for a table of single steps: planned by units, still replayed and within the budget."""
    sizes = [8 + step % 5 for step in range(1000)]
    plan = plan_loop(1000, sizes, 6_000, residual_bytes=[4 * size for size in sizes], step_cost=sizes)
    assert not plan.optimal
    assert plan.verify().peak_bytes <= 6_000
    assert plan.overhead < 1.2


def test_a_budget_that_is_too_small() -> None:
    with pytest.raises(BudgetError, match=r"20 B \(20 bytes\) are too few for a loop of 9 steps by 'auto'") as error:
        plan_loop(9, 8, 20, residual_bytes=24)
    assert (error.value.minimum_bytes, error.value.bound_bytes) == (32, 32)
    assert plan_loop(9, 8, 32, residual_bytes=24).peak_bytes == 32
    with pytest.raises(BudgetError, match='or take strategy="auto"') as error:
        plan_loop(9, 8, 40, residual_bytes=24, strategy="keep_all")
    assert error.value.minimum_bytes == 9 * 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 8, 80), "steps of -1 is not an int of 0 or more"),
        ((2.5, 8, 80), "steps of 2.5 is not an int"),
        ((True, 8, 80), "steps of True is not an int"),
        ((3, -8, 80), "state_bytes of -8 is not an int of 0 or more"),
        ((3, [8, 8, -1], 80), r"state_bytes\[2\] of -1 is not"),
        ((3, [8, 9], 80), "state_bytes has 2 entries for a loop of 3 steps"),
        ((3, 8, "many"), "'many' is not an amount of bytes"),
        ((3, 8, -1), "-1 is not an amount of bytes of 0 or more"),
    ],
)
def test_numbers_that_mean_nothing(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_loop(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_cost": -1}, "step_cost of -1 is not a finite number of 0 or more"),
        ({"step_cost": float("nan")}, "step_cost of nan is not a finite number"),
        ({"reverse_cost": [1, 2, float("inf")]}, r"reverse_cost\[2\] of inf is not a finite number"),
        ({"reverse_cost": "high"}, r"reverse_cost\[0\] of 'h' is not a finite number"),
        ({"strategy": "best"}, "there is no strategy 'best' for loops; choose from auto, keep_all"),
        ({"strategy": "every_k"}, "distance=None: every_k takes a distance"),
        ({"distance": 3}, "strategy 'auto' with distance=3: every_k takes a distance, no other does"),
        ({"strategy": "every_k", "distance": 0}, "a distance of 0 between stored states is not above 0"),
        ({"strategy": "periodic"}, r"'periodic' stores states on disk; give disk=Disk\(...\)"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_loop(3, 8, 80, **options)


def test_disks_that_mean_nothing() -> None:
    with pytest.raises(UsageError, match="budget_bytes of the disk of -1"):
        Disk(-1)
    with pytest.raises(UsageError, match="read_cost of the disk of -2"):
        Disk(read_cost=-2)
    with pytest.raises(UsageError, match="write_cost of the disk has 2 entries for a loop of 3 steps"):
        Loop(3, 8, disk=Disk(write_cost=(1, 2)))


def test_a_loop_too_long_for_the_exact_program() -> None:
    with pytest.raises(UsageError, match=r'too long for the exact dynamic program.*take strategy="auto"'):
        plan_loop(100_000, 8, 800, residual_bytes=9, strategy="optimal")


def test_figures_that_are_not_true_are_found() -> None:
    plan = plan_loop(10, 8, 24)
    with pytest.raises(PlanError, match="says forward_steps = 3, the referee saw 15"):
        replace(plan, figures=replace(plan.figures, forward_steps=3)).verify()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a loop plan written by LoopPlan.to_json"),
        ("[]", "not a loop plan written by LoopPlan.to_json"),
        (
            '{"format": "retrograde plan", "version": 1}',
            "this is 'retrograde plan' of version 1; a loop plan of version 1",
        ),
        ('{"format": "retrograde loop plan", "version": 1, "loop": {}}', "not a loop plan"),
    ],
)
def test_text_that_is_no_plan(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LoopPlan.from_json(text)


def test_choices_for_a_parent() -> None:
    loop = Loop(64, 8, 24, step_cost=2, reverse_cost=3, workspace_bytes=16, reverse_workspace_bytes=4)
    choices = loop_choices(loop, 6)
    assert 3 <= len(choices) <= 6
    assert choices[0].cost == loop.base_cost
    assert choices[-1].payload.peak_bytes == smallest(loop)[1]
    costs = [choice.cost for choice in choices]
    peaks = [choice.kept_bytes + choice.reverse_workspace_bytes for choice in choices]
    assert costs == sorted(set(costs))
    assert peaks == sorted(set(peaks), reverse=True)
    for choice in choices:
        seen = choice.payload.verify()
        assert choice.kept_bytes + choice.forward_workspace_bytes == seen.sweep.peak_bytes
        assert choice.kept_bytes + choice.reverse_workspace_bytes == seen.peak_bytes >= seen.reverse_peak_bytes
        assert choice.forward_cost == seen.sweep.cost
        assert choice.cost == seen.cost


def test_choices_of_a_strategy_that_meets_few_budgets() -> None:
    choices = loop_choices(Loop(64, 8, 24), 5, strategy="keep_all")
    assert [choice.kept_bytes for choice in choices] == [64 * 24]


def test_few_choices() -> None:
    assert len(loop_choices(Loop(64, 8, 24), 1)) == 1
    assert len(loop_choices(Loop(0, 8), 5)) == 1
