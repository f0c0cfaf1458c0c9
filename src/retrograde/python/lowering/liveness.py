"""Which variables are still read behind each statement of a block in explicit form."""

from __future__ import annotations

from retrograde.program.model import (
    Block,
    Loop,
    Statement,
    Variable,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)

After = dict[Statement, frozenset[Variable]]


def live_after(block: Block) -> After:
    """For each statement, inner ones included, the variables that are read after it.

    What a loop's body uses from around the loop is read after each of the body's statements: in the next iteration.
    """
    after: After = {}
    _block(block, frozenset(), after)
    return after


def _block(block: Block, behind: frozenset[Variable], after: After) -> None:
    live = behind.union(variables_in(tuple(block.results)))
    for statement in reversed(block.statements):
        after[statement] = live
        around = live.difference(statement.results)
        blocks = blocks_of(statement)
        free = free_variables(*blocks) if blocks else ()
        across = around.union(free) if isinstance(statement, Loop) else around
        for inner in blocks:
            _block(inner, across, after)
        live = around.union(free, variables_in(operands_of(statement)))
