"""How many bytes the values of a program take, for the sizes and numbers of a call, without running it.

Only integers are computed: sizes, bounds, trip counts. What hangs on data is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from retrograde.program.model import Block, Branch, Instruction, Loop, Program, Statement, Variable, map_operand
from retrograde.program.types import ArrayType, Size, StackType, Type

Numbers: TypeAlias = dict[Variable, int]

_MOST_ITERATIONS = 1000


class Footprint:
    """The bytes of a program's values, for the inputs of a call.

    Args:
        program: whose values.
        inputs: an array or a number for each of its inputs; None for what is not there yet.

    Attributes:
        numbers: the integers that are known, of the program itself and not of the regions in it.
    """

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self._sizes: dict[str, int] = {}
        self.numbers: Numbers = {}
        self._arrays: dict[Variable, tuple[int, ...]] = {}
        for variable, value in zip(program.inputs, inputs, strict=True):
            if value is not None:
                self._note_input(variable, value)
        self._collected: dict[Variable, tuple[Loop, int]] = {}
        for statement in program.block.statements:
            self._note(statement, self.numbers)

    def bytes_of(self, variable: Variable) -> int | None:
        """The bytes of a value of the program; None where only a run can tell."""
        if variable in self._collected:
            loop, at = self._collected[variable]
            return self._stack_bytes(loop, at, self.numbers)
        return self._array_bytes(variable, self.numbers)

    def shape_of(self, operand: Any) -> tuple[int, ...] | None:
        """The shape of a value of the program; None where only a run can tell."""
        shape = self._shape(operand, self.numbers)
        return None if shape is None or None in shape else tuple(size for size in shape if size is not None)

    def count(self, loop: Loop) -> int | None:
        """How often a loop of the program runs; None where only a run can tell."""
        return None if loop.condition is not None else self._number(loop.count, self.numbers)

    def _note_input(self, variable: Variable, value: Any) -> None:
        kind = variable.type
        self._arrays[variable] = np.shape(value)
        if isinstance(kind, ArrayType):
            for extent, size in zip(kind.sizes, np.shape(value), strict=True):
                if isinstance(extent, Size):
                    self._sizes[extent.name] = size - extent.offset
            if not kind.rank and kind.dtype.kind in "iu":
                self.numbers[variable] = int(value)

    def _note(self, statement: Statement, numbers: Numbers) -> None:
        """Compute what integers a statement sets."""
        if isinstance(statement, Loop):
            width = len(statement.initial)
            for at, result in enumerate(statement.results[width:], width):
                self._collected[result] = (statement, at)
            for result, initial in zip(statement.results, statement.initial, strict=False):
                self._follow(initial, result)
        elif isinstance(statement, Instruction):
            self._note_instruction(statement, numbers)

    def _note_instruction(self, instruction: Instruction, numbers: Numbers) -> None:
        name, result = instruction.primitive.name, instruction.results[0]
        if name == "size":
            shape = self._shape(instruction.operands[0], numbers)
            axis: int = instruction.static["axis"]
            extent = None if shape is None else shape[axis]
            if extent is not None:
                offset: int = instruction.static["offset"]
                numbers[result] = extent + offset
        elif name == "broadcast_to":
            shape = tuple(self._number(part, numbers) for part in instruction.operands[1])
            if None not in shape:
                self._arrays[result] = shape  # pyright: ignore[reportArgumentType]
        elif _is_integer(result.type):
            known = map_operand(lambda part: self._number(part, numbers), instruction.operands)
            if all(isinstance(part, int) for part in known):
                numbers[result] = int(instruction.primitive.evaluate(*known, **instruction.static))

    def _follow(self, source: Any, target: Variable) -> None:
        if isinstance(source, Variable) and source in self._arrays:
            self._arrays.setdefault(target, self._arrays[source])

    def _number(self, operand: Any, numbers: Mapping[Variable, int]) -> int | None:
        if isinstance(operand, Variable):
            return numbers.get(operand)
        number: Any = operand
        return int(number) if isinstance(operand, (int, np.integer)) else None

    def _shape(self, operand: Any, numbers: Numbers) -> tuple[int | None, ...] | None:
        if not isinstance(operand, Variable):
            return np.shape(operand)
        if operand in self._arrays:
            return self._arrays[operand]
        kind = operand.type
        return tuple(map(self._extent, kind.sizes)) if isinstance(kind, ArrayType) else None

    def _extent(self, extent: Any) -> int | None:
        if isinstance(extent, Size):
            size = self._sizes.get(extent.name)
            return None if size is None else max(0, size + extent.offset)
        return extent

    def _array_bytes(self, operand: Any, numbers: Numbers) -> int | None:
        shape = self._shape(operand, numbers)
        if shape is None or None in shape:
            return None
        kind = operand.type if isinstance(operand, Variable) else np.asarray(operand)
        return int(np.prod(shape, dtype=np.int64)) * kind.dtype.itemsize  # pyright: ignore

    def _stack_bytes(self, loop: Loop, at: int, numbers: Numbers) -> int | None:
        """The bytes that a loop collects: entries of one size count once, others at up to a thousand iterations."""
        count = None if loop.condition is not None else self._number(loop.count, numbers)
        if count is None:
            return None
        if count <= 0:
            return 0
        ends = [self._entry_bytes(loop, at, numbers, index) for index in sorted({0, count // 2, count - 1})]
        if None in ends or len(set(ends)) == 1:
            return None if None in ends else count * (ends[0] or 0)
        indices = np.unique(np.linspace(0, count - 1, min(count, _MOST_ITERATIONS)).astype(int))
        entries = [self._entry_bytes(loop, at, numbers, int(index)) for index in indices]
        known = [entry for entry in entries if entry is not None]
        return None if len(known) < len(entries) else round(count * float(np.mean(known)))

    def _entry_bytes(self, loop: Loop, at: int, numbers: Numbers, index: int) -> int | None:
        """The bytes of one entry: the integers of the body are computed for an index."""
        inner = {**numbers, loop.index: index}
        return self._result_bytes(loop.body, loop.body.results[at], inner)

    def _result_bytes(self, block: Block, result: Any, numbers: Numbers) -> int | None:
        for statement in block.statements:
            if isinstance(statement, Loop):
                for place, stack in enumerate(statement.results):
                    if stack is result and isinstance(stack.type, StackType):
                        return self._stack_bytes(statement, place, numbers)
            elif isinstance(statement, Branch):
                if result in statement.results:
                    place = statement.results.index(result)
                    sides = (statement.then, statement.otherwise)
                    sizes = [self._result_bytes(side, side.results[place], dict(numbers)) for side in sides]
                    return None if None in sizes else max(size or 0 for size in sizes)
            elif isinstance(statement, Instruction):
                self._note_instruction(statement, numbers)
        return self._array_bytes(result, numbers)


def _is_integer(kind: Type) -> bool:
    return isinstance(kind, ArrayType) and not kind.rank and kind.dtype.kind in "iu"
