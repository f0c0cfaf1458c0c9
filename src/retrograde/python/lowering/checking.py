"""Checks in explicit form: statements, in the place of the numbers that programs hand from one check to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.model import Block, Branch, Instruction, Loop, Statement, Variable, blocks_of
from retrograde.python.lowering.operations import RAISE
from retrograde.python.lowering.rewriting import substitute_everywhere
from retrograde.rules.checks import CHECK, CHECKED


def with_raises(block: Block) -> None:
    """Put in the place of each check an instruction without a result, and of what it handed on 0."""
    tokens = {result for instruction in _checks(block) for result in instruction.results}
    if not tokens:
        return
    while _spread(block, tokens):
        pass
    replacements: dict[Variable, Any] = {}
    _rewrite(block, tokens, replacements)
    substitute_everywhere(block, dict.fromkeys(tokens, np.int64(0)) | replacements)


def _checks(block: Block) -> list[Instruction]:
    found: list[Instruction] = []
    for statement in block.statements:
        if isinstance(statement, Instruction) and statement.primitive in (CHECK, CHECKED):
            found += [statement] if statement.primitive is CHECK else []
        for inner in blocks_of(statement):
            found += _checks(inner)
    return found


def _spread(block: Block, tokens: set[Variable]) -> bool:
    """Add what loops and branches hand on of the numbers; whether there is more than before."""
    before = len(tokens)
    for statement in block.statements:
        for inner in blocks_of(statement):
            _spread(inner, tokens)
        if isinstance(statement, Loop):
            for at, (carried, start) in enumerate(zip(statement.carried, statement.initial, strict=True)):
                ends = (start, carried, statement.body.results[at])
                if any(isinstance(end, Variable) and end in tokens for end in ends):
                    tokens |= {carried, statement.results[at]}
        elif isinstance(statement, Branch):
            sides = zip(statement.results, statement.then.results, statement.otherwise.results, strict=True)
            for result, *ends in sides:
                if any(isinstance(end, Variable) and end in tokens for end in ends):
                    tokens.add(result)
    return len(tokens) > before


def _rewrite(block: Block, tokens: set[Variable], replacements: dict[Variable, Any]) -> None:
    kept: list[Statement] = []
    for statement in block.statements:
        for inner in blocks_of(statement):
            _rewrite(inner, tokens, replacements)
        if isinstance(statement, Instruction) and statement.primitive is CHECKED:
            replacements[statement.results[0]] = statement.operands[0]
            continue
        if isinstance(statement, Instruction) and statement.primitive is CHECK:
            statement = Instruction(RAISE, statement.operands[1:], statement.static, [], statement.place)
        elif isinstance(statement, (Loop, Branch)):
            _drop(statement, tokens)
        kept.append(statement)
    block.statements = kept


def _drop(statement: Loop | Branch, tokens: set[Variable]) -> None:
    """Have a region hand on nothing for the numbers."""
    kept = [at for at, result in enumerate(statement.results) if result not in tokens]
    if isinstance(statement, Loop):
        width = len(statement.initial)
        carried = [at for at in kept if at < width]
        parameters = [statement.index, *(statement.carried[at] for at in carried), *statement.elements]
        statement.initial = [statement.initial[at] for at in carried]
        statement.body.parameters = parameters
        statement.body.results = [statement.body.results[at] for at in kept]
        if statement.condition is not None:
            read = statement.condition.parameters
            statement.condition.parameters = [read[0], *(read[1 + at] for at in carried)]
    else:
        for side in (statement.then, statement.otherwise):
            side.results = [side.results[at] for at in kept]
    statement.results = [statement.results[at] for at in kept]
