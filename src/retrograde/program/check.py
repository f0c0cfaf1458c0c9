"""Whether a program makes sense: every value is set before it is used, where it is used."""

from __future__ import annotations

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.model import (
    Block,
    Instruction,
    Loop,
    Program,
    Replay,
    Statement,
    Sweep,
    Variable,
    blocks_of,
    operands_of,
    variables_in,
)
from retrograde.program.types import ArrayType


def check(program: Program) -> Program:
    """The program, if each of its variables is set once, and before it is used, in a block around its uses.

    Raises:
        UsageError: it is not so; the message names the variable.
    """
    _check_block(program, program.block, set(), set())
    return program


def _check_block(program: Program, block: Block, around: set[Variable], everywhere: set[Variable]) -> None:
    visible = set(around)
    _set(program, block.parameters, visible, everywhere)
    for statement in block.statements:
        _use(program, operands_of(statement), visible)
        for inner in blocks_of(statement):
            _check_block(program, inner, visible, everywhere)
        expected = _expected(statement)
        if isinstance(statement, Loop):
            _check_end(program, statement)
        if any(count != len(statement.results) for count in expected):
            raise UsageError(
                f"a statement of program {program.name} sets {statement.results}, and gives {expected} values"
            )
        _set(program, statement.results, visible, everywhere)
    _use(program, tuple(block.results), visible)


def _expected(statement: Statement) -> list[int]:
    """How many results each part of a statement says that there are."""
    if isinstance(statement, Instruction):
        return [len(statement.primitive.outputs) or 1]
    if isinstance(statement, Sweep):
        stacks = len(statement.results) - len(statement.initial)
        return [len(statement.advance.results) + stacks, len(statement.record.results) + len(statement.kept)]
    if isinstance(statement, Replay):
        return [len(statement.reverse.results), len(statement.initial)]
    if isinstance(statement, Loop):
        return [len(statement.body.results)]
    return [len(inner.results) for inner in blocks_of(statement)]


def _check_end(program: Program, loop: Loop) -> None:
    if loop.condition is None:
        if loop.count is None:
            raise UsageError(f"a loop of program {program.name} has no count and no condition; give it one of them")
        return
    if loop.backward or len(loop.condition.results) != 1 or not _counts(loop):
        raise UsageError(
            f"a loop of program {program.name} with a condition has to run forward, and its first carried value to "
            "count the iterations from 0, as those do that the builder's while_loop makes"
        )


def _counts(loop: Loop) -> bool:
    kind = loop.carried[0].type if loop.initial else None
    return kind == ArrayType(np.dtype(np.int64)) and not isinstance(loop.initial[0], Variable) and loop.initial[0] == 0


def _set(program: Program, variables: list[Variable], visible: set[Variable], everywhere: set[Variable]) -> None:
    for variable in variables:
        if variable in everywhere:
            raise UsageError(f"program {program.name} sets {variable!r} twice; a variable is set at one place")
        everywhere.add(variable)
        visible.add(variable)


def _use(program: Program, operands: object, visible: set[Variable]) -> None:
    for variable in variables_in(operands):
        if variable not in visible:
            raise UsageError(
                f"program {program.name} uses {variable!r} where it is not set; a value of a loop's body or of a "
                "branch is to be returned from it, and then used as the loop's or the branch's result"
            )
