"""Slots of schedules in loop nests: in one array for states and residuals, or in lists where sizes differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nests.running import gradient_program

from retrograde.planning.loops import Loop, plan_of
from retrograde.program.schedules import RECORD, REVERSE, SNAPSHOT, TAKE, sharing_slots
from retrograde.program.types import ArrayType, Size, StackType
from retrograde.python.budget.planned import PlannedProgram, plan_program
from retrograde.python.budget.rows import Slots, ranged_rows
from retrograde.python.lowering import lower
from retrograde.python.nests import Nests, nests_of

Array = Any
FLOAT = np.dtype(np.float64)


def smooth(u: Array, steps: int) -> Array:
    for _ in range(steps):
        u = np.tanh(1.01 * u)
    return np.sum(u)


def stencil(u: Array, steps: int) -> Array:
    for _ in range(steps):
        u[1:-1] += 0.2 * np.tanh(u[:-2] - 2.0 * u[1:-1] + u[2:])
    return np.sum(u * u)


def nested(u: Array, steps: int) -> Array:
    for _ in range(steps):
        for j in range(3):
            u = np.sin(u) + 0.1 * u[j]
    return np.sum(u)


def nested_unequal(u: Array, steps: int) -> Array:
    for _ in range(steps):
        while u[0] > 0.4:
            u = 0.9 * np.sin(u)
        for j in range(3):
            few = np.tanh(u[u > 0.1 * j])
            u = 0.9 * u + 0.02 * np.sum(few * few)
    return np.sum(u)


def planned_and_run(
    function: Callable[..., Any], u: Array, steps: int, share: float
) -> tuple[PlannedProgram, PlannedProgram, Nests]:
    """Plans for compiled and for readable code, and nests of the first, which give the gradients of the program."""
    program, inputs = gradient_program(function, u, steps)
    whole = plan_program(program, inputs).report.store_all_bytes
    budget = int(share * whole)
    planned = plan_program(program, inputs, budget=budget, preallocated=True)
    assert planned.schedules
    nests = nests_of(lower(planned.program, frugal=True), frugal=True)
    names: dict[str, Any] = dict(nests.namespace)
    exec(compile(nests.text, "<nests>", "exec"), names)
    found = names[nests.driver](*inputs, *planned.schedules)
    for one, other in zip(found, program(*inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    return planned, plan_program(program, inputs, budget=budget), nests


U = np.linspace(0.1, 1.0, 400)


@pytest.mark.parametrize("function", [smooth, stencil])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_compiled_loops_take_the_steps_of_the_dynamic_program(function: Callable[..., Any], share: float) -> None:
    compiled, readable, nests = planned_and_run(function, U, 100, share)
    # Lists of arrays take a few bytes that arrays do not.
    assert compiled.report.loops[0].forward_steps <= readable.report.loops[0].forward_steps
    assert compiled.report.loops[0].strategy == "dynamic"
    assert not nests.reasons


def test_stacks_of_a_known_number_of_entries_have_slots_in_an_array() -> None:
    _, _, nests = planned_and_run(nested, U, 40, 0.3)
    assert not nests.reasons


def test_stacks_of_unknown_size_are_kept_in_lists_and_the_rest_is_compiled() -> None:
    _, _, nests = planned_and_run(nested_unequal, U[:20], 30, 0.4)
    assert {reason for _, reason in nests.reasons} == {"what loops keep of unequal sizes inside a budget is in lists"}
    assert nests.regions > 3


@pytest.mark.parametrize("budget", [3, 5, 9, 14])
def test_states_and_residuals_never_meet_in_the_slots_that_they_share(budget: int) -> None:
    plan = plan_of(Loop(40, state_bytes=1, residual_bytes=1), budget)
    slots = Slots()
    rows = list(ranged_rows(plan, slots))
    _, _, room = slots.most
    held: set[int] = set()
    for kind, start, stop, slot in rows:
        if kind == SNAPSHOT:
            assert slot not in held
            held.add(slot)
        elif kind == TAKE:
            held.remove(slot)
        elif kind in (RECORD, REVERSE):
            own = {room - 1 - (slot + step) for step in range(stop - start)}
            assert min(own) >= 0
            assert held.isdisjoint(own) if kind == RECORD else own <= held
            held = held | own if kind == RECORD else held - own
    assert room <= plan.peak_bytes


def test_only_arrays_of_about_one_known_size_share_slots() -> None:
    n, longer, other = Size("n", -2), Size("n"), Size("m")
    stacks = [StackType(ArrayType(FLOAT, sizes)) for sizes in ((longer,), (n,), (other,), (None,), (), (5,))]
    assert sharing_slots(stacks, stacks) == [(0, 0), (1, 1), (2, 2), (5, 5)]
    assert sharing_slots([stacks[0]], [stacks[1]]) == [(0, 0)]
    assert sharing_slots([stacks[1]], [stacks[0]]) == []
    assert sharing_slots([stacks[0]], [StackType(stacks[0])]) == []
    assert sharing_slots([stacks[0]], [StackType(ArrayType(np.dtype(np.float32), (longer,)))]) == []
