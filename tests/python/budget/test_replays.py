"""Sweeps and replays give the bits of the loops that they stand for, whatever the schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde.rules  # noqa: F401
from retrograde.autodiff import reverse
from retrograde.planning.loops import Loop, plan_of
from retrograde.program import ProgramBuilder
from retrograde.program.check import check
from retrograde.program.model import Program, Replay, Sweep, Variable, blocks_of
from retrograde.program.types import ScheduleType
from retrograde.python.budget.pairs import Pair, pairs_of, schedule_pair
from retrograde.python.budget.schedules import OnlineSchedule, PlannedSchedule

POINT = np.linspace(-0.9, 1.4, 6)


def scheduled(program: Program) -> int:
    """Put a sweep and a replay into the place of each pair; how many there were."""
    count = 0

    def go(pairs: list[Pair]) -> None:
        nonlocal count
        for pair in pairs:
            go(pair.inner)
            schedule = Variable(f"schedule{count}", ScheduleType())
            program.block.parameters.append(schedule)
            schedule_pair(pair, schedule)
            count += 1

    go(pairs_of(program))
    check(program)
    return count


def plans(kind: str) -> Any:
    strategy, _, number = kind.partition(" ")
    if strategy == "online":
        return OnlineSchedule(int(number))
    if strategy == "every_k":
        return PlannedSchedule(lambda n: plan_of(Loop(n, 8, 8), None, "every_k", int(number)))
    budget = int(number) if number else None
    return PlannedSchedule(lambda n: plan_of(Loop(n, 8, 8), budget, strategy))


def decay(builder: ProgramBuilder) -> Any:
    u, rate = builder.input("u", "float64", ("n",)), builder.input("rate", "float64")
    steps = builder.input("steps", "int64")
    u, total = builder.loop(steps, lambda i, u, s: (np.tanh(rate * u) + 0.1 * i, s + np.sum(u * u)), u, 0.0)
    return np.sum(u) + total


def nested(builder: ProgramBuilder) -> Any:
    u, rate = builder.input("u", "float64", ("n",)), builder.input("rate", "float64")
    steps = builder.input("steps", "int64")

    def outer(i: Any, u: Any) -> Any:
        v = builder.loop(i + 2, lambda j, v: np.sin(rate * v * u) + v, u)
        return np.tanh(v) * rate

    return np.sum(builder.loop(steps, outer, u))


def branched(builder: ProgramBuilder) -> Any:
    u, rate = builder.input("u", "float64", ("n",)), builder.input("rate", "float64")
    steps = builder.input("steps", "int64")
    scaled = u * rate

    def long() -> Any:
        return builder.loop(steps, lambda i, v: np.tanh(scaled * v), u)

    return np.sum(builder.branch(rate > 0.5, long, lambda: scaled * scaled))


def within_branch(builder: ProgramBuilder) -> Any:
    u, rate = builder.input("u", "float64", ("n",)), builder.input("rate", "float64")
    steps = builder.input("steps", "int64")

    def outer(i: Any, u: Any) -> Any:
        def inner() -> Any:
            return builder.loop(i, lambda j, v: np.sin(v * u), u)

        return builder.branch(i % 2 > 0, inner, lambda: np.exp(-u * rate))

    return np.sum(builder.loop(steps, outer, u))


def constant(builder: ProgramBuilder) -> Any:
    u, rate = builder.input("u", "float64", ("n",)), builder.input("rate", "float64")
    steps = builder.input("steps", "int64")
    u, v, _ = builder.loop(steps, lambda i, u, v, w: (np.tanh(v * u), v, w + u), u, u * rate, u)
    return np.sum(u * v)


PROGRAMS = {function.__name__: function for function in (decay, nested, branched, within_branch, constant)}
PAIRS = {"decay": 1, "nested": 2, "branched": 1, "within_branch": 2, "constant": 1}


def gradient(name: str) -> Program:
    builder = ProgramBuilder(name)
    program = builder.finish(total=PROGRAMS[name](builder))
    return reverse(program, wrt=["u", "rate"], of=["total"])


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
@pytest.mark.parametrize("limit", [0.5, 1.5, 6.0, 40.0])
def test_loops_of_unknown_length(slots: int, limit: float) -> None:
    def build() -> Program:
        builder = ProgramBuilder("search")
        u = builder.input("u", "float64", ("n",))

        def body(i: Any, v: Any) -> Any:
            return np.sin(v) + v + 0.3

        v = builder.while_loop(lambda i, v: np.sum(v) + 0.01 * i < limit, body, u)
        return reverse(builder.finish(total=np.sum(v * v)), wrt=["u"], of=["total"])

    plain, planned = build(), build()
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
