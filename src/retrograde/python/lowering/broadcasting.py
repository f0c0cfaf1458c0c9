"""Leaves broadcasting to the operations that broadcast anyway."""

from __future__ import annotations

from typing import Any

from retrograde.program.model import Block, Instruction, Variable, blocks_of
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType

_BROADCASTING = frozenset(
    {"add", "subtract", "multiply", "divide", "maximum", "minimum"}
    | {"multiply_or_zero", "divide_or_zero", "divide_chosen"}
)


def broadcast_late(block: Block) -> None:
    """Let operations read what was broadcast for them, where another operand has the shape already."""
    _visit(block, {})


def _visit(block: Block, spread: dict[Variable, Variable]) -> None:
    for statement in block.statements:
        for inner in blocks_of(statement):
            _visit(inner, spread)
        if not isinstance(statement, Instruction):
            continue
        if statement.primitive is PRIMITIVES["broadcast_to"] and isinstance(statement.operands[0], Variable):
            spread[statement.results[0]] = statement.operands[0]
        elif statement.primitive.name in _BROADCASTING:
            statement.operands = _read_as_they_were(statement, spread)


def _read_as_they_were(instruction: Instruction, spread: dict[Variable, Variable]) -> tuple[Any, ...]:
    kind = instruction.results[0].type
    one, other = instruction.operands
    if not isinstance(kind, ArrayType) or None in kind.sizes:
        return instruction.operands
    if not (isinstance(one, Variable) and isinstance(other, Variable) and one.type == other.type == kind):
        return instruction.operands
    if other in spread:
        return one, spread[other]
    return (spread[one], other) if one in spread else instruction.operands
