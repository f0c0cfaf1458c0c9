"""Small schedules, written out."""

from __future__ import annotations

from retrograde.planning.loops import Advance, Disk, Drop, Record, Restore, Reverse, Snapshot, plan_loop


def test_four_steps_and_two_states() -> None:
    assert list(plan_loop(4, state_bytes=1, budget_bytes=2)) == [
        Snapshot(0), Advance(0, 2), Snapshot(2), Advance(2, 3), Record(3), Reverse(3),
        Restore(2), Drop(2), Record(2), Reverse(2),
        Restore(0), Advance(0, 1), Record(1), Reverse(1),
        Restore(0), Drop(0), Record(0), Reverse(0),
    ]  # fmt: skip


def test_everything_kept() -> None:
    plan = plan_loop(3, state_bytes=5, budget_bytes=21, residual_bytes=7)
    assert list(plan) == [Record(0), Record(1), Record(2), Reverse(2), Reverse(1), Reverse(0)]
    assert (plan.overhead, plan.peak_bytes, plan.optimal) == (0, 21, True)


def test_slots_that_hold_a_state_or_residuals() -> None:
    """Three slots for four steps: one holds state 1, then residuals (Maddison, 2024)."""
    plan = plan_loop(4, state_bytes=1, budget_bytes=3, residual_bytes=1)
    assert list(plan) == [
        Record(0), Snapshot(1), Advance(1, 3), Record(3), Reverse(3),
        Restore(1), Drop(1), Record(1), Record(2), Reverse(2), Reverse(1), Reverse(0),
    ]  # fmt: skip
    assert plan.cost == 6


def test_states_at_equal_distances() -> None:
    plan = plan_loop(5, state_bytes=1, budget_bytes=10, residual_bytes=2, strategy="every_k", distance=2)
    assert list(plan) == [
        Snapshot(0), Advance(0, 2), Snapshot(2), Advance(2, 4), Record(4), Reverse(4),
        Restore(2), Drop(2), Record(2), Record(3), Reverse(3), Reverse(2),
        Restore(0), Drop(0), Record(0), Record(1), Reverse(1), Reverse(0),
    ]  # fmt: skip
    assert plan.peak_bytes == 5


def test_states_at_equal_distances_where_residuals_cannot_be_kept() -> None:
    plan = plan_loop(4, state_bytes=1, budget_bytes=10, strategy="sqrt")
    assert list(plan)[:8] == [
        Snapshot(0), Advance(0, 2), Snapshot(2), Advance(2, 3), Record(3), Reverse(3), Restore(2), Drop(2),
    ]  # fmt: skip


def test_a_state_on_disk_that_is_read_twice() -> None:
    plan = plan_loop(3, state_bytes=1, budget_bytes=0, disk=Disk(budget_bytes=1, write_cost=2, read_cost=0.5))
    assert list(plan) == [
        Snapshot(0, "disk"), Advance(0, 2), Record(2), Reverse(2),
        Restore(0, "disk"), Advance(0, 1), Record(1), Reverse(1),
        Restore(0, "disk"), Drop(0, "disk"), Record(0), Reverse(0),
    ]  # fmt: skip
    assert plan.cost == 3 + 3 + 2 + 2 * 0.5


def test_the_two_parts_of_a_schedule() -> None:
    plan = plan_loop(4, state_bytes=1, budget_bytes=2)
    assert [*plan.forward(), *plan.reversal()] == list(plan)
    assert list(plan.forward())[-1] == Record(3)
    assert next(plan.reversal()) == Reverse(3)
    assert list(plan_loop(0, 1, 1).forward()) == list(plan_loop(0, 1, 1).reversal()) == []
