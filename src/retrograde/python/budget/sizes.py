"""How large the values of a program are at the arguments of a call, and about how long its instructions take.

Types are computed again with the sizes of the arguments in place of names. Where a size depends on the index of a loop
it is taken at the first, the middle and the last iteration; where it depends on data, at its bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
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
    map_operand,
)
from retrograde.program.types import ArrayType, Extent, Size, StackType, Type, type_of

_COUNTING = ("add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum", "negative", "positive")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a scheduled loop inside another takes, for the longest that it runs.

    Attributes:
        kept_bytes: between sweep and replay.
        sweep_bytes: that the sweep needs besides.
        replay_bytes: that the replay needs besides.
        sweep_seconds: of the sweep.
        replay_seconds: of the replay.
    """

    kept_bytes: int
    sweep_bytes: int
    replay_bytes: int
    sweep_seconds: float
    replay_seconds: float


ARRAY_BYTES = 128
"""What an array takes in Python beside its elements."""

NUMBER_BYTES = 32
"""What a number takes in Python beside itself, and its place in a list."""


class Sizes:
    """The shapes of a program's values.

    Args:
        program: whose values.
        arguments: one for each of its inputs.
        boxed: whether each value is an object of Python.

    Attributes:
        shapes: of each array the extents of its axes; of an axis that changes the largest that was seen.
        totals: of each stack the bytes of all its entries.
        counts: of each loop the number of iterations: of an inner one the most; None where it is not known.
        inner: of a schedule that is settled what its sweep and its replay need beside what is stored, and take.
    """

    def __init__(self, program: Program, arguments: Sequence[Any], *, boxed: bool = True) -> None:
        self._array_bytes, self._number_bytes = (ARRAY_BYTES, NUMBER_BYTES) if boxed else (0, 0)
        self.shapes: dict[Variable, tuple[int, ...]] = {}
        self.totals: dict[Variable, float] = {}
        self.counts: dict[Statement, int | None] = {}
        self.inner: dict[Variable, Settled] = {}
        self._named: dict[str, int] = {}
        self._numbers: dict[Variable, int] = {}
        self._now: dict[Variable, tuple[int, ...]] = {}
        for variable, argument in zip(program.inputs, arguments, strict=True):
            self._argument(variable, argument)
        self._block(program.block)

    def bytes_of(self, variable: Variable) -> int:
        """The bytes of a value: of an array all of its elements, of a stack all of its entries."""
        if isinstance(variable.type, ArrayType):
            return self._sized(self.shapes.get(variable, ()), variable.type)
        return round(self.totals.get(variable, 0))

    def _sized(self, shape: tuple[int, ...], kind: ArrayType) -> int:
        own = self._array_bytes if kind.rank else self._number_bytes
        return math.prod(shape) * kind.dtype.itemsize + own

    def _argument(self, variable: Variable, argument: Any) -> None:
        if not isinstance(variable.type, ArrayType):
            return
        shape = np.shape(argument)
        self._see(variable, shape)
        for extent, size in zip(variable.type.sizes, shape, strict=True):
            if isinstance(extent, Size):
                self._named[extent.name] = size - extent.offset
        if not shape and variable.type.dtype.kind in "iu":
            self._numbers[variable] = int(argument)

    def _block(self, block: Block) -> None:
        for statement in block.statements:
            match statement:
                case Instruction():
                    self._instruction(statement)
                case Loop():
                    self._loop(statement)
                case Branch():
                    self._branch(statement)
                case Sweep():
                    self._sweep(statement)
                case Replay():
                    self._replay(statement)

    def _instruction(self, instruction: Instruction) -> None:
        known = self._number_of(instruction)
        types = self._types(instruction)
        for result, kind in zip(instruction.results, types, strict=True):
            self._see(result, self._extents(kind, result, instruction))
            if known is not None:
                self._numbers[result] = known
            else:
                self._numbers.pop(result, None)

    def _see(self, variable: Variable, shape: tuple[int, ...]) -> None:
        self._now[variable] = shape
        before = self.shapes.get(variable, shape)
        self.shapes[variable] = tuple(map(max, before, shape))

    def _number_of(self, instruction: Instruction) -> int | None:
        """The value of an integer, where it follows from the arguments."""
        kind = instruction.results[0].type
        if not isinstance(kind, ArrayType) or kind.rank or kind.dtype.kind not in "iu":
            return None
        if instruction.primitive.name == "size":
            shape = self._shape_of(instruction.operands[0])
            axis: int = instruction.static["axis"]
            offset: int = instruction.static["offset"]
            return max(0, shape[axis] + offset)
        if instruction.primitive.name not in _COUNTING:
            return None
        numbers = [self._number(operand) for operand in instruction.operands]
        if any(number is None for number in numbers):
            return None
        with np.errstate(all="ignore"):
            value: Any = instruction.primitive.evaluate(*numbers, **instruction.static)
        return int(value)

    def _number(self, operand: Any) -> int | None:
        if isinstance(operand, Variable):
            return self._numbers.get(operand)
        if isinstance(operand, np.integer):
            return int(operand.item())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        return operand if isinstance(operand, int) and not isinstance(operand, bool) else None

    def _types(self, instruction: Instruction) -> Sequence[Type]:
        names = instruction.primitive.names(len(instruction.operands))
        known = [self._known(name, operand) for name, operand in zip(names, instruction.operands, strict=True)]
        try:
            made = instruction.primitive.result(*known, **instruction.static)
        except UsageError:  # What the samples of an index make of a slice need not go together.
            return [result.type for result in instruction.results]
        return made if isinstance(made, tuple) else (made,)

    def _known(self, name: str, operand: Any) -> Any:
        if name == "shape":
            return tuple(self._number(part) for part in operand)
        return map_operand(self._known_part, operand)

    def _known_part(self, part: Any) -> Any:
        if isinstance(part, Variable):
            if part in self._numbers:
                return self._numbers[part]
            return ArrayType(part.type.dtype, self._shape_of(part)) if isinstance(part.type, ArrayType) else part.type
        return type_of(part) if isinstance(part, (np.ndarray, np.generic)) else part

    def _shape_of(self, operand: Any) -> tuple[int, ...]:
        if isinstance(operand, Variable):
            return self._now.get(operand, ())
        return operand.shape if is_ndarray(operand) else ()

    def _extents(self, kind: Type, result: Variable, instruction: Instruction) -> tuple[int, ...]:
        if not isinstance(kind, ArrayType) or not isinstance(result.type, ArrayType):
            return ()
        largest = max((extent for shape in self._operand_shapes(instruction) for extent in shape), default=1)
        declared = result.type.sizes if result.type.rank == kind.rank else (None,) * kind.rank
        return tuple(self._extent(found, said, largest) for found, said in zip(kind.sizes, declared, strict=True))

    def _operand_shapes(self, instruction: Instruction) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []

        def note(part: Any) -> Any:
            if isinstance(part, Variable) or is_ndarray(part):
                found.append(self._shape_of(part))
            number = self._number(part)
            if number is not None:
                found.append((abs(number),))
            return part

        map_operand(note, instruction.operands)
        return found

    def _extent(self, found: Extent, declared: Extent, largest: int) -> int:
        for extent in (found, declared):
            if isinstance(extent, int):
                return extent
            if isinstance(extent, Size) and extent.name in self._named:
                return max(0, self._named[extent.name] + extent.offset)
        return largest

    def _loop(self, loop: Loop) -> None:
        count = None if loop.count is None or loop.condition is not None else self._number(loop.count)
        self._see_count(loop, count)
        for parameter, start in zip(loop.carried, loop.initial, strict=True):
            self._see(parameter, self._shape_of(start))
            self._numbers.pop(parameter, None)
        width = len(loop.initial)
        for element, stack in zip(loop.elements, loop.consumed, strict=True):
            self._element(element, stack)
        totals = [0.0] * (len(loop.results) - width)
        for index, weight in _samples(count):
            self._numbers.pop(loop.index, None)
            if index is not None:
                self._numbers[loop.index] = index
            self._block(loop.body)
            for at, value in enumerate(loop.body.results[width:]):
                totals[at] += weight * self._bytes_now(value)
        for result, value in zip(loop.results[:width], loop.body.results, strict=False):
            self._see(result, self._shape_of(value))
        if loop.condition is not None:
            self._condition(loop, loop.condition)
        for stack, value, total in zip(loop.results[width:], loop.body.results[width:], totals, strict=True):
            self.totals[stack] = max(self.totals.get(stack, 0), total)
            self._see(stack, self._shape_of(value))

    def _sweep(self, sweep: Sweep) -> None:
        count = None if sweep.count is None or sweep.condition is not None else self._number(sweep.count)
        self._see_count(sweep, count)
        shapes = [self._shape_of(start) for start in sweep.initial]
        for block in (sweep.advance, sweep.record):
            self._steps(block, shapes, count)
        if sweep.condition is not None:
            self._steps(sweep.condition, shapes, None)
        for result, value in zip(sweep.carried, sweep.advance.results, strict=True):
            self._see(result, self._shape_of(value))
        for stack, at in zip(sweep.snapshots, sweep.kept, strict=True):
            self._see(stack, shapes[at])
        for stack, value in zip(sweep.residuals, sweep.record.results[len(sweep.initial) :], strict=True):
            self._see(stack, self._shape_of(value))

    def _replay(self, replay: Replay) -> None:
        count = self._number(replay.count)
        self._see_count(replay, count)
        shapes = [self._shape_of(stack) for stack in replay.snapshots]
        for block in (replay.advance, replay.record):
            self._steps(block, shapes, count)
        shapes = [self._shape_of(value) for value in (*replay.initial, *replay.residuals)]
        self._steps(replay.reverse, shapes, count)
        for result, value in zip(replay.results, replay.reverse.results, strict=True):
            self._see(result, self._shape_of(value))

    def _see_count(self, statement: Statement, count: int | None) -> None:
        seen = self.counts.get(statement, 0)
        self.counts[statement] = None if count is None or seen is None else max(seen, count, 0)

    def _steps(self, block: Block, shapes: list[tuple[int, ...]], count: int | None) -> None:
        """A block of a scheduled loop at some of its steps."""
        for parameter, shape in zip(block.parameters[1:], shapes, strict=True):
            self._see(parameter, shape)
            self._numbers.pop(parameter, None)
        for index, _ in _samples(count):
            self._numbers.pop(block.parameters[0], None)
            if index is not None:
                self._numbers[block.parameters[0]] = index
            self._block(block)

    def _condition(self, loop: Loop, condition: Block) -> None:
        for parameter, carried in zip(condition.parameters[1:], loop.carried, strict=True):
            self._see(parameter, self._shape_of(carried))
        self._block(condition)

    def _element(self, element: Variable, stack: Any) -> None:
        self._see(element, self._shape_of(stack))
        if isinstance(element.type, StackType):
            self.totals[element] = self.totals.get(stack, 0)

    def _bytes_now(self, value: Any) -> float:
        """The bytes of a value in the iteration that was looked at last."""
        if not isinstance(value, Variable):
            return float(getattr(value, "nbytes", 8))
        if isinstance(value.type, ArrayType):
            return float(self._sized(self._shape_of(value), value.type))
        return self.totals.get(value, 0.0)

    def _branch(self, branch: Branch) -> None:
        for side in (branch.then, branch.otherwise):
            self._block(side)
        for at, result in enumerate(branch.results):
            values = [side.results[at] for side in (branch.then, branch.otherwise)]
            # A constant may stand for a value that its side does not set, and have another shape.
            made = [value for value in values if isinstance(value, Variable)]
            for value in made or values:
                self._see(result, self._shape_of(value))
                if isinstance(result.type, StackType) and isinstance(value, Variable):
                    self.totals[result] = max(self.totals.get(result, 0), self.totals.get(value, 0))


def _samples(count: int | None) -> list[tuple[int | None, float]]:
    """Iterations to look at, with weights by which what they have adds up to the sum over all.

    Simpson's rule, which is right for sums of quadratics up to their ends.
    """
    if count is None:
        return [(None, 1.0)]
    if count <= 2:
        return [(index, 1.0) for index in range(count)] or [(0, 0.0)]
    return [(0, count / 6), (count // 2, 4 * count / 6), (count - 1, count / 6)]
