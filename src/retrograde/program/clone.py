"""Copies of programs, with variables of their own, and without what nothing needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Program,
    Replay,
    Statement,
    Sweep,
    Variable,
    blocks_of,
    map_operand,
    operands_of,
    variables_in,
)


def clone(program: Program) -> Program:
    """The same program, no part of which is shared with the first."""
    block = _copy_block(program.block, {})
    return Program(program.name, block, list(program.output_names), program.least_size)


def copy_block(block: Block, copies: dict[Variable, Variable] | None = None) -> Block:
    """A block with variables of its own for those that are set in it; it uses the same ones from around it.

    Args:
        block: it is not changed.
        copies: what stands for which of the block's free variables, where it is not itself; the copies are added.
    """
    return _copy_block(block, {} if copies is None else copies)


def _copy_block(block: Block, copies: dict[Variable, Variable]) -> Block:
    parameters = [_copy(parameter, copies) for parameter in block.parameters]
    statements = [_copy_statement(statement, copies) for statement in block.statements]
    return Block(parameters, statements, [_reading(result, copies) for result in block.results])


def _copy(variable: Variable, copies: dict[Variable, Variable]) -> Variable:
    copies[variable] = Variable(variable.name, variable.type, variable.extent, variable.hint)
    return copies[variable]


def _reading(operand: Any, copies: dict[Variable, Variable]) -> Any:
    return map_operand(lambda part: copies.get(part, part) if isinstance(part, Variable) else part, operand)


def _copy_statement(statement: Statement, copies: dict[Variable, Variable]) -> Statement:
    read = [_reading(operand, copies) for operand in operands_of(statement)]
    blocks = [_copy_block(block, copies) for block in blocks_of(statement)]
    results = [_copy(result, copies) for result in statement.results]
    if isinstance(statement, Instruction):
        return Instruction(statement.primitive, tuple(read), dict(statement.static), results, statement.place)
    if isinstance(statement, Branch):
        return Branch(read[0], blocks[0], blocks[1], results, statement.place)
    if isinstance(statement, Sweep):
        condition = blocks[2] if len(blocks) > 2 else None
        return replace(statement, schedule=read[0], count=read[1], initial=read[2:], kept=list(statement.kept),
                       advance=blocks[0], record=blocks[1], results=results, condition=condition)  # fmt: skip
    if isinstance(statement, Replay):
        stacks = 2 + len(statement.snapshots)
        end = stacks + len(statement.residuals)
        return replace(statement, schedule=read[0], count=read[1], snapshots=read[2:stacks],
                       residuals=read[stacks:end], initial=read[end:], advance=blocks[0], record=blocks[1],
                       reverse=blocks[2], results=results)  # fmt: skip
    end = 1 + len(statement.initial)
    condition = blocks[1] if len(blocks) > 1 else None
    return Loop(read[0], statement.backward, read[1:end], read[end:], blocks[0], results, condition, statement.place)


def prune(program: Program) -> Program:
    """Take out of a program, in place, what no output needs: instructions, carried values, collected stacks."""
    needed = set(variables_in(tuple(program.block.results)))
    _mark(program.block, needed)
    _sweep(program.block, needed)
    return program


def _mark(block: Block, needed: set[Variable]) -> None:
    """Add what a block computes needed variables from."""
    for statement in reversed(block.statements):
        if needed.isdisjoint(statement.results):
            continue
        if isinstance(statement, Instruction):
            needed.update(variables_in(statement.operands))
        elif isinstance(statement, Loop):
            _mark_loop(statement, needed)
        elif isinstance(statement, (Sweep, Replay)):
            _mark_whole(statement, needed)
        else:
            needed.update(variables_in(statement.condition))
            for side in (statement.then, statement.otherwise):
                _pass_on(statement.results, side.results, needed)
                _mark(side, needed)


def _mark_whole(statement: Sweep | Replay, needed: set[Variable]) -> None:
    """A schedule runs all of its blocks."""
    needed.update(statement.results, variables_in(operands_of(statement)))
    for inner in blocks_of(statement):
        needed.update(variables_in(tuple(inner.results)), inner.parameters)
        _mark(inner, needed)


def _mark_loop(loop: Loop, needed: set[Variable]) -> None:
    """A carried value is needed if its last one is, or if a needed value of the body is computed from it."""
    carried, finals = loop.carried, loop.results[: len(loop.initial)]
    needed.update(variables_in(loop.count))
    before = -1
    while before != len(needed):
        before = len(needed)
        if loop.condition is not None:
            _mark_condition(loop, loop.condition, needed)
        _pass_on(carried, finals, needed)
        _pass_on(finals, carried, needed)
        _pass_on(loop.results, loop.body.results, needed)
        _mark(loop.body, needed)
    _pass_on(carried, loop.initial, needed)
    _pass_on(loop.elements, loop.consumed, needed)


def _mark_condition(loop: Loop, condition: Block, needed: set[Variable]) -> None:
    """What decides whether a loop goes on is needed, and so is the count of its iterations."""
    needed.add(loop.carried[0])
    needed.update(variables_in(tuple(condition.results)))
    _mark(condition, needed)
    needed.update(
        carried for carried, read in zip(loop.carried, condition.parameters[1:], strict=True) if read in needed
    )


def _pass_on(sources: list[Variable], operands: list[Any], needed: set[Variable]) -> None:
    for source, operand in zip(sources, operands, strict=True):
        if source in needed:
            needed.update(variables_in(operand))


def _sweep(block: Block, needed: set[Variable]) -> None:
    block.statements = [statement for statement in block.statements if not needed.isdisjoint(statement.results)]
    for statement in block.statements:
        if isinstance(statement, Instruction):
            continue
        if isinstance(statement, (Sweep, Replay)):
            for inner in blocks_of(statement):
                _sweep(inner, needed)
            continue
        kept = [at for at, result in enumerate(statement.results) if result in needed]
        if isinstance(statement, Loop):
            _sweep_parameters(statement, needed)
        statement.results = _picked(statement.results, kept)
        for inner in blocks_of(statement):
            if not (isinstance(statement, Loop) and inner is statement.condition):
                inner.results = _picked(inner.results, kept)
            _sweep(inner, needed)


def _sweep_parameters(loop: Loop, needed: set[Variable]) -> None:
    carried = [at for at, parameter in enumerate(loop.carried) if parameter in needed]
    elements = [at for at, parameter in enumerate(loop.elements) if parameter in needed]
    parameters = [loop.index, *_picked(loop.carried, carried), *_picked(loop.elements, elements)]
    loop.initial = _picked(loop.initial, carried)
    loop.consumed = _picked(loop.consumed, elements)
    loop.body.parameters = parameters
    if loop.condition is not None:
        read = loop.condition.parameters
        loop.condition.parameters = [read[0], *_picked(read[1:], carried)]


def _picked(items: list[Any], places: list[int]) -> list[Any]:
    return [items[at] for at in places]
