"""A program's explicit form: the same program, with what a text has to say and a program leaves open said.

Stacks are made, filled right behind what they keep, and read entry by entry; scattering is zeros and a write; sizes are
taken where the array is made; the condition of a loop stands in its body, in front of a stop; loops run over ranges.
The variables are those of the program.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from retrograde.program.clone import prune
from retrograde.program.kinds import as_tuple, is_ndarray, is_slice
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
)
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType, Size, StackType, Type
from retrograde.python.lowering.broadcasting import broadcast_late
from retrograde.python.lowering.checking import with_raises
from retrograde.python.lowering.counting import count_directly
from retrograde.python.lowering.operations import ENTRY, FULL, KEEP, MAKE_STACK, STOP, ZEROS
from retrograde.python.lowering.ranges import put_ranges
from retrograde.python.lowering.rewriting import drop_unused, map_statement, replaced, replacing, substitute_everywhere
from retrograde.python.lowering.scheduled import unfold

_INT64 = ArrayType(np.dtype(np.int64))


def explicit(program: Program) -> Block:
    """The explicit form of a program: a block of its own, with the program's variables."""
    block = _shallow_block(program.block)
    prune(Program(program.name, block, list(program.output_names)))
    unfold(block)
    with_raises(block)
    inputs = block.parameters
    sizes = _Sizes(block)
    block = _Rewriting(inputs, sizes.hoist()).block(block)
    broadcast_late(block)
    put_ranges(block)
    count_directly(block)
    drop_unused(block)
    return block


def _shallow_block(block: Block) -> Block:
    """A copy of the structure, down to what instructions are made of."""
    return Block(list(block.parameters), list(map(_shallow, block.statements)), list(block.results))


def _shallow(statement: Statement) -> Statement:
    if isinstance(statement, Instruction):
        return Instruction(
            statement.primitive, statement.operands, statement.static, list(statement.results), statement.place
        )
    blocks = [_shallow_block(block) for block in blocks_of(statement)]
    results, place = list(statement.results), statement.place
    if isinstance(statement, Sweep):
        condition = blocks[2] if len(blocks) > 2 else None
        return replace(statement, advance=blocks[0], record=blocks[1], results=results, condition=condition)
    if isinstance(statement, Replay):
        return replace(statement, advance=blocks[0], record=blocks[1], reverse=blocks[2], results=results)
    if isinstance(statement, Branch):
        return Branch(statement.condition, blocks[0], blocks[1], results, place)
    initial, consumed = list(statement.initial), list(statement.consumed)
    condition = blocks[1] if len(blocks) > 1 else None
    return Loop(statement.count, statement.backward, initial, consumed, blocks[0], results, condition, place)


