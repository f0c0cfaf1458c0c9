"""The dynamic program against brute force over every schedule of small loops, and against published schedules."""

from __future__ import annotations

import random
from math import inf

import pytest
from brute_force import least_cost
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograde.planning.loops import Disk, Loop, plan_loop, plan_of, replay_loop
from retrograde.planning.loops.dynamic import DynamicProgram
from retrograde.planning.loops.levels import Levels
from retrograde.planning.loops.simple import bound_bytes, smallest
from retrograde.planning.loops.walk import Units, walk

SMALL = st.integers(0, 4)
FEW = settings(max_examples=60)


@st.composite
def equal_loops(draw: st.DrawFn, disk: bool) -> Loop:
    return Loop(
        draw(st.integers(1, 4 if disk else 5)),
        draw(st.integers(0, 3)),
        draw(st.none() | st.integers(0, 6)),
        workspace_bytes=draw(SMALL),
        reverse_workspace_bytes=draw(SMALL),
        disk=Disk(draw(st.none() | st.integers(0, 8)), draw(SMALL), draw(SMALL)) if disk else None,
    )


@st.composite
def unequal_loops(draw: st.DrawFn, disk: bool) -> Loop:
    steps = draw(st.integers(1, 4 if disk else 5))

    def many(most: int) -> st.SearchStrategy[list[int]]:
        return st.lists(st.integers(0, most), min_size=steps, max_size=steps)

    return Loop(
        steps,
        draw(many(5)),
        draw(st.none() | many(7)),
        draw(many(9)),
        draw(many(2)),
        draw(many(2)),
        draw(many(3)),
        Disk(draw(st.none() | st.integers(0, 10)), draw(many(3)), draw(many(3))) if disk else None,
    )


def planned_cost(loop: Loop, budget_bytes: int) -> float:
    """By the dynamic program, replayed by the referee where there is a schedule at all."""
    units = Units(loop.steps)
    program = DynamicProgram(loop, units, budget_bytes, 500)
    assert program.exact
    if program.extra_cost == inf:
        return inf
    seen = replay_loop(walk(units, program), loop, budget_bytes)
    assert seen.cost == loop.base_cost + program.extra_cost
    return seen.cost


@FEW
@given(equal_loops(disk=False), st.integers(0, 18))
def test_no_schedule_of_equal_steps_is_cheaper(loop: Loop, budget_bytes: int) -> None:
    assert planned_cost(loop, budget_bytes) == least_cost(loop, budget_bytes)


@FEW
@given(unequal_loops(disk=False), st.integers(0, 22))
def test_no_lasting_schedule_of_unequal_steps_is_cheaper(loop: Loop, budget_bytes: int) -> None:
    assert planned_cost(loop, budget_bytes) == least_cost(loop, budget_bytes, lasting=True)


@FEW
@given(equal_loops(disk=True), st.integers(0, 14))
def test_no_schedule_with_a_disk_is_cheaper(loop: Loop, budget_bytes: int) -> None:
    assert planned_cost(loop, budget_bytes) == least_cost(loop, budget_bytes)


@settings(max_examples=25)
@given(unequal_loops(disk=True), st.integers(0, 16))
def test_no_lasting_schedule_of_unequal_steps_with_a_disk_is_cheaper(loop: Loop, budget_bytes: int) -> None:
    assert planned_cost(loop, budget_bytes) == least_cost(loop, budget_bytes, lasting=True)


@FEW
@given(st.booleans().flatmap(unequal_loops))
def test_no_schedule_at_all_goes_below_the_bound(loop: Loop) -> None:
    bound = bound_bytes(loop)
    assert bound == 0 or least_cost(loop, bound - 1) == inf
    assert bound <= smallest(loop)[1]


@FEW
@given(st.booleans().flatmap(equal_loops))
def test_of_equal_steps_the_smallest_budget_is_the_bound(loop: Loop) -> None:
    assert bound_bytes(loop) == smallest(loop)[1]


def test_a_schedule_that_drops_a_state_early_can_be_cheaper_for_unequal_states() -> None:
    """What the stated class leaves out: state 1 serves steps 3 and 4, is dropped, and computed again."""
    loop = Loop(
        5,
        (1, 4, 5, 4, 5),
        (3, 2, 6, 3, 5),
        (3, 0, 3, 1, 5),
        workspace_bytes=(0, 0, 1, 3, 2),
        reverse_workspace_bytes=3,
    )
    assert least_cost(loop, 11) == 25
    assert least_cost(loop, 11, lasting=True) == planned_cost(loop, 11) == 28


