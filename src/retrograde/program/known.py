"""What is known of operands when an instruction is made: for type rules, and of the integers that are sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.kinds import as_tuple, is_integer, is_slice, is_tuple
from retrograde.program.model import Variable, map_operand
from retrograde.program.types import Extent, Size, type_of


def known_of(name: str, operand: Any) -> Any:
    """What a type rule is told of an operand with a name."""
    if name == "shape":
        return tuple(part.extent if isinstance(part, Variable) else part for part in operand)
    if name == "index":
        parts = tuple(
            _known_slice(part) if is_slice(part) else map_operand(_known_part, part) for part in as_tuple(operand)
        )
        return parts if is_tuple(operand) else parts[0]
    return map_operand(_known_part, operand)


def _known_slice(part: slice) -> slice:
    """A slice, with sizes in place of the integers that are sizes."""
    return map_operand(lambda bound: (isinstance(bound, Variable) and bound.extent) or _known_part(bound), part)


def moved_extent(name: str, one: Any, other: Any) -> Extent:
    """The size that an integer is which was made by adding a constant to a size."""
    if name == "add" and is_integer(one):
        one, other = other, one
    if isinstance(one, Variable) and isinstance(one.extent, Size) and is_integer(other):
        moved = int(other)
        return Size(one.extent.name, one.extent.offset + (moved if name == "add" else -moved))
    return None


def _known_part(part: Any) -> Any:
    if isinstance(part, Variable):
        return part.type
    return type_of(part) if isinstance(part, (np.ndarray, np.generic)) else part
