"""Which values of a program lie between the inputs to differentiate by and the outputs to differentiate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, variables_in


def active_variables(block: Block, inputs: Iterable[Variable], outputs: Iterable[Variable]) -> set[Variable]:
    """The variables that vary, by a differentiable path, with the inputs, and on which the outputs depend by one."""
    varied, useful = set(inputs), set(outputs)
    _follow(block, varied)
    _trace(block, useful)
    return varied & useful


def _follow(block: Block, varied: set[Variable]) -> None:
    for statement in block.statements:
        if isinstance(statement, Instruction):
            if any(True for _ in _operands_in(statement, varied)):
                varied.update(result for result in statement.results if result.type.differentiable)
        elif isinstance(statement, Loop):
            _follow_loop(statement, varied)
        elif isinstance(statement, Branch):
            _follow(statement.then, varied)
            _follow(statement.otherwise, varied)
            for results in (statement.then.results, statement.otherwise.results):
                _pass_on(results, statement.results, varied)


def _follow_loop(loop: Loop, varied: set[Variable]) -> None:
    width = len(loop.initial)
    _pass_on(loop.initial, loop.carried, varied)
    _pass_on(loop.consumed, loop.elements, varied)
    before = -1
    while before != len(varied):
        before = len(varied)
        _follow(loop.body, varied)
        _pass_on(loop.body.results[:width], loop.carried, varied)
    _pass_on(loop.initial, loop.results[:width], varied)
    _pass_on(loop.body.results, loop.results, varied)


def _trace(block: Block, useful: set[Variable]) -> None:
    for statement in reversed(block.statements):
        if isinstance(statement, Instruction):
            if not useful.isdisjoint(statement.results):
                names = statement.primitive.names(len(statement.operands))
                for name, operand in zip(names, statement.operands, strict=True):
                    useful.update(variables_in(operand) if name in statement.primitive.reverse else ())
        elif isinstance(statement, Loop):
            _trace_loop(statement, useful)
        elif isinstance(statement, Branch):
            for side in (statement.then, statement.otherwise):
                _pass_on(statement.results, side.results, useful)
                _trace(side, useful)


def _trace_loop(loop: Loop, useful: set[Variable]) -> None:
    width = len(loop.initial)
    _pass_on(loop.results[:width], loop.carried, useful)
    _pass_on(loop.results, loop.body.results, useful)
    before = -1
    while before != len(useful):
        before = len(useful)
        _pass_on(loop.carried, loop.body.results[:width], useful)
        _trace(loop.body, useful)
    _pass_on(loop.carried, loop.initial, useful)
    _pass_on(loop.elements, loop.consumed, useful)


def _pass_on(sources: Iterable[Any], targets: Iterable[Any], among: set[Variable]) -> None:
    for source, target in zip(sources, targets, strict=True):
        if isinstance(source, Variable) and source in among and isinstance(target, Variable):
            among.add(target)


def _operands_in(instruction: Instruction, active: set[Variable]) -> Iterable[int]:
    names = instruction.primitive.names(len(instruction.operands))
    for position, (name, operand) in enumerate(zip(names, instruction.operands, strict=True)):
        if name in instruction.primitive.reverse and any(variable in active for variable in variables_in(operand)):
            yield position


def active_operands(instruction: Instruction, active: set[Variable]) -> list[tuple[int, str, Variable]]:
    """The operands of an instruction through which a cotangent passes: their positions, names and variables."""
    names = instruction.primitive.names(len(instruction.operands))
    return [(at, names[at], instruction.operands[at]) for at in _operands_in(instruction, active)]
