"""Loops over ranges as people write them: a program's loops count from 0, and compute the user's index from that."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.model import (
    Block,
    Instruction,
    Loop,
    Statement,
    Variable,
    all_variables,
    blocks_of,
    variables_in,
)
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ScheduleType
from retrograde.python.lowering.rewriting import uses

Range = tuple[Any, Any, int]
"""The `count` of a loop in explicit form: start and stop as operands, and the step."""


def put_ranges(block: Block) -> None:
    """Have each loop of a block run over a range: its `count` becomes start, stop and step."""
    makers = {result: statement for statement in block.statements for result in statement.results}
    statements: list[Statement] = []
    for statement in block.statements:
        for inner in blocks_of(statement):
            put_ranges(inner)
        if isinstance(statement, Loop) and not _stops(statement.body) and not is_over_chunks(statement):
            statements += _set_range(statement, makers)
        statements.append(statement)
    block.statements = statements


def is_over_chunks(loop: Loop) -> bool:
    """Whether a loop's index is not a number but a chunk of a schedule's rows."""
    return isinstance(loop.count, Variable) and isinstance(loop.count.type, ScheduleType)


def _stops(body: Block) -> bool:
    return any(
        isinstance(statement, Instruction) and statement.primitive.name == "stop" for statement in body.statements
    )


def _set_range(loop: Loop, makers: dict[Variable, Statement]) -> list[Statement]:
    """Set a loop's range; returns what has to be computed in front of it."""
    index, count = loop.index, loop.count
    found = _shifted_index(loop)
    if found is None:
        loop.count = (0, count, 1)
        return []
    instruction, start, step = found
    (user,) = instruction.results
    loop.body.parameters[0] = user
    loop.body.statements.remove(instruction)
    if uses(loop.body)[index]:
        operands = (user, start) if step == 1 else (start, user)
        loop.body.statements.insert(0, Instruction(PRIMITIVES["subtract"], operands, {}, [index], loop.place))
    stop, early = _stop(start, count, step, makers, loop)
    loop.count = (start, stop, step)
    return early


def _shifted_index(loop: Loop) -> tuple[Instruction, Any, int] | None:
    """The instruction that computes the user's index: the start plus the loop's index, or minus it."""
    inside = all_variables(loop.body)
    for statement in loop.body.statements:
        if not isinstance(statement, Instruction) or loop.index not in variables_in(statement.operands):
            continue
        others = [part for part in statement.operands if part is not loop.index]
        if len(others) != 1 or any(variable in inside for variable in variables_in(others[0])):
            continue
        name, kind = statement.primitive.name, statement.results[0].type
        if kind != loop.index.type or not _is_integer(others[0]):
            continue
        if not statement.results[0].hint and (loop.index.hint or uses(loop.body)[loop.index] > 1):
            continue
        if name == "add":
            return statement, others[0], 1
        if name == "subtract" and statement.operands[1] is loop.index:
            return statement, others[0], -1
    return None


def _is_integer(operand: Any) -> bool:
    return isinstance(operand, (Variable, int, np.integer))


def _stop(
    start: Any, count: Any, step: int, makers: dict[Variable, Statement], loop: Loop
) -> tuple[Any, list[Statement]]:
    if isinstance(start, (int, np.integer)) and isinstance(count, (int, np.integer)):
        return int(start + step * count), []
    maker = makers.get(count) if isinstance(count, Variable) else None
    if isinstance(maker, Instruction) and maker.primitive.name == "subtract":
        last, first = maker.operands if step == 1 else maker.operands[::-1]
        if _is_same(first, start):
            return last, []
    return _computed(start, count, step, loop)


def _computed(start: Any, count: Any, step: int, loop: Loop) -> tuple[Any, list[Statement]]:
    name = "add" if step == 1 else "subtract"
    stop = Variable("stop", loop.index.type)
    return stop, [Instruction(PRIMITIVES[name], (start, count), {}, [stop], loop.place)]


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (_is_constant(one) and _is_constant(other) and one == other)


def _is_constant(operand: Any) -> bool:
    return isinstance(operand, (int, np.integer))
