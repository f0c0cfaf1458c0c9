"""A program as text to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retrograde.program.kinds import is_ndarray, is_slice, is_tuple
from retrograde.program.model import Block, Instruction, Loop, Program, Replay, Statement, Sweep, Variable
from retrograde.program.types import StackType

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}
_COMPARISONS = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
_INFIX = _SIGNS | _COMPARISONS


def text_of(program: Program) -> str:
    """A program as text: a line for each instruction, regions indented, loops with what they carry and collect.

    Read `x, a[] = for i in range(n) with v = u, w = b[i]:` as: v starts as u, w is the entry of this iteration in the
    stack b; x is v after the last iteration, and the stack a gets one entry in each. `next` ends the body with the new
    v, and `collect` with the entries. `while of j, w:` begins the condition, as of the index and what is carried.
    """
    lines = [f"program {program.name}({', '.join(map(repr, program.inputs))}):"]
    lines += _indented(_statements(program.block))
    outputs = zip(program.output_names, program.block.results, strict=True)
    lines.append("    return " + ", ".join(f"{name}={_operand(value)}" for name, value in outputs))
    return "\n".join(lines)


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _statements(block: Block) -> Iterator[str]:
    for statement in block.statements:
        yield from _statement(statement)


def _statement(statement: Statement) -> Iterator[str]:
    if isinstance(statement, Instruction):
        yield f"{', '.join(map(repr, statement.results))} = {_application(statement)}"
    elif isinstance(statement, Loop):
        yield from _loop(statement)
    elif isinstance(statement, (Sweep, Replay)):
        yield from _scheduled(statement)
    else:
        names = ", ".join(map(repr, statement.results))
        yield f"{names} = if {_operand(statement.condition)}:"
        for block, after in ((statement.then, "else:"), (statement.otherwise, None)):
            yield from _indented(_statements(block))
            yield f"    give {', '.join(map(_operand, block.results))}"
            if after:
                yield after


def _loop(loop: Loop) -> Iterator[str]:
    width = len(loop.initial)
    results = [repr(result) for result in loop.results[:width]] + [
        f"{result.name}[]" for result in loop.results[width:]
    ]
    entering = [f"{inner.name} = {_operand(start)}" for inner, start in zip(loop.carried, loop.initial, strict=True)]
    entering += [
        f"{inner.name} = {_operand(stack)}[{loop.index.name}]"
        for inner, stack in zip(loop.elements, loop.consumed, strict=True)
    ]
    span = "count()" if loop.count is None else f"range({_operand(loop.count)})"
    span = f"reversed({span})" if loop.backward else span
    yield f"{', '.join(results)} = for {loop.index.name} in {span} with {', '.join(entering)}:"
    if loop.condition is not None:
        yield f"    while of {', '.join(parameter.name for parameter in loop.condition.parameters)}:"
        yield from _indented(_indented(_statements(loop.condition)))
        yield f"        give {_operand(loop.condition.results[0])}"
    yield from _indented(_statements(loop.body))
    if width:
        yield f"    next {', '.join(map(_operand, loop.body.results[:width]))}"
    if loop.body.results[width:]:
        yield f"    collect {', '.join(map(_operand, loop.body.results[width:]))}"


def _scheduled(statement: Sweep | Replay) -> Iterator[str]:
    results = [f"{result.name}{'[]' * isinstance(result.type, StackType)}" for result in statement.results]
    count = _operand(statement.count)
    span = f"reversed(range({count}))" if statement.backward else f"range({count})"
    given = ", ".join(map(_operand, statement.initial))
    if isinstance(statement, Sweep):
        parts = [("advance", statement.advance), ("record", statement.record)]
        verb = "sweep"
    else:
        parts = [("advance", statement.advance), ("record", statement.record), ("reverse", statement.reverse)]
        stacks = ", ".join(map(_operand, [*statement.snapshots, *statement.residuals]))
        verb, given = "replay", f"{given}; {stacks}"
    yield f"{', '.join(results)} = {verb} {span} by {_operand(statement.schedule)} with {given}:"
    for name, block in parts:
        yield f"    {name} {', '.join(parameter.name for parameter in block.parameters)}:"
        yield from _indented(_indented(_statements(block)))
        yield f"        next {', '.join(map(_operand, block.results))}"


def _application(instruction: Instruction) -> str:
    name, operands = instruction.primitive.name, instruction.operands
    if name in _INFIX:
        return f"{_operand(operands[0])} {_INFIX[name]} {_operand(operands[1])}"
    if name == "getitem":
        return f"{_operand(operands[0])}[{_index(operands[1])}]"
    if name == "update":
        return f"update {_operand(operands[0])}[{_index(operands[1])}] = {_operand(operands[2])}"
    keys = instruction.primitive.names(len(operands))
    parts = [_index(part) if key == "index" else _operand(part) for key, part in zip(keys, operands, strict=True)]
    return f"{name}({', '.join([*parts, *(f'{key}={value}' for key, value in instruction.static.items())])})"


def _operand(operand: Any) -> str:
    if isinstance(operand, Variable):
        return operand.name
    if is_tuple(operand):
        return f"({', '.join(map(_operand, operand))}{',' if len(operand) == 1 else ''})"
    if is_ndarray(operand) and operand.size > 1:
        return f"<{operand.dtype} of shape {operand.shape}>"
    return str(operand)


def _index(index: Any) -> str:
    if is_tuple(index):
        return ", ".join(map(_index, index))
    if is_slice(index):
        bounds: list[Any] = [index.start, index.stop] + ([] if index.step is None else [index.step])
        return ":".join("" if bound is None else _operand(bound) for bound in bounds)
    return "..." if index is Ellipsis else _operand(index)
