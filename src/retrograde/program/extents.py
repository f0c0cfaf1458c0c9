"""Which axes have the same extent in every run, although only the run knows how large it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np

from retrograde.program.affine import Affine
from retrograde.program.integers import Integers, as_size, size
from retrograde.program.kinds import as_tuple, is_inexact, is_integer, is_slice, is_tuple
from retrograde.program.model import Branch, Instruction, Loop, Variable
from retrograde.program.places import extent_of_slice
from retrograde.program.structure import Structure
from retrograde.program.types import ArrayType, Size, type_of

_Axis = tuple[Variable, int]


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


@dataclass(frozen=True, slots=True)
class _Sum:
    """An extent that is a sum of loop indices, sizes and other integers."""

    constant: int
    terms: frozenset[tuple[Hashable, int]]

    def affine(self) -> Affine:
        """The sum to calculate with."""
        return Affine(self.constant, dict(self.terms))


class Extents:
    """Where the extents of a program's arrays come from.

    Each axis has a key: a size that is known, a sum of integers, a slice of an axis with a key, or where none of them
    is known the axis of the array at which the search ended. Axes with equal keys have the same extent.

    Args:
        structure: of the program.
        integers: what is known of its integers.
    """

    def __init__(self, structure: Structure, integers: Integers) -> None:
        self._structure = structure
        self._integers = integers
        self._keys: dict[_Axis, Hashable] = {}

    def key(self, variable: Variable, axis: int) -> Hashable:
        """Something that is equal for axes which certainly have the same extent."""
        assert isinstance(variable.type, ArrayType)
        size = variable.type.sizes[axis]
        if size is not None:
            return size
        where = (variable, axis)
        if where not in self._keys:
            self._keys[where] = where  # What a search that comes back here is told.
            self._keys[where] = self._search(variable, axis)
        return self._keys[where]

    def part_key(self, part: Any) -> Hashable:
        """The same for an extent in a shape that is an operand."""
        if not isinstance(part, Variable):
            return int(part)
        if part.extent is not None:
            return part.extent
        maker = self._structure.instruction(part)
        if maker is not None and maker.primitive.name == "size" and maker.static["offset"] == 0:
            return self.key(maker.operands[0], maker.static["axis"])
        value = self._integers.of(part)
        return None if value is None else _key_of(value)

    def has_shape(self, variable: Variable, shape: tuple[Any, ...]) -> bool:
        """Whether an array certainly has a shape that is an operand."""
        if not isinstance(variable.type, ArrayType) or variable.type.rank != len(shape):
            return False
        if any(is_integer(part) and part < 0 for part in shape):
            return False
        return all(self.part_key(part) == self.key(variable, axis) for axis, part in enumerate(shape))

    def same_shape(self, one: Variable, other: Variable) -> bool:
        """Whether two arrays certainly have the same shape."""
        if not isinstance(one.type, ArrayType) or not isinstance(other.type, ArrayType):
            return False
        return one.type.rank == other.type.rank and all(
            self.key(one, axis) == self.key(other, axis) for axis in range(one.type.rank)
        )

    def origins(self, variable: Variable, axis: int) -> Iterator[tuple[Variable, int | None]]:
        """Where else an extent can be read: axes of other arrays, or integers, for which the axis is None."""
        wanted = self.key(variable, axis)
        if isinstance(wanted, _Sum) and not wanted.constant and len(wanted.terms) == 1:
            yield from ((atom, None) for atom, factor in wanted.terms if isinstance(atom, Variable) and factor == 1)
        waiting, seen = [(variable, axis)], set[_Axis]()
        while waiting:
            where = waiting.pop()
            if where in seen or self.key(*where) != wanted:
                continue
            seen.add(where)
            yield where
            waiting += self._sources(*where)

    def _search(self, variable: Variable, axis: int) -> Hashable:
        maker = self._structure.maker(variable)
        if isinstance(maker, Instruction):
            found = self._of_result(maker, axis)
        elif isinstance(maker, Loop):
            found = self._of_loop(maker, variable, axis)
        elif isinstance(maker, Branch):
            at = maker.results.index(variable)
            sides = [self.of_operand(side.results[at], axis) for side in (maker.then, maker.otherwise)]
            found = sides[0] if sides[0] == sides[1] else None
        else:
            found = self._of_parameter(variable, axis)
        return (variable, axis) if found is None else found

    def of_operand(self, operand: Any, axis: int) -> Hashable:
        """The key of an axis of a variable or of a constant."""
        return self.key(operand, axis) if isinstance(operand, Variable) else np.shape(operand)[axis]

    def _of_loop(self, loop: Loop, variable: Variable, axis: int) -> Hashable | None:
        at = loop.results.index(variable)
        return self._unchanged(loop, at, axis) if at < len(loop.initial) else None

    def _of_parameter(self, variable: Variable, axis: int) -> Hashable | None:
        block = self._structure.block(variable)
        owner = None if block is None else self._structure.owner(block)
        if owner is None or not isinstance(owner[0], Loop):
            return None
        if variable in owner[0].elements:
            return self._of_element(owner[0], variable, axis)
        if variable not in owner[0].carried:
            return None
        return self._unchanged(owner[0], owner[0].carried.index(variable), axis)

    def _of_element(self, loop: Loop, variable: Variable, axis: int) -> Hashable | None:
        """The extent that a value had when it was collected, if that is a sum which depends on the iteration alone."""
        found = self._collected(loop.consumed[loop.elements.index(variable)], loop)
        if found is None or not isinstance(found[0], Variable) or found[0].type != variable.type:
            return None
        value, indices = found
        key = self.key(value, axis)
        if not isinstance(key, _Sum):
            return key if isinstance(key, (int, Size)) else None
        atoms = [atom for atom, _ in key.terms if isinstance(atom, Variable) and atom not in indices]
        inside = {around.index for atom in atoms for around in self._structure.loops_around(atom)}
        if not inside.isdisjoint(indices):
            return None
        return _key_of(
            key.affine().renamed(lambda atom: indices.get(atom, atom) if isinstance(atom, Variable) else atom)
        )

    def _collected(self, stack: Any, consumer: Loop) -> tuple[Any, dict[Variable, Variable]] | None:
        """What a stack was collected from, and for the indices of the loops that did so those of the loops that
        consume it."""
        maker = self._structure.maker(stack) if isinstance(stack, Variable) else None
        indices: dict[Variable, Variable] = {}
        if isinstance(stack, Variable) and maker is None:
            block = self._structure.block(stack)
            around = None if block is None else self._structure.owner(block)
            if around is None or not isinstance(around[0], Loop) or stack not in around[0].elements:
                return None
            found = self._collected(around[0].consumed[around[0].elements.index(stack)], around[0])
            if found is None or not isinstance(found[0], Variable):
                return None
            stack, indices = found
            maker = self._structure.maker(stack)
        if not isinstance(maker, Loop) or maker.results.index(stack) < len(maker.initial):
            return None
        return maker.body.results[maker.results.index(stack)], {**indices, maker.index: consumer.index}

    def _unchanged(self, loop: Loop, at: int, axis: int) -> Hashable | None:
        """The extent that a carried value begins with, if an iteration that begins with it hands it on."""
        where = (loop.carried[at], axis)
        begins = self.of_operand(loop.initial[at], axis)
        before = dict(self._keys)
        self._keys[where] = begins
        if self.of_operand(loop.body.results[at], axis) == begins:
            return begins
        self._keys = before
        self._keys[where] = where
        return None

    def _of_result(self, maker: Instruction, axis: int) -> Hashable | None:
        name = maker.primitive.name
        if name in ("broadcast_to", "sum_to", "reshape", "scatter"):
            part = as_tuple(maker.operands[-1])[axis]
            return None if is_integer(part) and part < 0 else self.part_key(part)
        if name == "getitem":
            return self._of_part(maker, axis)
        found = {self.of_operand(*source) for source in _aligned(maker, axis)}
        found.discard(1)
        return found.pop() if len(found) == 1 else None

    def _of_part(self, maker: Instruction, axis: int) -> Hashable | None:
        source = _sliced(maker, axis)
        if source is None:
            picked = _gathered(maker, axis)
            if picked is not None:
                return self.key(*picked)
            return 1 if _is_new_axis(maker, axis) else None
        array, at, part = source
        whole = self.key(array, at)
        if _is_everything(part):
            return whole
        known = whole.affine() if isinstance(whole, _Sum) else size(whole) if isinstance(whole, (int, Size)) else None
        if known is not None:
            loops = self._structure.loops_around(maker.results[0])
            extent = extent_of_slice(part, known, loops, self._integers)
            if extent is not None:
                return _key_of(extent)
        return (operand_key(part), whole)

    def _sources(self, variable: Variable, axis: int) -> list[_Axis]:
        """Axes of what an array is made of, that may have its extent."""
        maker = self._structure.maker(variable)
        found: list[tuple[Any, int]] = []
        if isinstance(maker, Instruction):
            source = (_sliced(maker, axis) or _gathered(maker, axis)) if maker.primitive.name == "getitem" else None
            found = [source[:2]] if source is not None else list(_aligned(maker, axis))
        elif isinstance(maker, Loop):
            at = maker.results.index(variable)
            found = [(maker.initial[at], axis)] if at < len(maker.initial) else []
        else:
            block = self._structure.block(variable)
            owner = None if block is None else self._structure.owner(block)
            if owner is not None and isinstance(owner[0], Loop) and variable in owner[0].carried:
                found = [(owner[0].initial[owner[0].carried.index(variable)], axis)]
        return [(operand, at) for operand, at in found if isinstance(operand, Variable)]


def _key_of(extent: Affine) -> Hashable:
    """A sum as a key: a number or a size if it is one."""
    known = as_size(extent)
    return _Sum(extent.constant, frozenset(extent.terms.items())) if known is None else known


def _aligned(maker: Instruction, axis: int) -> Iterator[tuple[Any, int]]:
    """The axes of operands that an axis of a result is broadcast from, or taken over from."""
    rule = _ALIGNED.get(maker.primitive.name, _of_elementwise if maker.primitive.elementwise else None)
    if rule is not None:
        yield from rule(maker, axis)


def _of_first(maker: Instruction, axis: int) -> Iterator[tuple[Any, int]]:
    yield maker.operands[0], axis


def _of_elementwise(maker: Instruction, axis: int) -> Iterator[tuple[Any, int]]:
    kind = maker.results[0].type
    assert isinstance(kind, ArrayType)
    for operand in maker.operands:
        known = operand.type if isinstance(operand, Variable) else type_of(operand)
        assert isinstance(known, ArrayType)
        rank = known.rank
        at = axis - (kind.rank - rank)
        if at >= 0:
            yield operand, at


def _of_contraction(maker: Instruction, axis: int) -> Iterator[tuple[Any, int]]:
    inputs, output = maker.static["subscripts"].split("->")
    for operand, letters in zip(maker.operands, inputs.split(","), strict=True):
        yield from ((operand, at) for at, letter in enumerate(letters) if letter == output[axis])


def _of_transpose(maker: Instruction, axis: int) -> Iterator[tuple[Any, int]]:
    yield maker.operands[0], maker.static["axes"][axis]


def _of_reduction(maker: Instruction, axis: int) -> Iterator[tuple[Any, int]]:
    if maker.static["keepdims"]:
        yield from () if axis in maker.static["axis"] else ((maker.operands[0], axis),)
        return
    left = (at for at in count() if at not in maker.static["axis"])
    yield maker.operands[0], next(islice(left, axis, None))


_ALIGNED: dict[str, Callable[[Instruction, int], Iterator[tuple[Any, int]]]] = {
    "update": _of_first,
    "add_at": _of_first,
    "astype": _of_first,
    "where": _of_elementwise,
    "einsum": _of_contraction,
    "transpose": _of_transpose,
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all"), _of_reduction),
}


def _sliced(maker: Instruction, axis: int) -> tuple[Variable, int, slice[Any, Any, Any]] | None:
    """The array, the axis of it and the slice that an axis of a part comes from."""
    array, index = maker.operands
    parts = as_tuple(index)
    if not isinstance(array, Variable) or not isinstance(array.type, ArrayType) or not all(map(_is_plain, parts)):
        return None
    parts = (*parts, *[slice(None)] * (array.type.rank - sum(part is not None for part in parts)))
    at, made = 0, -1
    for part in parts:
        made += part is None or is_slice(part)
        if made == axis and (part is None or is_slice(part)):
            return None if part is None else (array, at, part)
        at += part is not None
    return None


def _gathered(maker: Instruction, axis: int) -> tuple[Variable, int] | None:
    """The axis that an axis of `array[places]` comes from: one of the places, or of the array."""
    array, places = maker.operands
    if not isinstance(array, Variable) or not isinstance(places, Variable) or not isinstance(places.type, ArrayType):
        return None
    rank = places.type.rank
    if not rank or places.type.dtype.kind not in "iu":
        return None
    return (places, axis) if axis < rank else (array, axis - rank + 1)


def _is_new_axis(maker: Instruction, axis: int) -> bool:
    parts = as_tuple(maker.operands[1])
    if not all(map(_is_plain, parts)):
        return False
    made = [part for part in parts if part is None or is_slice(part)]
    return axis < len(made) and made[axis] is None


def _is_everything(part: slice[Any, Any, Any]) -> bool:
    return part.start is None and part.stop is None and part.step is None


def _is_plain(part: Any) -> bool:
    if isinstance(part, Variable):
        return isinstance(part.type, ArrayType) and not part.type.rank and part.type.dtype.kind in "iu"
    return part is None or is_slice(part) or is_integer(part)
