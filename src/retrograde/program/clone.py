"""Copies of programs, with variables of their own, and without what nothing needs."""

from __future__ import annotations

from typing import Any

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


def clone(program: Program) -> Program:
    """The same program, no part of which is shared with the first."""
    return Program(program.name, _copy_block(program.block, {}), list(program.output_names))


def _copy_block(block: Block, copies: dict[Variable, Variable]) -> Block:
    parameters = [_copy(parameter, copies) for parameter in block.parameters]
    statements = [_copy_statement(statement, copies) for statement in block.statements]
    return Block(parameters, statements, [_reading(result, copies) for result in block.results])


def _copy(variable: Variable, copies: dict[Variable, Variable]) -> Variable:
    copies[variable] = Variable(variable.name, variable.type, variable.extent)
    return copies[variable]


def _reading(operand: Any, copies: dict[Variable, Variable]) -> Any:
    return map_operand(lambda part: copies[part] if isinstance(part, Variable) else part, operand)


def _copy_statement(statement: Statement, copies: dict[Variable, Variable]) -> Statement:
    read = [_reading(operand, copies) for operand in operands_of(statement)]
    blocks = [_copy_block(block, copies) for block in blocks_of(statement)]
    results = [_copy(result, copies) for result in statement.results]
    if isinstance(statement, Instruction):
        return Instruction(statement.primitive, tuple(read), dict(statement.static), results)
    if isinstance(statement, Branch):
        return Branch(read[0], blocks[0], blocks[1], results)
    end = 1 + len(statement.initial)
    return Loop(read[0], statement.backward, read[1:end], read[end:], blocks[0], results)


def prune(program: Program) -> Program:
    """Take out of a program, in place, what none of its outputs needs: instructions, carried values, collected stacks."""
    _prune_block(program.block)
    return program


def _prune_block(block: Block) -> None:
    needed = set(variables_in(tuple(block.results)))
    kept: list[Statement] = []
    for statement in reversed(block.statements):
        if needed.isdisjoint(statement.results):
            continue
        if isinstance(statement, Loop):
            _prune_loop(statement, needed)
        elif isinstance(statement, Branch):
            _prune_branch(statement, needed)
        needed.update(variables_in(operands_of(statement)), free_variables(*blocks_of(statement)))
        kept.append(statement)
    block.statements = kept[::-1]


def _prune_branch(branch: Branch, needed: set[Variable]) -> None:
    kept = [at for at, result in enumerate(branch.results) if result in needed]
    branch.results = _picked(branch.results, kept)
    for block in (branch.then, branch.otherwise):
        block.results = _picked(block.results, kept)
        _prune_block(block)


def _prune_loop(loop: Loop, needed: set[Variable]) -> None:
    """A carried value is needed if its last one is, or if a needed value of the body is computed from it."""
    width = len(loop.initial)
    results = loop.body.results
    collected = [at for at, result in enumerate(loop.results) if at >= width and result in needed]
    carried = {at for at in range(width) if loop.results[at] in needed}
    while True:
        body = Block(loop.body.parameters, loop.body.statements, _picked(results, [*sorted(carried), *collected]))
        _prune_block(body)
        used = free_variables(Block([], body.statements, body.results))
        more = {at for at in range(width) if loop.carried[at] in used} - carried
        if not more:
            break
        carried |= more
    elements = [at for at, element in enumerate(loop.elements) if element in used]
    places = sorted(carried)
    body.parameters = [loop.index, *_picked(loop.carried, places), *_picked(loop.elements, elements)]
    loop.consumed = _picked(loop.consumed, elements)
    loop.initial = _picked(loop.initial, places)
    loop.results = _picked(loop.results, [*places, *collected])
    loop.body = body


def _picked(items: list[Any], places: list[int]) -> list[Any]:
    return [items[at] for at in places]
