"""Loops that run equally often, one after the other, as one loop."""

from __future__ import annotations

from typing import TypeVar

from retrograde.program.clone import clone, prune
from retrograde.program.extents import operand_key
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Program,
    Statement,
    Variable,
    blocks_of,
    free_variables,
    map_operand,
    operands_of,
    variables_in,
)

Item = TypeVar("Item")


def fuse_loops(program: Program) -> Program:
    """The same program with neighbouring loops in one, where the second reads nothing that the first makes.

    Two loops are neighbours if they have the same count and direction, and nothing between them needs the first or
    makes what the second reads. What either of them carries and collects has its bits unchanged.

    Args:
        program: it is not changed.

    Example:
        >>> import retrograde.rules
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("two")
        >>> x = builder.input("x", "float64")
        >>> y, z = builder.loop(9, lambda i, y: y * x, x), builder.loop(9, lambda i, z: z + x, x)
        >>> print(fuse_loops(builder.finish(y=y, z=z)))
        program two(x: float64):
            c: float64, f: float64 = for i in range(9) with a = x, d = x:
                b: float64 = a * x
                e: float64 = d + x
                next b, e
            return y=c, z=f
    """
    program = clone(program)
    _fuse_in(program.block)
    return prune(program)


def _fuse_in(block: Block) -> None:
    statements: list[Statement] = []
    for statement in block.statements:
        first = _partner(statements, statement) if isinstance(statement, Loop) else None
        if first is None or not isinstance(statement, Loop):
            statements.append(statement)
        else:
            _move_behind(statements, first)
            statements[-1] = _together(first, statement)
    block.statements = statements
    for statement in statements:
        for inner in blocks_of(statement):
            _fuse_in(inner)


def _partner(before: list[Statement], loop: Loop) -> Loop | None:
    """A loop that can move up to another, and be one with it."""
    passed: list[Statement] = []
    for statement in reversed(before):
        if isinstance(statement, Loop) and _is_alike(statement, loop) and not _needs(loop, statement):
            return None if any(_needs(one, statement) for one in passed) else statement
        passed.append(statement)
    return None


def _is_alike(one: Loop, other: Loop) -> bool:
    counted = one.condition is None and other.condition is None
    return counted and one.backward == other.backward and operand_key(one.count) == operand_key(other.count)


def _needs(later: Statement, earlier: Statement) -> bool:
    """Whether a statement reads what an earlier one sets."""
    used = {*variables_in(operands_of(later)), *free_variables(*blocks_of(later))}
    return not used.isdisjoint(earlier.results)


def _move_behind(statements: list[Statement], loop: Loop) -> None:
    statements.remove(loop)
    statements.append(loop)


def _together(one: Loop, other: Loop) -> Loop:
    index = {other.index: one.index}
    _rename(other.body, index)
    parameters = [one.index, *one.carried, *other.carried, *one.elements, *other.elements]
    widths = len(one.initial), len(other.initial)
    results = _interleaved(one.body.results, other.body.results, widths)
    body = Block(parameters, [*one.body.statements, *other.body.statements], results)
    initial, consumed = [*one.initial, *other.initial], [*one.consumed, *other.consumed]
    made = _interleaved(one.results, other.results, widths)
    return Loop(one.count, one.backward, initial, consumed, body, made, None, one.place)


def _interleaved(one: list[Item], other: list[Item], widths: tuple[int, int]) -> list[Item]:
    """What two loops carry, and behind it what they collect."""
    return [*one[: widths[0]], *other[: widths[1]], *one[widths[0] :], *other[widths[1] :]]


def _rename(block: Block, names: dict[Variable, Variable]) -> None:
    """Put other variables in place of some that a block uses, directly or further in."""

    def renamed(operand: object) -> object:
        return map_operand(lambda part: names.get(part, part) if isinstance(part, Variable) else part, operand)

    for statement in block.statements:
        if isinstance(statement, Instruction):
            statement.operands = map_operand(renamed, statement.operands)
        elif isinstance(statement, Loop):
            statement.count = renamed(statement.count)
            statement.initial = [renamed(operand) for operand in statement.initial]
            statement.consumed = [renamed(operand) for operand in statement.consumed]
        elif isinstance(statement, Branch):
            statement.condition = renamed(statement.condition)
        for inner in blocks_of(statement):
            _rename(inner, names)
    block.results = [renamed(result) for result in block.results]
