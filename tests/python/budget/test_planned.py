"""Programs inside a budget: bits, bytes, strategies, and what cannot be met."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from loop_programs import gradient, search

from retrograde.errors import BudgetError, UsageError
from retrograde.planning.loops import plan_loop
from retrograde.program.model import Program
from retrograde.python.budget.planned import PlannedProgram, plan_program
from retrograde.python.budget.rows import Slots, ranged_rows
from retrograde.python.budget.schedules import _Followed  # pyright: ignore[reportPrivateUsage]
from retrograde.python.budget.strategies import STRATEGIES
from retrograde.python.lowering import lower
from retrograde.python.text import python_text, run_text

WIDE = np.linspace(-0.9, 1.4, 5000)
STATE = WIDE.nbytes


def run(planned: PlannedProgram) -> Callable[..., Any]:
    """The planned program as Python text, with its schedules."""
    function = run_text(python_text(lower(planned.program, frugal=True)), planned.program.name)
    return lambda *arguments: function(*arguments, *planned.schedules)


def peak_of(function: Callable[..., Any], *arguments: Any) -> int:
    function(*arguments)
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def same(one: Any, other: Any) -> bool:
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["decay", "nested", "within_branch", "constant"])
def test_the_peak_is_inside_the_budget_and_the_bits_are_the_same(name: str) -> None:
    program = gradient(name)
    arguments = (WIDE, 0.9, 12, 1.5)
    whole = plan_program(program, arguments).report.store_all_bytes
    expected = program(*arguments)
    for share in (0.8, 0.6):
        budget = round(share * whole)
        planned = plan_program(program, arguments, budget)
        function = run(planned)
        assert same(function(*arguments), expected)
        assert planned.report.peak_bytes <= budget
        assert peak_of(function, *arguments) <= budget + 8192


def test_no_budget_changes_nothing() -> None:
    program = gradient("decay")
    planned = plan_program(program, (WIDE, 0.9, 12, 1.5))
    assert str(planned.program) == str(program)
    assert not planned.schedules
    assert planned.report.overhead == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_gives_the_same_bits(strategy: str) -> None:
    program = gradient("decay")
    arguments = (WIDE, 0.9, 30, 1.5)
    expected = program(*arguments)
    for budget in (None, 42 * STATE):
        try:
            planned = plan_program(program, arguments, budget, strategy)
        except BudgetError:
            assert strategy in ("store_all", "sqrt")
            continue
        assert same(planned.program(*arguments, *planned.schedules), expected)


def test_the_steps_are_those_of_the_optimal_dynamic_program() -> None:
    program = gradient("decay")
    planned = plan_program(program, (WIDE, 0.9, 300, 1.5), 30 * STATE)
    (loop,) = planned.report.loops
    plan = planned.schedules[0].plan(300)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]
    best = plan_loop(
        300,
        plan.loop.state_bytes,
        plan.budget_bytes,
        residual_bytes=plan.loop.residual_bytes,
        workspace_bytes=plan.loop.workspace_bytes,
        reverse_workspace_bytes=plan.loop.reverse_workspace_bytes,
        strategy="optimal",
    )
    assert loop.forward_steps == best.forward_steps
    assert plan.verify().forward_steps == best.forward_steps


def test_a_budget_too_small_names_one_that_is_enough() -> None:
    program = gradient("decay")
    arguments = (WIDE, 0.9, 30, 1.5)
    with pytest.raises(BudgetError, match="too few for decay_reversed") as caught:
        plan_program(program, arguments, 2 * STATE)
    assert caught.value.bound_bytes <= caught.value.minimum_bytes
    planned = plan_program(program, arguments, caught.value.minimum_bytes)
    assert same(planned.program(*arguments, *planned.schedules), program(*arguments))


@pytest.mark.parametrize("room", [3, 9, 10, 40, 10_000])
def test_rows_are_the_same_whether_or_not_there_is_room_to_write_them_down(room: int) -> None:
    plan = plan_loop(40, 8, 64, residual_bytes=8)
    whole = [tuple(row) for row in ranged_rows(plan, Slots())]
    followed = _Followed(plan, room)
    for _ in range(2):
        rows = [tuple(row) for part in (followed.sweep(), followed.reversal()) for chunk in part for row in chunk]
        assert rows == whole
    assert list(followed.sweep())[-1][-1, 2] == 40
    assert followed.written == (len(whole) if len(whole) <= room else 0)


def test_loops_below_the_threshold_are_left_alone() -> None:
    program = gradient("decay")
    for steps, count in ((99, 0), (100, 1), (1, 0), (0, 0)):
        arguments = (WIDE[:6], 0.9, steps, 1.5)
        planned = plan_program(program, arguments, strategy="sqrt", threshold=100)
        assert len(planned.schedules) == count
        assert same(planned.program(*arguments, *planned.schedules), program(*arguments))


def test_inner_loops_follow_schedules_where_the_outer_one_is_not_enough() -> None:
    program = gradient("nested")
    arguments = (WIDE, 0.9, 10, 1.5)
    planned = plan_program(program, arguments, 20 * STATE)
    assert any(loop.inner for loop in planned.report.loops)
    assert same(run(planned)(*arguments), program(*arguments))


def test_loops_of_unknown_length_are_placed_as_they_run() -> None:
    program: Program = search(3000.0)
    arguments = (WIDE, 1.0)
    planned = plan_program(program, arguments, 14 * STATE)
    assert planned.report.loops[0].strategy == "online"
    assert planned.report.loops[0].steps is None
    function = run(planned)
    assert same(function(*arguments), program(*arguments))
    assert peak_of(function, *arguments) <= 14 * STATE + 8192


def test_arguments_stay_as_they_are_when_a_replay_fails() -> None:
    program = gradient("decay")
    arguments = (WIDE.copy(), 0.9, 30, 1.5)
    planned = plan_program(program, arguments, 42 * STATE)
    function = run_text(python_text(lower(planned.program, frugal=True)), planned.program.name)

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(planned.schedules[0], name)

        def reversal(self, count: int, snapshots: Any) -> Any:
            yield from list(planned.schedules[0].reversal(count, snapshots))[:1]
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        function(*arguments, Failing())
    assert np.array_equal(arguments[0], WIDE)
    assert same(function(*arguments, *planned.schedules), program(*arguments))


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(UsageError, match="no strategy 'guess' for programs; choose from auto"):
        plan_program(gradient("decay"), (WIDE, 0.9, 3, 1.5), strategy="guess")
