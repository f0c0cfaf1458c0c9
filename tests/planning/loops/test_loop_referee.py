"""The referee of loops: each rule broken once, and good schedules mutated."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograde import PlanError
from retrograde.planning.loops import (
    Advance,
    Disk,
    Drop,
    Loop,
    LoopAction,
    Record,
    Restore,
    Reverse,
    Snapshot,
    Sweep,
    plan_of,
    replay_loop,
    replay_sweep,
)

LOOP = Loop(3, state_bytes=8, residual_bytes=5, workspace_bytes=2, reverse_workspace_bytes=3, reverse_cost=2)
GOOD: tuple[LoopAction, ...] = (
    Snapshot(0), Advance(0, 2), Record(2), Reverse(2),
    Restore(0), Drop(0), Record(0), Record(1), Reverse(1), Reverse(0),
)  # fmt: skip


def refused(actions: Sequence[LoopAction], message: str, loop: Loop = LOOP, budget_bytes: int | None = None) -> None:
    with pytest.raises(PlanError, match=message):
        replay_loop(actions, loop, budget_bytes)


def test_a_good_schedule() -> None:
    seen = replay_loop(GOOD, LOOP, 16, count_runs=True)
    assert (seen.forward_steps, seen.recorded_steps, seen.cost, seen.peak_bytes) == (2, 3, 11, 16)
    assert (seen.sweep, seen.reverse_peak_bytes) == (Sweep(13, 0, 3, 15), 16)
    assert (seen.most_runs, seen.snapshot_peak, seen.disk_reads, seen.disk_writes) == (2, 1, 0, 0)


def test_a_run_from_another_state() -> None:
    refused([Advance(1, 2)], "action 0 of the loop: step 1 cannot run from state 0")
    refused([Snapshot(0), Advance(0, 2), Record(1)], "action 2 of the loop: step 1 cannot run from state 2")


def test_a_run_after_a_reversal_without_going_back() -> None:
    refused([*GOOD[:4], Record(0)], "step 0 cannot run from state None")


def test_a_run_beyond_what_is_left() -> None:
    refused([Advance(0, 4)], "steps 0 to 3 cannot run with 3 steps left")
    refused([*GOOD[:5], Advance(0, 3)], "steps 0 to 2 cannot run with 2 steps left")
    refused([Advance(0, 0)], "steps 0 to -1 cannot run")


def test_states_that_are_not_there() -> None:
    refused([Restore(1)], "state 1 is restored from memory, where it is not stored")
    refused([Drop(1)], "state 1 is dropped from memory, where it is not stored")
    refused([Snapshot(1)], "state 1 cannot be stored from state 0")
    refused([Snapshot(0), Snapshot(0)], "state 0 is stored in memory already")
    refused([Advance(0, 3), Snapshot(3)], "state 3 cannot be stored from state 3, 3 steps being left")


def test_tiers_that_are_not_there() -> None:
    refused([Snapshot(0, "disk")], "there is no tier 'disk'")
    refused([Snapshot(0, "tape")], "there is no tier 'tape'", Loop(3, 8, disk=Disk()))  # pyright: ignore[reportArgumentType]


def test_reversals_out_of_turn() -> None:
    refused([Record(0), Reverse(0)], "step 0 is reversed where step 2 is next")
    refused([Advance(0, 3), Reverse(2)], "step 2 is reversed without its residuals")
    refused([*GOOD[:4], Reverse(2)], "step 2 is reversed where step 1 is next")


def test_residuals_kept_twice() -> None:
    refused([Snapshot(0), Record(0), Restore(0), Record(0)], "the residuals of step 0 are kept already")


def test_residuals_that_cannot_be_kept() -> None:
    refused([Record(0), Record(1)], "step 1 is recorded before step 0, though residuals cannot be kept", Loop(3, 8))


def test_memory_beyond_the_budget() -> None:
    refused([Snapshot(0)], "storing state 0 takes 8 bytes in memory, above the budget of 7", budget_bytes=7)
    refused(GOOD, "advancing from state 0 to 2 takes 10 bytes in memory, above the budget of 9", budget_bytes=9)
    refused(GOOD, "recording step 2 takes 15 bytes", budget_bytes=14)
    refused(GOOD, "reversing step 2 takes 16 bytes", budget_bytes=15)


def test_disk_beyond_its_budget() -> None:
    loop = Loop(3, state_bytes=8, disk=Disk(budget_bytes=15))
    refused([Snapshot(0, "disk"), Advance(0, 1), Snapshot(1, "disk")], "takes 16 bytes on disk, above its 15", loop)


def test_what_is_left_at_the_end() -> None:
    refused(GOOD[:4], "the schedule ends with 2 steps left to reverse")
    refused(
        [Snapshot(0), *[Record(k) for k in range(3)], *[Reverse(k) for k in (2, 1, 0)]], r"states \[0\] still stored"
    )


def test_what_is_no_action() -> None:
    refused(["advance"], "'advance' is not an action of a loop")  # pyright: ignore[reportArgumentType]


def test_a_sweep_alone() -> None:
    assert replay_sweep(GOOD, LOOP, 15) == Sweep(13, 0, 3, 15)
    with pytest.raises(PlanError, match="ends before step 2 of the loop has been run"):
        replay_sweep(GOOD[:2], LOOP)


def test_costs_that_differ_by_twelve_orders_are_added_exactly() -> None:
    loop = Loop(4, 8, 8, step_cost=(1e12, 1e-3, 1e-3, 1e12), reverse_cost=(0.1, 0.2, 0.3, 1e-12))
    plan = plan_of(loop, None)
    assert plan.cost == plan.base_cost == 2e12 + 2e-3 + 0.6
    assert plan.verify().cost == plan.cost


@given(st.integers(2, 12), st.integers(1, 4), st.data())
def test_a_schedule_with_an_action_left_out_is_refused_or_leaves_a_state_longer(
    steps: int, slots: int, data: st.DataObject
) -> None:
    loop = Loop(steps, 8)
    actions = list(plan_of(loop, 8 * slots))
    index = data.draw(st.integers(0, len(actions) - 1))
    with pytest.raises(PlanError):
        replay_loop(actions[:index] + actions[index + 1 :], loop, 8 * slots)
