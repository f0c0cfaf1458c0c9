"""Sweeps and replays give the bits of the loops that they stand for, whatever the schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from loop_programs import PAIRS, POINT, PROGRAMS, gradient, plans, scheduled, search

from retrograde.program.model import Program, Replay, Sweep, blocks_of
from retrograde.python.budget.schedules import OnlineSchedule


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("kind", ["keep_all", "every_k 3", "sqrt", "revolve 32", "optimal 64", "optimal 200"])
@pytest.mark.parametrize("steps", [0, 1, 2, 9])
def test_every_schedule_gives_the_same_bits(name: str, kind: str, steps: int) -> None:
    plain, planned = gradient(name), gradient(name)
    count = scheduled(planned)
    assert count == PAIRS[name]
    expected = plain(POINT, 0.9, steps, 1.5)
    found = planned(POINT, 0.9, steps, 1.5, *[plans(kind) for _ in range(count)])
    assert [value.tobytes() for value in map(np.asarray, found)] == [np.asarray(v).tobytes() for v in expected]


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("limit", [-0.5, 1.5, 5.0])
def test_loops_of_unknown_length(slots: int, limit: float) -> None:
    plain, planned = search(limit), search(limit)
    assert scheduled(planned) == 1
    expected = plain(POINT, 1.0)
    found = planned(POINT, 1.0, OnlineSchedule(slots))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def statements_of(program: Program, kind: type) -> list[Any]:
    def walk(block: Any) -> Any:
        for statement in block.statements:
            yield statement
            for inner in blocks_of(statement):
                yield from walk(inner)

    return [statement for statement in walk(program.block) if isinstance(statement, kind)]


def test_snapshots_hold_only_what_the_rest_of_the_loop_needs() -> None:
    program = gradient("constant")
    scheduled(program)
    (sweep,) = statements_of(program, Sweep)
    assert len(sweep.snapshots) == 1
    program = gradient("decay")
    scheduled(program)
    (sweep,), (replay,) = statements_of(program, Sweep), statements_of(program, Replay)
    assert [variable.name for variable in sweep.snapshots] == ["stored_a"]
    assert len(replay.advance.statements) < len(sweep.advance.statements)


def test_the_text_shows_the_schedule() -> None:
    program = gradient("decay")
    scheduled(program)
    text = str(program)
    assert "sweep range(steps) by schedule0" in text
    assert "reverse i" in text


def test_a_loop_without_an_end_yields_its_rows_bit_by_bit() -> None:
    chunks = OnlineSchedule(1).sweep(None, [])
    seen = [next(chunks) for _ in range(6)]
    ends = [int(rows[-1, 2]) for rows in seen]
    assert ends == sorted(ends)
    assert ends[-1] < 6 * 64 * 2
    assert [int(rows[0, 1]) for rows in seen[1:]] == ends[:-1]
