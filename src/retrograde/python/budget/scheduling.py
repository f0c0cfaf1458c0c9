"""A program whose pairs of loops follow schedules, which it takes as inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retrograde.program.check import check
from retrograde.program.clone import clone
from retrograde.program.model import Program, Variable
from retrograde.program.types import ScheduleType
from retrograde.python.budget.loops import ScheduledLoop, scheduled_loops
from retrograde.python.budget.pairs import Pair, pairs_of, schedule_pair
from retrograde.python.budget.sizes import Sizes


@dataclass(eq=False, slots=True)
class ScheduledProgram:
    """A program with scheduled loops, for arguments of some sizes.

    Attributes:
        program: its inputs are those of the program that was given, and behind them the schedules.
        sizes: of its values.
        loops: the outermost ones.
        inner: those inside them, innermost first.
    """

    program: Program
    sizes: Sizes
    loops: list[ScheduledLoop]
    inner: list[ScheduledLoop]


def with_schedules(
    program: Program, arguments: Sequence[Any], wanted: Sequence[bool], *, nested: bool, boxed: bool
) -> ScheduledProgram:
    """A copy of a program in which pairs of loops follow schedules.

    Args:
        program: as `reverse` makes it.
        arguments: one for each input.
        wanted: of the pairs that `pairs_of` finds, which.
        nested: whether pairs in regions, and those inside of pairs, have schedules, too.
        boxed: whether each value is an object of Python.
    """
    made = clone(program)
    pairs = [pair for pair, asked in zip(pairs_of(made), wanted, strict=True) if asked]
    if not nested:
        pairs = [pair for pair in pairs if pair.forward in made.block.statements]
    names = {_scheduled(made, pair, nested) for pair in pairs}
    check(made)
    sizes = Sizes(made, [*arguments, *[None] * (len(made.inputs) - len(arguments))], boxed=boxed)
    found = scheduled_loops(made)
    outermost = {loop.schedule for loop in found if loop.sweep in made.block.statements} & names
    loops = [loop for loop in found if loop.schedule in outermost]
    inner = [loop for loop in found if loop.schedule not in outermost]
    return ScheduledProgram(made, sizes, loops, inner)


def _scheduled(program: Program, pair: Pair, nested: bool) -> Variable:
    for inner in pair.inner if nested else ():
        _scheduled(program, inner, nested)
    taken = {variable.name for variable in program.inputs}
    name, number = "schedule", 2
    while name in taken:
        name, number = f"schedule{number}", number + 1
    schedule = Variable(name, ScheduleType(), hint=name)
    program.block.parameters.append(schedule)
    schedule_pair(pair, schedule)
    return schedule
