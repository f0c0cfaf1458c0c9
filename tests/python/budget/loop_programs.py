"""Programs with loops, made by hand, and the schedules that tests run them by."""

from __future__ import annotations

from typing import Any

import numpy as np

import retrograde.rules  # noqa: F401
from retrograde.autodiff import reverse
from retrograde.planning.loops import Loop, plan_of
from retrograde.program import ProgramBuilder
from retrograde.program.check import check
from retrograde.program.model import Program, Variable
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


def search(limit: float) -> Program:
    """The gradient of a loop that a condition ends."""
    builder = ProgramBuilder("search")
    u = builder.input("u", "float64", ("n",))

    def goes_on(i: Any, v: Any) -> Any:
        return np.sum(v) + 0.01 * i < limit

    v = builder.while_loop(goes_on, lambda i, v: np.sin(v) + v + 0.3, u)
    return reverse(builder.finish(total=np.sum(v * v)), wrt=["u"], of=["total"])
