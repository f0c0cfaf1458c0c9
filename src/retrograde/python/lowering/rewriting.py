"""Operands put in the place of others, uses counted, and what nobody uses taken out: of blocks in explicit form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Statement,
    Variable,
    blocks_of,
    map_operand,
    operands_of,
    variables_in,
)


def map_statement(function: Callable[[Any], Any], statement: Statement) -> None:
    """Put a function's results in the place of what a statement itself reads."""
    if isinstance(statement, Instruction):
        statement.operands = map_operand(function, statement.operands)
    elif isinstance(statement, Loop):
        statement.count = map_operand(function, statement.count)
        statement.initial = [map_operand(function, operand) for operand in statement.initial]
        statement.consumed = [map_operand(function, operand) for operand in statement.consumed]
    elif isinstance(statement, Branch):
        statement.condition = map_operand(function, statement.condition)


def substitute_everywhere(block: Block, replacements: dict[Variable, Any]) -> None:
    """Put other operands in the place of variables, in a block and all blocks inside."""
    for statement in block.statements:
        map_statement(replacing(replacements), statement)
        for inner in blocks_of(statement):
            substitute_everywhere(inner, replacements)
    block.results = [replaced(result, replacements) for result in block.results]


def replaced(operand: Any, replacements: dict[Variable, Any]) -> Any:
    return map_operand(replacing(replacements), operand)


def replacing(replacements: dict[Variable, Any]) -> Callable[[Any], Any]:
    def replace(part: Any) -> Any:
        while isinstance(part, Variable) and part in replacements:
            part = replacements[part]
        return part

    return replace


def uses(block: Block) -> Counter[Variable]:
    """How often each variable is read, in a block and all blocks inside."""
    counts: Counter[Variable] = Counter(variables_in(tuple(block.results)))
    for statement in block.statements:
        counts.update(variables_in(operands_of(statement)))
        for inner in blocks_of(statement):
            counts.update(uses(inner))
    return counts


def drop_unused(block: Block) -> None:
    """Take out instructions whose results nobody reads."""
    while _drop_once(block, uses(block)):
        pass


def _drop_once(block: Block, counts: Counter[Variable]) -> bool:
    dropped = False
    kept: list[Statement] = []
    for statement in block.statements:
        if (
            isinstance(statement, Instruction)
            and statement.results
            and not any(map(counts.__getitem__, statement.results))
        ):
            dropped = True
            continue
        kept.append(statement)
        for inner in blocks_of(statement):
            dropped |= _drop_once(inner, counts)
    block.statements = kept
    return dropped
