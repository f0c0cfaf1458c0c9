"""Which axes have the same extent in every run, although only the run knows how large it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from retrograde.program.kinds import as_tuple, is_inexact, is_integer, is_slice, is_tuple
from retrograde.program.model import Instruction, Variable
from retrograde.program.types import ArrayType

MakerOf = Callable[[Variable], Instruction | None]


def operand_key(operand: Any) -> Hashable:
    """Something that is equal for operands which are certainly the same."""
    if isinstance(operand, Variable):
        return operand
    if is_tuple(operand):
        return tuple(map(operand_key, operand))
    if is_slice(operand):
        return ("slice", operand_key(operand.start), operand_key(operand.stop), operand_key(operand.step))
    if isinstance(operand, (np.ndarray, list)):
        return ("object", id(operand))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(operand, (float, complex)) or is_inexact(operand):
        return (type(operand), repr(operand))
    if isinstance(operand, Hashable):
        return (type(operand), operand)
    return ("object", id(operand))


def extent_key(variable: Variable, axis: int, maker_of: MakerOf) -> Hashable:
    """Something that is equal for axes which certainly have the same extent.

    Args:
        variable: an array.
        axis: one of its axes, from 0.
        maker_of: the instruction that sets a variable, if it is known.
    """
    assert isinstance(variable.type, ArrayType)
    size = variable.type.sizes[axis]
    if size is not None:
        return size
    maker = maker_of(variable)
    found = None if maker is None else _of_result(maker, axis, variable.type.rank, maker_of)
    return (variable, axis) if found is None else found


def part_key(part: Any, maker_of: MakerOf) -> Hashable:
    """The same for an extent in a shape that is an operand."""
    if not isinstance(part, Variable):
        return int(part)
    if part.extent is not None:
        return part.extent
    maker = maker_of(part)
    if maker is not None and maker.primitive.name == "size" and maker.static["offset"] == 0:
        return extent_key(maker.operands[0], maker.static["axis"], maker_of)
    return ("value", part)


def same_shape(variable: Variable, shape: tuple[Any, ...], maker_of: MakerOf) -> bool:
    """Whether an array certainly has a shape that is an operand."""
    if not isinstance(variable.type, ArrayType) or variable.type.rank != len(shape):
        return False
    return all(
        part_key(part, maker_of) == extent_key(variable, axis, maker_of)
        for axis, part in enumerate(shape)
        if not (isinstance(part, int) and part == -1)
    ) and not any(isinstance(part, int) and part == -1 for part in shape)


def _of_result(maker: Instruction, axis: int, rank: int, maker_of: MakerOf) -> Hashable | None:
    name = maker.primitive.name
    if name in ("update", "add_at"):
        return extent_key(maker.operands[0], axis, maker_of) if isinstance(maker.operands[0], Variable) else None
    if name in ("broadcast_to", "sum_to", "reshape", "scatter"):
        part = as_tuple(maker.operands[-1])[axis]
        return None if isinstance(part, int) and part < 0 else part_key(part, maker_of)
    if name == "getitem":
        return _of_part(maker, axis, maker_of)
    if name == "einsum":
        return _of_contraction(maker, axis, maker_of)
    if maker.primitive.elementwise:
        return _of_elementwise(maker, axis, rank, maker_of)
    return None


def _of_part(maker: Instruction, axis: int, maker_of: MakerOf) -> Hashable | None:
    array, index = maker.operands
    parts = as_tuple(index)
    if not isinstance(array, Variable) or not isinstance(array.type, ArrayType) or not all(map(_is_plain, parts)):
        return None
    parts = (*parts, *[slice(None)] * (array.type.rank - len(parts)))
    kept = [(at, part) for at, part in enumerate(parts) if is_slice(part)]
    at, part = kept[axis]
    whole = extent_key(array, at, maker_of)
    return whole if part == slice(None) else (operand_key(part), whole)


def _is_plain(part: Any) -> bool:
    if isinstance(part, Variable):
        return isinstance(part.type, ArrayType) and not part.type.rank and part.type.dtype.kind in "iu"
    return is_slice(part) or is_integer(part)


def _of_contraction(maker: Instruction, axis: int, maker_of: MakerOf) -> Hashable | None:
    inputs, output = maker.static["subscripts"].split("->")
    found: set[Hashable] = set()
    for operand, letters in zip(maker.operands, inputs.split(","), strict=True):
        for at, letter in enumerate(letters):
            if letter == output[axis]:
                known = isinstance(operand, Variable)
                found.add(extent_key(operand, at, maker_of) if known else np.shape(operand)[at])
    found.discard(1)
    return found.pop() if len(found) == 1 else None


def _of_elementwise(maker: Instruction, axis: int, rank: int, maker_of: MakerOf) -> Hashable | None:
    found: set[Hashable] = set()
    for operand in maker.operands:
        if isinstance(operand, Variable):
            assert isinstance(operand.type, ArrayType)
            at = axis - (rank - operand.type.rank)
            if at >= 0:
                found.add(extent_key(operand, at, maker_of))
        elif np.ndim(operand) > rank - 1 - axis:
            found.add(np.shape(operand)[axis - rank])
    found.discard(1)
    return found.pop() if len(found) == 1 else None
