"""Loops of unknown length: every length up to some hundred, every number of slots up to ten."""

from __future__ import annotations

import pytest

from retrograde import BudgetError, UsageError
from retrograde.planning.loops import Loop, LoopPlan, OnlineLoop, plan_loop, replay_loop
from retrograde.planning.loops.binomial import forward_steps, repetitions


def run(steps: int, slots: int) -> tuple[LoopPlan, list[object]]:
    """What an engine does: carry out what it is told until the loop ends, then reverse."""
    online = plan_loop(None, state_bytes=8, budget_bytes=8 * slots)
    done: list[object] = []
    for _ in range(steps):
        done += online.advance()
    return online.finish(), done


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 6, 10])
def test_no_step_runs_more_often_than_the_bound(slots: int) -> None:
    """Once more than offline, for the last step is not known to be the last, and once to be recorded."""
    for steps in [*range(1, 60), *range(60, 300, 7)]:
        plan, done = run(steps, slots)
        seen = replay_loop([*done, *plan.reversal()], plan.loop, 8 * slots, count_runs=True)  # pyright: ignore[reportArgumentType]
        assert seen.most_runs <= repetitions(steps, slots) + 2
        assert seen.forward_steps == plan.forward_steps
        assert forward_steps(steps, slots) < seen.forward_steps or steps == 0


@pytest.mark.parametrize("slots", [2, 3, 5, 8])
def test_close_to_what_is_possible_when_the_length_is_known(slots: int) -> None:
    for steps in range(20, 400, 11):
        assert run(steps, slots)[0].forward_steps <= 1.4 * (forward_steps(steps, slots) + 1)


def test_the_plan_repeats_what_was_done() -> None:
    plan, done = run(57, 4)
    assert list(plan.forward()) == done
    assert plan.strategy == "online"
    assert plan.verify().peak_bytes == plan.peak_bytes == 32
    assert LoopPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("budget_bytes", [29, 60, 100, 300])
def test_residuals_take_the_place_of_states_on_the_way_back(budget_bytes: int) -> None:
    for steps in (1, 2, 9, 30, 90):
        online = plan_loop(None, state_bytes=8, budget_bytes=budget_bytes, residual_bytes=12, workspace_bytes=9)
        binomial = plan_loop(
            None, state_bytes=8, budget_bytes=budget_bytes, reverse_workspace_bytes=12, workspace_bytes=21
        )
        for _ in range(steps):
            assert online.advance() == binomial.advance()
        plan = online.finish()
        assert plan.verify().peak_bytes <= budget_bytes
        assert plan.forward_steps <= binomial.finish().forward_steps
        assert LoopPlan.from_json(plan.to_json()) == plan
    assert budget_bytes == 29 or plan.forward_steps < binomial.finish().forward_steps


def test_while_it_runs() -> None:
    online = plan_loop(None, state_bytes=8, budget_bytes=24)
    assert (online.steps, online.stored) == (0, ())
    for _ in range(5):
        online.advance()
        assert len(online.stored) <= 3
    assert online.steps == 5
    assert online.stored[0] == 0


def test_a_loop_that_never_ran() -> None:
    plan, done = run(0, 3)
    assert list(plan) == done == []
    assert plan.cost == plan.peak_bytes == 0


def test_states_of_no_bytes() -> None:
    online = plan_loop(None, state_bytes=0, budget_bytes=1, reverse_workspace_bytes=1)
    for _ in range(9):
        online.advance()
    plan = online.finish()
    assert plan.verify().forward_steps == 9


def test_a_finished_loop_takes_no_more_steps() -> None:
    online = plan_loop(None, state_bytes=8, budget_bytes=24)
    online.advance()
    online.finish()
    with pytest.raises(UsageError, match="the loop was finished after 1 steps; make another"):
        online.advance()


def test_too_few_bytes() -> None:
    with pytest.raises(BudgetError, match="one state and one step take 13; raise the budget") as error:
        plan_loop(None, state_bytes=8, budget_bytes=12, residual_bytes=2, workspace_bytes=3)
    assert isinstance(plan_loop(None, 8, error.value.minimum_bytes, residual_bytes=2, workspace_bytes=3), OnlineLoop)


def test_steps_that_differ() -> None:
    with pytest.raises(UsageError, match="has to have steps that are alike; give one number for all"):
        OnlineLoop(Loop(2, (8, 9)), 100)


def test_what_needs_a_length() -> None:
    with pytest.raises(UsageError, match=r"planned as it runs, by the strategy 'online'.*found strategy='revolve'"):
        plan_loop(None, 8, 80, strategy="revolve")
    with pytest.raises(UsageError, match="state_bytes has 2 entries for a loop of 1 steps"):
        plan_loop(None, (8, 9), 80)  # pyright: ignore[reportArgumentType, reportCallIssue]
