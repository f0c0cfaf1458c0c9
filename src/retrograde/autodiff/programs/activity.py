"""Which values of a program depend on the inputs to differentiate by, in a way that has a derivative."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retrograde.program.model import Block, Instruction, Loop, Variable, variables_in


def varied_variables(block: Block, inputs: Iterable[Variable]) -> set[Variable]:
    """The variables that vary, by a differentiable path, with the inputs."""
    varied = set(inputs)
    _follow(block, varied)
    return varied


def _follow(block: Block, varied: set[Variable]) -> None:
    for statement in block.statements:
        if isinstance(statement, Instruction):
            if any(True for _ in _varied_operands(statement, varied)):
                varied.update(result for result in statement.results if result.type.differentiable)
        elif isinstance(statement, Loop):
            _follow_loop(statement, varied)
        else:
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


def _pass_on(sources: list[Any], targets: list[Variable], varied: set[Variable]) -> None:
    for source, target in zip(sources, targets, strict=True):
        if source in varied if isinstance(source, Variable) else False:
            varied.add(target)


def _varied_operands(instruction: Instruction, varied: set[Variable]) -> Iterable[int]:
    names = instruction.primitive.names(len(instruction.operands))
    for position, (name, operand) in enumerate(zip(names, instruction.operands, strict=True)):
        if name in instruction.primitive.reverse and any(variable in varied for variable in variables_in(operand)):
            yield position


def active_operands(instruction: Instruction, varied: set[Variable]) -> list[tuple[int, str, Variable]]:
    """The operands of an instruction through which a cotangent passes: their positions, names and variables."""
    names = instruction.primitive.names(len(instruction.operands))
    return [(at, names[at], instruction.operands[at]) for at in _varied_operands(instruction, varied)]
