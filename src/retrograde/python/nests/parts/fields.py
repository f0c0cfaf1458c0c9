"""Arrays as functions of their indices: memory, views of memory, and what is computed element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.model import Element, Scalar

Indices: TypeAlias = tuple[Affine, ...]


def place(axis: int) -> str:
    """The variable that stands for the index along an axis in the indices of a `Memory`."""
    return f"#{axis}"


@dataclass(frozen=True, slots=True)
class Memory:
    """Where the elements of a view are in an array variable of the text.

    Attributes:
        array: the variable.
        indices: the index along each axis of that array, by the view's own indices (`place`).
        whole: whether it is certainly all of the array, as it lies there.
    """

    array: str
    indices: Indices
    whole: bool = False

    def at(self, indices: Indices) -> Indices:
        """The indices in the array of an element of the view."""
        values = {place(axis): index for axis, index in enumerate(indices)}
        return tuple(index.put(values) for index in self.indices)


@dataclass(frozen=True, slots=True)
class Field:
    """An array as a function of indices.

    Attributes:
        extents: how long its axes are.
        dtype: of its elements.
        at: the element at indices that are inside.
        memory: where it lies, if it is memory as it is.
        cost: of an element, in additions; 0 for one that is only read.
        weak: whether it is a Python number.
    """

    extents: Indices
    dtype: np.dtype[Any]
    at: Callable[[Indices], Scalar]
    memory: Memory | None = None
    cost: int = 0
    weak: bool = False

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.extents)


def memory_field(memory: Memory, extents: Indices, dtype: np.dtype[Any]) -> Field:
    """Memory as a field."""

    def at(indices: Indices) -> Scalar:
        return Element(memory.array, memory.at(indices), dtype)

    return Field(extents, dtype, at, memory)


def whole_array(array: str, extents: Indices, dtype: np.dtype[Any]) -> Field:
    """An array variable of the text as a field."""
    indices = tuple(variable(place(axis)) for axis in range(len(extents)))
    return memory_field(Memory(array, indices, whole=True), extents, dtype)


def remapped(field: Field, extents: Indices, inward: Callable[[Indices], Indices]) -> Field:
    """A field whose elements are those of another at other indices: a slice, a transpose, a broadcast.

    Args:
        field: the other.
        extents: of the result.
        inward: the other's indices, by those of the result.
    """
    memory = None
    if field.memory is not None:
        indices = inward(tuple(variable(place(axis)) for axis in range(len(extents))))
        memory = Memory(field.memory.array, field.memory.at(indices))

    def at(indices: Indices) -> Scalar:
        return field.at(inward(indices))

    return Field(extents, field.dtype, at, memory, field.cost, field.weak)


def broadcast(field: Field, extents: Indices) -> Field:
    """A field with leading axes added, and axes of size 1 made as long as they are wanted. The others have to fit."""
    lead = len(extents) - field.rank
    one = affine(1)

    def inward(indices: Indices) -> Indices:
        pairs = zip(field.extents, extents[lead:], indices[lead:], strict=True)
        return tuple(affine(0) if own == one != wide else index for own, wide, index in pairs)

    return remapped(field, extents, inward)
