"""A program in the order of a plan: what the plan computes twice stands in it twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrograde.planning.actions import Action, Compute
from retrograde.program.clone import copy_block
from retrograde.program.model import Block, Program, Statement, Variable, map_operand


def rewrite(program: Program, actions: Sequence[Action]) -> int:
    """Put a program's outermost statements into the order of a plan for their graph; how many stand there again."""
    runs = [action.operation for action in actions if isinstance(action, Compute)]
    statements = list(program.block.statements)
    if runs == list(range(len(statements))):
        return 0
    now: dict[Variable, Any] = {}
    placed: list[Statement] = []
    seen: set[int] = set()
    for at in runs:
        copied = copy_block(Block([], [statements[at]], []), now) if at in seen or now else None
        if copied is None:
            placed.append(statements[at])
        else:
            placed += copied.statements
        seen.add(at)
    program.block.statements = placed
    program.block.results = [
        map_operand(lambda part: now.get(part, part) if isinstance(part, Variable) else part, result)
        for result in program.block.results
    ]
    return len(runs) - len(seen)
