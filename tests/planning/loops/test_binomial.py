"""Equal steps: the counts of Griewank and Walther (2000), exactly."""

from __future__ import annotations

from math import comb

import pytest

from retrograde.planning.loops import Loop, plan_loop, replay_loop
from retrograde.planning.loops.binomial import Revolve, forward_steps
from retrograde.planning.loops.tally import tally
from retrograde.planning.loops.walk import Units, walk


def known_count(steps: int, slots: int) -> int:
    """r·n − C(s + r, r − 1) with the smallest r for which n ≤ C(s + r, s), found by trying."""
    repetition = next(r for r in range(steps) if steps <= comb(slots + r, slots)) if steps > 1 else 0
    return repetition * steps - (comb(slots + repetition, repetition - 1) if repetition else 0)


@pytest.mark.parametrize("slots", range(1, 21))
def test_counts_for_every_length(slots: int) -> None:
    for steps in range(1, 201):
        counted = tally(Loop(steps, state_bytes=3), Units(steps), Revolve(slots))
        assert counted.forward_steps == forward_steps(steps, slots) == known_count(steps, slots)
        assert counted.peak_bytes == 3 * min(slots, steps - 1)


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 8, 13, 20])
def test_the_referee_agrees(slots: int) -> None:
    for steps in [*range(1, 40), 77, 120, 200]:
        loop = Loop(steps, state_bytes=3)
        seen = replay_loop(walk(Units(steps), Revolve(slots)), loop, 3 * slots)
        assert seen.forward_steps == known_count(steps, slots)
        assert seen.recorded_steps == steps
        assert seen.snapshot_peak == min(slots, steps - 1)


@pytest.mark.parametrize(
    ("steps", "slots", "count"),
    [(100, 3, 490), (100, 5, 316), (100, 10, 222), (1000, 10, 3636), (1000, 20, 2747), (10_000, 10, 57_624)],
)
def test_published_counts(steps: int, slots: int, count: int) -> None:
    plan = plan_loop(steps, state_bytes=8, budget_bytes=8 * slots)
    assert plan.optimal
    assert plan.forward_steps == plan.verify().forward_steps == count


def test_a_million_steps() -> None:
    plan = plan_loop(10**6, state_bytes=2**60, budget_bytes=50 * 2**60)
    assert plan.forward_steps == 5 * 10**6 - comb(55, 4) == 4_658_945
    assert plan.peak_bytes == 50 * 2**60
    first = [action for action, _ in zip(plan, range(100), strict=False)]
    assert len(first) == 100


def test_as_often_as_the_peer_package() -> None:
    peer = pytest.importorskip("checkpoint_schedules")
    for steps in (2, 3, 5, 11, 24, 40):
        for slots in (1, 2, 3, 6):
            if slots < steps:
                theirs = sum(len(a) for a in peer.Revolve(steps, slots) if isinstance(a, peer.Forward))
                assert plan_loop(steps, 1, slots).forward_steps + steps == theirs


def test_a_million_steps_of_one_slot_are_counted_without_being_walked() -> None:
    assert forward_steps(10**6, 1) == 10**6 * (10**6 - 1) // 2
    assert forward_steps(0, 3) == forward_steps(1, 0) == 0


@pytest.mark.parametrize("length", [2, 3, 7])
def test_units_of_several_steps(length: int) -> None:
    """The first unit may be shorter; what is counted beforehand is what the referee sees."""
    for steps in (1, 6, 20, 41):
        loop = Loop(steps, 5, 4, workspace_bytes=3, reverse_workspace_bytes=1)
        units, decisions = Units(steps, length), Revolve(2)
        seen, counted = replay_loop(walk(units, decisions), loop), tally(loop, units, decisions)
        assert (seen.forward_steps, seen.peak_bytes) == (counted.forward_steps, counted.peak_bytes)
        assert seen.forward_steps <= length * forward_steps(units.count, 2)