def test_mixed_slots_as_the_peer_package() -> None:
    """One more slot than theirs, which does not count the residuals of the step under way (Maddison, 2024)."""
    mixed = pytest.importorskip("checkpoint_schedules.mixed")
    for steps in range(1, 30):
        for slots in range(1, 8):
            plan = plan_loop(steps, 1, slots + 1, residual_bytes=1)
            assert plan.cost == mixed.optimal_steps_mixed(steps, min(slots, steps - 1))
            assert plan.optimal


def test_mixed_slots_save_steps() -> None:
    assert plan_loop(100, 1, 11, residual_bytes=1).cost < plan_loop(100, 1, 10).cost


@pytest.mark.parametrize("steps", [6, 20, 33])
def test_two_tiers_as_the_peer_package(steps: int) -> None:
    """H-Revolve (Herrmann & Pallez, 2020): runs, writes and reads weighed together."""
    peer = pytest.importorskip("checkpoint_schedules")
    disk = peer.StorageType.DISK
    for slots, room, write, read in [(1, 1, 2, 1), (2, 2, 0, 0), (2, 5, 5, 5), (3, 2, 2, 1), (1, 5, 2, 1)]:
        cost = 0
        for action in peer.HRevolve(steps, slots, room, wd=write, rd=read):
            match action:
                case peer.Forward():
                    cost += len(action) + write * (action.write_ics and action.storage == disk)
                case peer.Copy() | peer.Move():
                    cost += read * (action.from_storage == disk)
                case _:
                    pass
        plan = plan_loop(steps, 1, slots, disk=Disk(room, write, read))
        assert plan.cost == plan.verify().cost == cost


@FEW
@given(st.integers(1, 120), st.integers(1, 9), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3))
def test_a_larger_budget_never_costs_more(steps: int, state: int, residual: int, states: int, units: int) -> None:
    loop = Loop(steps, state, residual)
    budgets = [state * states + residual * units, state * (states + 1) + residual * units]
    small, large = (plan_of(loop, budget, "optimal") for budget in budgets)
    assert small.optimal
    assert large.optimal
    assert large.cost <= small.cost


def test_rounded_levels_still_meet_the_budget() -> None:
    draw = random.Random(4)
    loop = Loop(60, [draw.randrange(10**6) for _ in range(60)], [draw.randrange(10**7) for _ in range(60)])
    program = DynamicProgram(loop, Units(60), 3 * 10**7, 40)
    assert not program.exact
    assert program.memory.count == 40
    seen = replay_loop(walk(Units(60), program), loop, 3 * 10**7)
    assert seen.cost == loop.base_cost + program.extra_cost


def test_levels_without_units() -> None:
    assert Levels.of(7, [], 10, equal=True).values == (7,)


def test_more_levels_than_allowed_are_rounded_down() -> None:
    levels = Levels.of(1000, [(3, 7)] * 50, 5, equal=True)
    assert (levels.values, levels.exact) == ((0, 250, 500, 750, 1000), False)
    assert levels.after(1).tolist() == [5, 0, 1, 2, 3, 5]


def test_periodic_states_on_a_disk() -> None:
    loop = Loop(400, 8, disk=Disk(write_cost=3, read_cost=3))
    periodic, optimal = plan_of(loop, 40, "periodic"), plan_of(loop, 40, "optimal")
    assert periodic.verify().disk_writes == 400 // periodic.recipe["distance"]
    assert optimal.optimal
    assert optimal.cost <= periodic.cost <= 1.15 * optimal.cost
    assert periodic.cost < plan_loop(400, 8, 40).cost


def test_periodic_states_fit_a_small_disk() -> None:
    plan = plan_loop(50_000, 8, 80, disk=Disk(budget_bytes=8 * 100, write_cost=1, read_cost=1))
    assert plan.strategy == "periodic"
    assert plan.figures.disk_peak_bytes <= 800
    assert plan.cost < plan_loop(50_000, 8, 80).cost
    assert plan.verify().disk_peak_bytes == plan.figures.disk_peak_bytes
