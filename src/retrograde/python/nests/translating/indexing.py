"""Indices: what is in brackets as a map from the indices of the result to those of the array."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.program.kinds import as_tuple, is_slice
from retrograde.python.lowering.model import Expression
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import cast
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast, remapped
from retrograde.python.nests.parts.model import Check, Constant, Let, Local, Scalar, Spelled, Step, Whole
from retrograde.python.nests.translating.translator import INT64, Translator

_OUTSIDE = "an index is not inside its array"


@dataclass(frozen=True, slots=True)
class Pick:
    """One index for an axis: the same for all elements of the result."""

    index: Affine


@dataclass(frozen=True, slots=True)
class Range:
    """A slice of an axis."""

    start: Affine
    step: int
    extent: Affine


@dataclass(frozen=True, slots=True)
class New:
    """An axis of size 1."""


@dataclass(frozen=True, slots=True)
class Table:
    """Indices from an integer array."""

    field: Field
    size: Affine


@dataclass(frozen=True, slots=True)
class Mask:
    """The places where an array is true, for as many axes as it has."""

    field: Field


PartOfIndex = Pick | Range | New | Table | Mask


def parts_of(translator: Translator, extents: Indices, index: Expression) -> list[PartOfIndex]:
    """What an index does to each axis.

    Raises:
        Demoted: it has a part with no form for Numba.
    """
    given = as_tuple(index)
    fields = [None if _is_plain(part) else translator.field(part) for part in given]
    taken = sum(_taken(part, field) for part, field in zip(given, fields, strict=True))
    if not any(part is Ellipsis for part in given):
        given, fields = (*given, Ellipsis), [*fields, None]
    parts: list[PartOfIndex] = []
    axis = 0
    for part, field in zip(given, fields, strict=True):
        if part is Ellipsis:
            for _ in range(len(extents) - taken):
                parts.append(Range(affine(0), 1, extents[axis]))
                axis += 1
        elif part is None:
            parts.append(New())
        elif is_slice(part):
            parts.append(_range(translator, part, extents[axis]))
            axis += 1
        elif field is not None and field.rank and field.dtype.kind == "b":
            for own, size in zip(field.extents, extents[axis:], strict=False):
                translator.same(own, size)
            parts.append(Mask(translator.cheap(field)))
            axis += field.rank
        elif field is not None and field.rank:
            parts.append(Table(translator.cheap(field), extents[axis]))
            axis += 1
        else:
            parts.append(Pick(inside(translator, translator.index(part), extents[axis])))
            axis += 1
    return parts


def _is_plain(part: Any) -> bool:
    return part is None or part is Ellipsis or is_slice(part) or isinstance(part, (int, np.integer))


def _taken(part: Any, field: Field | None) -> int:
    if part is None or part is Ellipsis:
        return 0
    return field.rank if field is not None and field.rank and field.dtype.kind == "b" else 1


def inside(translator: Translator, index: Affine, size: Affine) -> Affine:
    """An index counted from the front, which is certainly inside an axis: where that takes the run, it checks."""
    facts = translator.facts
    if index.is_constant and index.constant < 0:
        index = index + size
    if facts.inside(index, size):
        return index
    if facts.never_negative(index):
        translator.check(f"{index} >= {size}", (index, size), "IndexError", _OUTSIDE, index)
        return index
    found = translator.named(f"{index} if {index} >= 0 else {index} + {size}", (index, size))
    condition = f"{found} < 0 or {found} >= {size}"
    translator.check(condition, (found, size), "IndexError", _OUTSIDE, found)
    return found


def _range(translator: Translator, part: Any, size: Affine) -> Range:
    step = 1 if part.step is None else part.step
    if not isinstance(step, (int, np.integer)):
        raise Demoted("the step of a slice is no constant")
    step = int(step)
    if step < 0:
        return _descending(translator, part, size, step)
    start = _bound(translator, part.start, size, affine(0))
    stop = _bound(translator, part.stop, size, size)
    length = stop - start
    if step == 1:
        return Range(start, 1, _not_negative(translator, length))
    return Range(start, step, _quotient(translator, length + (step - 1), step))


def _descending(translator: Translator, part: Any, size: Affine, step: int) -> Range:
    """`x[start:stop:-step]`: it runs from start down to behind stop; without them over all of the axis."""
    start = (
        size - 1 if part.start is None else _at_most(translator, _from_front(translator, part.start, size), size - 1)
    )
    stop = affine(-1) if part.stop is None else _from_front(translator, part.stop, size)
    length = start - stop
    if step == -1:
        return Range(start, -1, _not_negative(translator, length))
    return Range(start, step, _quotient(translator, length + (-step - 1), -step))


def _bound(translator: Translator, bound: Any, size: Affine, default: Affine) -> Affine:
    if bound is None:
        return default
    front = _from_front(translator, bound, size)
    return _at_most(translator, front, size)


def _from_front(translator: Translator, bound: Any, size: Affine) -> Affine:
    value = translator.index(bound)
    facts = translator.facts
    if value.is_constant and value.constant < 0:
        value = value + size
        if facts.never_negative(value):
            return value
        return _named(translator, f"max({value}, 0)", value, size)
    if facts.never_negative(value):
        return value
    return _named(translator, f"{value} if {value} >= 0 else max({value} + {size}, 0)", value, size)


def _at_most(translator: Translator, value: Affine, limit: Affine) -> Affine:
    if translator.facts.never_negative(limit - value):
        return value
    found = _named(translator, f"min({value}, {limit})", value, limit)
    if found.names:
        translator.facts.upper[found.names[0]] = limit
    return found


def _not_negative(translator: Translator, length: Affine) -> Affine:
    """An extent may stay negative in a nest, which then does nothing; only what is asked for its size may not."""
    if translator.facts.never_negative(length) or _is_near(length):
        return length
    return _named(translator, f"max({length}, 0)", length)


def _is_near(length: Affine) -> bool:
    """Whether it is a size less a few elements, which is almost never negative and where it is does no harm."""
    return len(length.terms) == 1 and length.terms[0][1] == 1


def _quotient(translator: Translator, length: Affine, step: int) -> Affine:
    if length.is_constant:
        return affine(max(length.constant // step, 0))
    return _named(translator, f"max(({length}) // {step}, 0)", length)


def _named(translator: Translator, text: str, *involved: Affine) -> Affine:
    if all(value.is_constant for value in involved):
        return affine(int(eval(text, {"max": max, "min": min})))
    return translator.named(text, involved)


def is_basic(parts: list[PartOfIndex]) -> bool:
    """Whether each element of the result is one of memory, at a place that is known without reading arrays."""
    return not any(isinstance(part, (Table, Mask)) for part in parts)


def sliced(field: Field, parts: list[PartOfIndex]) -> Field:
    """A field at a basic index: a view."""
    extents = tuple(
        affine(1) if isinstance(part, New) else part.extent for part in parts if isinstance(part, (New, Range))
    )

    def inward(indices: Indices) -> Indices:
        coming = iter(indices)
        found: list[Affine] = []
        for part in parts:
            if isinstance(part, Pick):
                found.append(part.index)
            elif isinstance(part, Range):
                found.append(next(coming).times(part.step) + part.start)
            else:
                next(coming)
        return tuple(found)

    return remapped(field, extents, inward)


def _places(translator: Translator, mask: Mask) -> list[Table]:
    from retrograde.python.nests.translating.selecting import places_of

    return list(map(Table, places_of(translator, mask.field), mask.field.extents))


@dataclass(slots=True)
class Gather:
    """An index with integer arrays: how elements are found in loops over the result.

    Attributes:
        extents: of the result.
        steps: for given indices of the result, what finds the indices of the array, and those indices.
    """

    translator: Translator
    parts: list[PartOfIndex]
    extents: Indices
    tables: list[Field]
    first: int
    width: int

    def steps(self, indices: Indices) -> tuple[list[Step], Indices]:
        """What finds the indices of the array for an element of the result, and these."""
        steps: list[Step] = []
        inner = indices[self.first : self.first + self.width]
        outer = iter((*indices[: self.first], *indices[self.first + self.width :]))
        tables = iter(self.tables)
        found: list[Affine] = []
        for part in self.parts:
            if isinstance(part, Pick):
                found.append(part.index)
            elif isinstance(part, Range):
                found.append(next(outer).times(part.step) + part.start)
            elif isinstance(part, New):
                next(outer)
            elif isinstance(part, Table):
                found.append(looked_up(self.translator, next(tables).at(inner), part.size, steps))
        return steps, tuple(found)


def looked_up(translator: Translator, value: Scalar, size: Affine, steps: list[Step]) -> Affine:
    """An index of an axis that is read from an array; steps are added that find it, and check that it is inside."""
    raw, name = translator.fresh("p"), translator.fresh("p")
    steps.append(Let(raw, cast(value, INT64)))
    local = Local(raw, INT64)
    steps.append(
        Let(name, Spelled("({0} + {1} if {0} < 0 else {0})", (local, Whole(size)), INT64, 1, True)),
    )
    front = Local(name, INT64)
    outside = Spelled("({0} < 0 or {0} >= {1})", (front, Whole(size)), np.dtype(bool), 1, True)
    steps.append(Check(outside, f"IndexError({_OUTSIDE!r})"))
    return variable(name)


def gather_of(translator: Translator, parts: list[PartOfIndex]) -> Gather:
    """An index with integer arrays; a mask in it stands for the places where it is true."""
    parts = [each for part in parts for each in (_places(translator, part) if isinstance(part, Mask) else [part])]
    tables = [part.field for part in parts if isinstance(part, Table)]
    shape = translator.together(*(table.extents for table in tables))
    wide = [broadcast(table, shape) for table in tables]
    picks = [at for at, part in enumerate(parts) if isinstance(part, (Table, Pick))]
    together = picks[-1] - picks[0] == len(picks) - 1
    axes = [part for part in parts if isinstance(part, (Range, New))]
    first = sum(isinstance(part, (Range, New)) for part in parts[: picks[0]]) if together else 0
    outer = [affine(1) if isinstance(part, New) else part.extent for part in axes]
    extents = (*outer[:first], *shape, *outer[first:])
    return Gather(translator, parts, extents, wide, first, len(shape))


__all__ = [
    "Constant",
    "Gather",
    "Mask",
    "Pick",
    "Range",
    "Table",
    "gather_of",
    "inside",
    "is_basic",
    "looked_up",
    "parts_of",
    "sliced",
]
