"""Computes what reads a view of an array before the array is written, so that the view need not be copied."""

from __future__ import annotations

from retrograde.program.model import Block, Instruction, Statement, Variable, blocks_of, operands_of, variables_in
from retrograde.python.lowering.aliasing import is_write, rank_of, viewed
from retrograde.python.lowering.rewriting import uses


def advance(block: Block) -> None:
    """Move instructions of a block, and of all blocks inside, in front of writes that they would have to notice."""
    for statement in block.statements:
        for inner in blocks_of(statement):
            advance(inner)
    at = 0
    while at < len(block.statements):
        statement = block.statements[at]
        if isinstance(statement, Instruction) and is_write(statement):
            at += _advance_past(block, at, statement)
        at += 1


def _advance_past(block: Block, at: int, write: Instruction) -> int:
    """Move what reads views of a write's target in front of it; returns how many instructions that are."""
    views = _views(block.statements[:at], write.operands[0])
    if not views:
        return 0
    later = block.statements[at + 1 :]
    readers = [statement for statement in later if not views.isdisjoint(variables_in(operands_of(statement)))]
    unset = {result for statement in block.statements[at:] for result in statement.results}
    if not readers or not all(_can_move(reader, unset) for reader in readers):
        return 0
    counts = uses(Block([], [*block.statements[:at], write, *readers], []))
    whole = uses(block)
    if any(counts[view] != whole[view] for view in views):
        return 0
    moved = set(map(id, readers))
    rest = [statement for statement in later if id(statement) not in moved]
    block.statements[at:] = [*readers, write, *rest]
    return len(readers)


def _views(before: list[Statement], target: Variable) -> set[Variable]:
    """The views of an array that a sequence of statements takes."""
    sources, views = {target}, set[Variable]()
    for statement in before:
        if isinstance(statement, Instruction) and viewed(statement) in sources:
            sources.add(statement.results[0])
            views.add(statement.results[0])
    return views


def _can_move(reader: Statement, unset: set[Variable]) -> bool:
    """Whether a reader computes an array no larger than what it reads from what is there already."""
    if not isinstance(reader, Instruction) or not reader.primitive.elementwise or is_write(reader):
        return False
    if len(reader.results) != 1 or viewed(reader) is not None:
        return False
    operands = list(variables_in(reader.operands))
    return unset.isdisjoint(operands) and all(
        rank_of(reader.results[0]) <= rank_of(view) or not rank_of(view) for view in operands
    )
