"""What to call the variables of a program: as the user does, and what the user gave no name by what it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, blocks_of
from retrograde.program.types import ArrayType, Size
from retrograde.python.lowering.operations import ENTRY, KEEP

_OPERATIONS = {
    "add": "total",
    "subtract": "difference",
    "multiply": "product",
    "divide": "quotient",
    "astype": "number",
    "floor_divide": "count",
    "einsum": "product",
    "matmul": "product",
    "where": "chosen",
    "masked": "chosen",
    "less": "holds",
    "less_equal": "holds",
    "greater": "holds",
    "greater_equal": "holds",
    "equal": "holds",
    "not_equal": "holds",
    "logical_and": "holds",
    "logical_or": "holds",
    "logical_not": "holds",
}
"""What results are, whatever the operands."""

_PARTS = {"getitem": "part", "transpose": "turned", "reshape": "shaped", "broadcast_to": "spread"}
"""What a result is to its operand."""

_ALONE = {"sum": "total"}
"""What a result is whose operand has no name."""

_SHIFTS = {"add": "plus", "subtract": "less"}

_LONGEST = 18
"""The most characters of a name that is made up."""


def callings(block: Block) -> dict[Variable, str]:
    """What to call each variable of a block in explicit form, inner ones included; several may be called the same."""
    calls = dict[Variable, str]()
    for parameter in block.parameters:
        calls[parameter] = parameter.name
    _note(block, calls)
    return calls


def _note(block: Block, calls: dict[Variable, str]) -> None:
    for parameter in block.parameters:
        calls.setdefault(parameter, _given(parameter) or "x")
    for statement in block.statements:
        if isinstance(statement, Instruction):
            _note_instruction(statement, calls)
            continue
        if isinstance(statement, Loop):
            calls[statement.index] = _given(statement.index) or "i"
            if not isinstance(statement.count, tuple) and statement.carried:
                calls[statement.carried[0]] = "count"
            for carried, initial in zip(statement.carried, statement.initial, strict=True):
                calls[carried] = (
                    calls.get(carried)
                    or _given(carried)
                    or (calls.get(initial, "x") if isinstance(initial, Variable) else _unnamed(statement))
                )
        for inner in blocks_of(statement):
            _note(inner, calls)
        for at, result in enumerate(statement.results):
            source = statement.carried[at] if isinstance(statement, Loop) else None
            source = _first_variable(statement, at) if isinstance(statement, Branch) else source
            kept = result.hint.startswith("kept_") and source is not None and not source.hint
            calls[result] = ("" if kept else _given(result)) or (calls.get(source, "x") if source is not None else "x")


def _unnamed(loop: Loop) -> str:
    return "g" if loop.place is not None and loop.place.reverses else "x"


def _first_variable(branch: Branch, at: int) -> Variable | None:
    """What a result of a branch is on the side that sets it."""
    given = (branch.then.results[at], branch.otherwise.results[at])
    return next((operand for operand in given if isinstance(operand, Variable)), None)


def _given(variable: Variable) -> str:
    return variable.hint if variable.hint.strip("_").isidentifier() else ""


def _note_instruction(instruction: Instruction, calls: dict[Variable, str]) -> None:
    if instruction.primitive is KEEP:
        stack, _, value = instruction.operands
        if isinstance(value, Variable):
            calls[stack] = f"kept_{calls.get(value, 'value').removeprefix('kept_')}"
        return
    for result, output in zip(instruction.results, instruction.primitive.outputs or ("",), strict=False):
        calls[result] = _given(result) or output or _described(instruction, calls)
    if instruction.primitive is ENTRY:
        stack, index = instruction.operands
        at = calls.get(index, "") if isinstance(index, Variable) else ""
        calls[instruction.results[0]] = calls.get(stack, "kept").removeprefix("kept_") + (f"_{at}" if at else "_then")


def _described(instruction: Instruction, calls: dict[Variable, str]) -> str:
    """A name for a value that the user gave none."""
    result, name = instruction.results[0], instruction.primitive.name
    if isinstance(result.extent, Size):
        return _size_name(result.extent)
    kind = result.type
    if instruction.place is not None and instruction.place.reverses and isinstance(kind, ArrayType):
        return "g" if kind.differentiable and name not in _PARTS else _of_operand(instruction, calls)
    if name in _SHIFTS and isinstance(kind, ArrayType) and kind.dtype.kind == "i" and not kind.rank:
        return _shifted(instruction, calls)
    if name in _OPERATIONS:
        return _OPERATIONS[name]
    return _of_operand(instruction, calls)


def _shifted(instruction: Instruction, calls: dict[Variable, str]) -> str:
    """An index plus or minus a number."""
    one, other = instruction.operands
    number = not isinstance(other, Variable) and int(np.abs(other))
    if isinstance(one, Variable) and number is not False:
        return f"{calls.get(one, 'i')}_{_SHIFTS[instruction.primitive.name]}_{number}"
    return "count"


def _of_operand(instruction: Instruction, calls: dict[Variable, str]) -> str:
    name = instruction.primitive.name
    operand: Any = instruction.operands[0] if instruction.operands else None
    of = calls.get(operand, "") if isinstance(operand, Variable) and operand.hint else ""
    part = _PARTS.get(name)
    made = (f"{of}_{part}" if of else part) if part else f"{name}_{of}" if of else name
    made = made if len(made) <= _LONGEST else part or name
    return _ALONE.get(made, made)


def _size_name(size: Size) -> str:
    offset = f"_{'plus' if size.offset > 0 else 'less'}_{abs(size.offset)}" if size.offset else ""
    return f"{size.name}{offset}"