class _Sizes:
    """Takes every size right where the array is set, and each one once: it says nothing of the elements."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._first: dict[tuple[Any, ...], Instruction] = {}
        self._same: dict[Variable, Variable] = {}

    def hoist(self) -> dict[tuple[Any, ...], Variable]:
        """Move the size instructions; returns which there are, by array, axis and offset."""
        self._collect(self._block)
        by_array: dict[Variable, list[Instruction]] = {}
        for instruction in self._first.values():
            by_array.setdefault(instruction.operands[0], []).append(instruction)
        self._place(self._block, by_array)
        return {key: instruction.results[0] for key, instruction in self._first.items()}

    def _collect(self, block: Block) -> None:
        kept: list[Statement] = []
        for statement in block.statements:
            if isinstance(statement, Instruction) and _is_size(statement):
                key = (statement.operands[0], statement.static["axis"], statement.static["offset"])
                statement.place = None
                first = self._first.setdefault(key, statement)
                if first is not statement:
                    self._same[statement.results[0]] = first.results[0]
                continue
            kept.append(statement)
            for inner in blocks_of(statement):
                self._collect(inner)
        block.statements = kept

    def _place(self, block: Block, by_array: dict[Variable, list[Instruction]]) -> None:
        placed: list[Statement] = [size for variable in block.parameters for size in by_array.get(variable, ())]
        for statement in block.statements:
            map_statement(replacing(self._same), statement)
            for inner in blocks_of(statement):
                self._place(inner, by_array)
            placed.append(statement)
            placed += [size for variable in statement.results for size in by_array.get(variable, ())]
        block.statements = placed
        block.results = [replaced(result, self._same) for result in block.results]


def _is_size(instruction: Instruction) -> bool:
    return instruction.primitive is PRIMITIVES["size"] and isinstance(instruction.operands[0], Variable)


class _Rewriting:
    """Rewrites blocks, inner ones first."""

    def __init__(self, inputs: list[Variable], sizes: dict[tuple[Any, ...], Variable]) -> None:
        self._sizes = sizes
        self._axes: dict[str, tuple[Variable, int, int]] = {}
        for variable in inputs:
            for axis, size in enumerate(variable.type.sizes if isinstance(variable.type, ArrayType) else ()):
                if isinstance(size, Size):
                    self._axes.setdefault(size.name, (variable, axis, size.offset))
        self._named: dict[Size, Variable] = {}
        self._early: list[Statement] = []
        self._numbers: dict[Variable, Any] = {}

    def block(self, block: Block) -> Block:
        """The whole program."""
        statements = self._statements(block, {})
        whole = Block(block.parameters, [*self._early, *statements], block.results)
        substitute_everywhere(whole, self._numbers)
        _make_numbers(whole)
        return whole

    def _statements(self, block: Block, keeps: dict[Variable | None, list[Instruction]]) -> list[Statement]:
        """A block's statements rewritten, with instructions that keep a variable right behind where it is set."""
        done: list[Statement] = [keep for first in (None, *block.parameters) for keep in keeps.get(first, ())]
        for statement in block.statements:
            number = _broadcast_number(statement)
            if number is None:
                done += self._statement(statement)
            else:
                self._numbers[statement.results[0]] = number
            done += [keep for result in statement.results for keep in keeps.get(result, ())]
        return done

    def _statement(self, statement: Statement) -> list[Statement]:
        if isinstance(statement, Loop):
            return self._loop(statement)
        if isinstance(statement, Branch):
            for side in (statement.then, statement.otherwise):
                side.statements = self._statements(side, {})
            return [statement]
        if not isinstance(statement, Instruction):
            return [statement]
        name = statement.primitive.name
        if name == "scatter":
            return _scattered(statement)
        return [_filled(statement) if name == "broadcast_to" else statement]

    def _loop(self, loop: Loop) -> list[Statement]:
        width = len(loop.initial)
        index, carried = loop.index, loop.carried
        made = [self._stack(stack, loop) for stack in loop.results[width:]]
        keeps: dict[Variable | None, list[Instruction]] = {}
        own = loop.body.defined()
        for stack, value in zip(loop.results[width:], loop.body.results[width:], strict=True):
            keep = Instruction(KEEP, (stack, index, value), {}, [])
            keeps.setdefault(value if isinstance(value, Variable) and value in own else None, []).append(keep)
        entries: list[Statement] = [
            Instruction(ENTRY, (stack, index), {}, [element])
            for stack, element in zip(loop.consumed, loop.elements, strict=True)
        ]
        stop = self._condition(loop) if loop.condition is not None else []
        body = [*stop, *entries, *self._statements(loop.body, keeps)]
        inner = Block([index, *carried], body, loop.body.results[:width])
        if loop.condition is not None:
            # The counter that the loop carries is its index, which the text counts up by itself.
            inner.results[0] = carried[0]
            substitute_everywhere(inner, {index: carried[0]})
        backward, results = loop.backward, loop.results[:width]
        return [*made, Loop(loop.count, backward, loop.initial, [], inner, results, place=loop.place)]

    def _condition(self, loop: Loop) -> list[Statement]:
        assert loop.condition is not None
        condition = Block([], loop.condition.statements, loop.condition.results)
        substitute_everywhere(condition, dict(zip(loop.condition.parameters, [loop.index, *loop.carried], strict=True)))
        statements = self._statements(condition, {})
        stop = Instruction(STOP, (condition.results[0], *loop.carried), {}, [], loop.place)
        return [*statements, stop]

    def _stack(self, stack: Variable, loop: Loop) -> Instruction:
        count = None if loop.condition is not None else loop.count
        shape = self._entry_shape(stack.type) if count is not None else None
        return Instruction(MAKE_STACK, (count, shape), {}, [stack], loop.place)

    def _entry_shape(self, kind: Type) -> tuple[Any, ...] | None:
        element = kind.element if isinstance(kind, StackType) else kind
        if not isinstance(element, ArrayType):
            return None
        extents = [self._extent(size) if isinstance(size, Size) else size for size in element.sizes]
        return None if None in extents else tuple(extents)

    def _extent(self, size: Size) -> Variable | None:
        if size not in self._named:
            if size.name not in self._axes:
                return None
            variable, axis, offset = self._axes[size.name]
            static = {"axis": axis, "offset": size.offset - offset}
            known = self._sizes.get((variable, axis, size.offset - offset))
            if known is not None:
                return known
            self._named[size] = result = Variable(f"{size}", _INT64, size)
            self._early.append(Instruction(PRIMITIVES["size"], (variable,), static, [result]))
        return self._named[size]


