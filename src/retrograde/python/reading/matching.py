"""Sizes that have to go together for a program to run: they are taken to do so, which tells its types apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retrograde.program.kinds import as_tuple, is_ndarray, is_slice
from retrograde.program.model import Block, Instruction, Program, Variable, blocks_of
from retrograde.program.types import ArrayType, Extent, Size
from retrograde.python.reading.assumptions import Assumptions

_FAR = 8
"""A bound of a slice that differs from the size of its axis by more says nothing of it."""


def match_sizes(program: Program, assumptions: Assumptions, numbers: Mapping[str, int]) -> bool:
    """Take note of sizes that are broadcast together, and of those that bound slices of each other's axes.

    Returns:
        Whether there is news, so that the function is worth reading again.
    """
    news = False
    for instruction in _instructions(program.block):
        for one, other, exact in (*_broadcast(instruction), *_bounds(instruction)):
            news = _matched(one, other, exact, assumptions, numbers) or news
    return news


def _matched(one: Extent, other: Extent, exact: bool, assumptions: Assumptions, numbers: Mapping[str, int]) -> bool:
    if isinstance(one, int):
        one, other = other, one
    if not isinstance(one, Size):
        return False
    values = assumptions.value_of(one, numbers), assumptions.value_of(other, numbers)
    if values[0] is None or values[1] is None or (exact and values[0] != values[1]):
        return False
    if not isinstance(other, Size):
        base = values[0] - one.offset
        fresh = exact and other is not None and base in assumptions.names and base not in assumptions.sizes
        assumptions.sizes.update({base} if fresh else ())
        return fresh
    difference = (values[1] - other.offset) - (values[0] - one.offset)
    near = exact or abs(difference) <= _FAR
    return near and one.name != other.name and assumptions.tie(Size(one.name), Size(other.name), difference)


def _instructions(block: Block) -> Iterator[Instruction]:
    for statement in block.statements:
        if isinstance(statement, Instruction):
            yield statement
        for inner in blocks_of(statement):
            yield from _instructions(inner)


def _broadcast(instruction: Instruction) -> Iterator[tuple[Extent, Extent, bool]]:
    """Pairs of sizes that are on one axis, neither of them 1."""
    if not instruction.primitive.elementwise:
        return
    shapes = [sizes[::-1] for sizes in map(_sizes, instruction.operands)]
    for axis in range(max(map(len, shapes), default=0)):
        extents = [sizes[axis] for sizes in shapes if len(sizes) > axis and sizes[axis] not in (1, None)]
        for extent in extents[1:]:
            if extent != extents[0]:
                yield extents[0], extent, True


def _bounds(instruction: Instruction) -> Iterator[tuple[Extent, Extent, bool]]:
    """Sizes that bound a slice of an axis, with the size of that axis."""
    if "index" not in instruction.primitive.operands or not instruction.operands:
        return
    parts = as_tuple(instruction.operands[instruction.primitive.operands.index("index")])
    if any(not (is_slice(part) or isinstance(part, (int, Variable))) for part in parts):
        return
    for part, size in zip(parts, _sizes(instruction.operands[0]), strict=False):
        if is_slice(part) and isinstance(size, Size):
            for bound in (part.start, part.stop):
                if isinstance(bound, Variable) and isinstance(bound.extent, Size) and bound.extent.name != size.name:
                    yield size, bound.extent, False


def _sizes(operand: Any) -> tuple[Extent, ...]:
    if is_ndarray(operand):
        return operand.shape
    kind = operand.type if isinstance(operand, Variable) else None
    return kind.sizes if isinstance(kind, ArrayType) else ()
