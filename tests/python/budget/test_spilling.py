"""States on disk: the same bits, within less memory; a disk that fills is an error that changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_programs import gradient

from retrograde.errors import TierError, UsageError
from retrograde.python.budget.planned import plan_program
from retrograde.python.budget.spilling import DiskRoom
from retrograde.python.lowering import lower
from retrograde.python.text import python_text, run_text

WIDE = np.linspace(-0.9, 1.4, 5000)
STATE = WIDE.nbytes
ARGUMENTS: tuple[Any, ...] = (WIDE, 0.9, 60, 1.5)


def test_states_on_disk_save_steps(tmp_path: Path) -> None:
    program = gradient("decay")
    room = DiskRoom(folder=str(tmp_path))
    alone = plan_program(program, ARGUMENTS, 18 * STATE)
    planned = plan_program(program, ARGUMENTS, 18 * STATE, disk=room)
    assert planned.report.loops[0].forward_steps < alone.report.loops[0].forward_steps
    function = run_text(python_text(lower(planned.program)), planned.program.name)
    expected = program(*ARGUMENTS)
    for run in (planned.program, function):
        found = run(*ARGUMENTS, *planned.schedules)
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_is_an_error_and_the_next_run_is_right(tmp_path: Path) -> None:
    program = gradient("decay")
    planned = plan_program(program, ARGUMENTS, 18 * STATE, disk=DiskRoom(folder=str(tmp_path)))
    schedule: Any = planned.schedules[0]
    schedule._make_tier = DiskRoom(2 * STATE, str(tmp_path)).tier
    before = WIDE.copy()
    with pytest.raises(TierError, match="do not fit"):
        planned.program(*ARGUMENTS, schedule)
    assert np.array_equal(WIDE, before)
    schedule._make_tier = DiskRoom(folder=str(tmp_path)).tier
    found = planned.program(*ARGUMENTS, schedule)
    assert all(np.array_equal(one, other) for one, other in zip(found, program(*ARGUMENTS), strict=True))


def test_a_time_below_zero_is_none() -> None:
    with pytest.raises(UsageError, match=r"seconds_per_byte=-1.0 is no time"):
        DiskRoom(seconds_per_byte=-1.0)