def _broadcast_number(statement: Statement) -> Any:
    """The number that a statement broadcasts to no axes."""
    if not isinstance(statement, Instruction) or statement.primitive.name != "broadcast_to":
        return None
    value, shape = statement.operands
    kind = statement.results[0].type
    if shape or not isinstance(kind, ArrayType):
        return None
    return value if isinstance(value, Variable) else np.asarray(value, kind.dtype)[()]


def _make_numbers(block: Block) -> None:
    """Put numbers in the place of constants that are arrays without axes."""

    def number(part: Any) -> Any:
        return part[()] if is_ndarray(part) and not part.ndim else part

    for statement in block.statements:
        map_statement(number, statement)
        for inner in blocks_of(statement):
            _make_numbers(inner)
    block.results = [map_operand(number, result) for result in block.results]


def _scattered(instruction: Instruction) -> list[Statement]:
    """Zeros, and a write into them."""
    value, index, shape = instruction.operands
    (result,) = instruction.results
    kind = result.type
    assert isinstance(kind, ArrayType)
    zeros = Variable(f"{result.name}_zeros", kind)
    primitive = PRIMITIVES["update" if picks_once(index) else "add_at"]
    return [
        Instruction(ZEROS, (shape,), {"dtype": kind.dtype}, [zeros], instruction.place),
        Instruction(primitive, (zeros, index, value), {}, [result], instruction.place),
    ]


def _filled(instruction: Instruction) -> Instruction:
    """An array of zeros, or of another constant, in the place of a constant that was broadcast."""
    value, shape = instruction.operands
    kind = instruction.results[0].type
    if isinstance(value, Variable) or np.ndim(value) or not shape or not isinstance(kind, ArrayType):
        return instruction
    static = {"dtype": kind.dtype}
    number: Any = np.asarray(value, kind.dtype)[()]
    if not number and not np.signbit(number.real):
        return Instruction(ZEROS, (shape,), static, instruction.results, instruction.place)
    return Instruction(FULL, (number, shape), static, instruction.results, instruction.place)


def picks_once(index: Any) -> bool:
    """Whether an index certainly picks no element twice: it has no arrays but masks."""
    return all(map(_part_picks_once, as_tuple(index)))


def _part_picks_once(part: Any) -> bool:
    if isinstance(part, Variable):
        kind = part.type
        return isinstance(kind, ArrayType) and (not kind.rank or kind.dtype.kind == "b")
    if is_ndarray(part):
        return not part.ndim or part.dtype.kind == "b"
    return part is None or part is Ellipsis or is_slice(part) or isinstance(part, (int, np.integer))
