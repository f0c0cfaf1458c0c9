"""What running a block takes: the bytes live meanwhile, and about how many seconds."""

from __future__ import annotations

import math
from typing import Any

from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Replay,
    Statement,
    Sweep,
    Variable,
    all_variables,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)
from retrograde.program.types import ArrayType
from retrograde.python.budget.sizes import Sizes

CALL_SECONDS = 1e-6
"""Of one NumPy call, whatever it works on."""
_SECONDS_AN_ELEMENT = 8e-10
_SLOW_SECONDS = 8e-9
_SLOW = frozenset(
    {"exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "tanh", "sinh", "cosh", "sin", "cos", "tan", "power"}
    | {"arctan", "arctan2", "arcsin", "arccos", "hypot", "erf"}
)
_PRODUCTS = frozenset({"matmul", "dot", "einsum", "tensordot", "inner", "vdot"})
_FLOP_SECONDS = 1e-10
_IN_PLACE = frozenset({"update", "add_at"})


def peak_bytes(block: Block, sizes: Sizes, *, results: bool = True) -> int:
    """The most bytes that a block allocates and has live at a time, its parameters not counted.

    Writes happen in place, views cost nothing, and every other instruction makes its result anew.

    Args:
        block: what runs.
        sizes: of its values.
        results: whether the block's results are still live at its end.
    """
    return _Tally(sizes).peak(block, set(variables_in(tuple(block.results))) if results else set())


class _Tally:
    """Follows what is live. What is a view, or written in place, belongs to the variable whose memory it is in."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes

    def peak(self, block: Block, held: set[Variable]) -> int:
        owners = {parameter: parameter for parameter in block.parameters}
        own: dict[Variable, int] = {}
        behind = _behind(block, held)
        live = most = 0
        for statement, later in zip(block.statements, behind, strict=True):
            made = self._allocated(statement, owners, later)
            inside = self.inside(statement)
            live += sum(made.values())
            own.update(made)
            most = max(most, live + inside)
            kept = {owners.get(variable, variable) for variable in later}
            for variable in [variable for variable in own if variable not in kept]:
                live -= own.pop(variable)
        return most

    def _allocated(
        self, statement: Statement, owners: dict[Variable, Variable], later: set[Variable]
    ) -> dict[Variable, int]:
        if (
            isinstance(statement, Instruction)
            and shares(statement)
            and not (is_write(statement) and statement.operands[0] in later)
        ):
            first = statement.operands[0]
            owners[statement.results[0]] = owners.get(first, first) if isinstance(first, Variable) else first
            return {}
        owners.update((result, result) for result in statement.results)
        return {result: self._sizes.bytes_of(result) for result in statement.results}

    def inside(self, statement: Statement) -> int:
        """What is live inside a region beside its results."""
        if isinstance(statement, (Sweep, Replay)) and (settled := self._sizes.inner.get(statement.schedule)):
            return settled.sweep_bytes if isinstance(statement, Sweep) else settled.replay_bytes
        return max((self.peak(block, set()) for block in blocks_of(statement)), default=0)


CALL_BYTES = 4096
"""What calling a program takes in Python beside its values: frames of functions, iterators, what NumPy sets up."""
NAME_BYTES = 16
"""What a variable takes there: its place in a frame, or the number that it was last."""
MAKING_BYTES = 16 * 1024
"""What making rows of a schedule takes while a loop follows them."""
SLOT_BYTES = 384
"""What knowing where one state is takes meanwhile."""
BUFFER_BYTES = 1 << 16
"""What NumPy takes to convert the elements of an array while it works on them, if the array has as many."""
WRITTEN_STEPS = 4096
"""Loops of no more steps follow rows that were written down when they were planned."""


def interpreter_bytes(block: Block, sizes: Sizes) -> int:
    """What Python takes to run a block, whatever the sizes of its arrays: small, unless the budget is, too."""
    variables = all_variables(block)
    made = any(steps is None or steps > WRITTEN_STEPS for steps in sizes.counts.values())
    bytes_of: dict[str, int] = {}
    for variable in variables:
        if isinstance(variable.type, ArrayType) and variable.type.rank:
            name = variable.type.dtype.name
            bytes_of[name] = max(bytes_of.get(name, 0), sizes.bytes_of(variable))
    largest = max(bytes_of.values()) if bytes_of.keys() - {"float64"} else 0
    return CALL_BYTES + NAME_BYTES * len(variables) + (MAKING_BYTES if made else 0) + min(BUFFER_BYTES, largest)


def shares(instruction: Instruction) -> bool:
    """Whether the result of an instruction may be in the memory of its first operand: a view, or a write."""
    if not instruction.operands or not isinstance(instruction.operands[0], Variable):
        return False
    return instruction.primitive.views is not None or is_write(instruction)


def is_write(instruction: Instruction) -> bool:
    """Whether an instruction writes its first operand, where nobody reads that afterwards."""
    return instruction.primitive.name in _IN_PLACE


def workspace_bytes(statement: Statement, sizes: Sizes) -> int:
    """What a statement needs beside what it reads and makes."""
    inside = _Tally(sizes).inside(statement)
    # The carried values of one iteration are there beside those of the next.
    return inside + (array_bytes(list(statement.carried), sizes) if isinstance(statement, Loop) else 0)


def _behind(block: Block, held: set[Variable]) -> list[set[Variable]]:
    """For each statement the variables that are read after it."""
    live, found = set(held), list[set[Variable]]()
    for statement in reversed(block.statements):
        found.append(set(live))
        live.difference_update(statement.results)
        live.update(variables_in(operands_of(statement)))
        if not isinstance(statement, Instruction):
            live.update(free_variables(*blocks_of(statement)))
    return found[::-1]


def seconds(block: Block, sizes: Sizes) -> float:
    """About how long a block takes."""
    return math.fsum(seconds_of(statement, sizes) for statement in block.statements)


def seconds_of(statement: Statement, sizes: Sizes) -> float:
    """About how long a statement takes."""
    match statement:
        case Instruction():
            return CALL_SECONDS + _work_seconds(statement, sizes)
        case Loop():
            count = sizes.counts.get(statement)
            return (1 if count is None else count) * seconds(statement.body, sizes)
        case Branch():
            return max(seconds(statement.then, sizes), seconds(statement.otherwise, sizes))
        case Sweep():
            settled = sizes.inner.get(statement.schedule)
            return settled.sweep_seconds if settled else seconds(statement.record, sizes)
        case Replay():
            settled = sizes.inner.get(statement.schedule)
            return settled.replay_seconds if settled else seconds(statement.reverse, sizes)


def _work_seconds(instruction: Instruction, sizes: Sizes) -> float:
    name = instruction.primitive.name
    shapes = [sizes.shapes.get(variable, ()) for variable in variables_in(instruction.operands)]
    if instruction.primitive.views is not None:
        return 0.0
    if name in _PRODUCTS:
        return _FLOP_SECONDS * _multiplications(shapes)
    made = max((math.prod(sizes.shapes.get(result, ())) for result in instruction.results), default=1)
    if name in _IN_PLACE:
        written = [variable for operand in instruction.operands[2:] for variable in variables_in(operand)]
        made = max((math.prod(sizes.shapes.get(variable, ())) for variable in written), default=1)
        return _SECONDS_AN_ELEMENT * made
    if not instruction.primitive.elementwise:
        made = max([made, *map(math.prod, shapes)])
    return (_SLOW_SECONDS if name in _SLOW else _SECONDS_AN_ELEMENT) * made


def _multiplications(shapes: list[tuple[int, ...]]) -> float:
    """About the product of all extents that differ."""
    elements = [math.prod(shape) for shape in shapes if shape]
    if not elements:
        return 1.0
    shared = max(shapes[0][-1:], default=1) if shapes else 1
    return math.prod(map(float, elements)) / max(1, shared)


def array_bytes(values: list[Any], sizes: Sizes) -> int:
    """The bytes of values that are set somewhere; constants cost nothing."""
    return sum(sizes.bytes_of(value) for value in values if isinstance(value, Variable))
