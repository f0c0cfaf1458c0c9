"""Writes into arrays: nests that store, with a temporary where the value reads what is written at other places."""

from __future__ import annotations

from typing import Any

from retrograde.python.lowering.model import Expression
from retrograde.python.nests.elements.combinations import combined
from retrograde.python.nests.elements.scalars import cast, choose
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast, remapped
from retrograde.python.nests.parts.model import Element, Scalar, Store, elements_in
from retrograde.python.nests.translating.indexing import PartOfIndex, gather_of, is_basic, parts_of, sliced
from retrograde.python.nests.translating.selecting import is_masked, write_compressed
from retrograde.python.nests.translating.translator import Translator


def write_into(translator: Translator, target: Field, index: Expression, value: Field, adding: bool) -> None:
    """`target[index] = value`, or `+=`; the value is evaluated before the write.

    Raises:
        Demoted: it has no form for Numba.
    """
    parts = parts_of(translator, target.extents, index)
    by = "+" if adding else ""
    if is_basic(parts):
        _store(translator, sliced(target, parts), value, by)
    elif is_masked(parts, target.extents):
        _write_masked(translator, target, parts, value, by)
    else:
        _scatter(translator, target, parts, value, by)


def _store(translator: Translator, target: Field, value: Field, by: str) -> None:
    value = fitted(translator, value, target.extents)
    translator.fill(target, apart(translator, target, value), by, free=True)


def fitted(translator: Translator, value: Field, extents: Indices) -> Field:
    """A value as wide as what it is written into; NumPy drops leading axes of size 1."""
    extra = value.rank - len(extents)
    if extra > 0:
        for extent in value.extents[:extra]:
            translator.same(extent, affine(1))
        value = remapped(value, value.extents[extra:], lambda indices: (affine(0),) * extra + indices)
    for own, wide in zip(value.extents, extents[len(extents) - value.rank :], strict=True):
        if own != affine(1):
            translator.same(wide, own)
    if value.cost > 1 and value.rank < len(extents):
        value = translator.materialized(value) if value.rank else _number(translator, value)
    return broadcast(value, extents)


def _number(translator: Translator, field: Field) -> Field:
    scalar = translator.let(field.at(()))
    return Field((), field.dtype, lambda _: scalar, weak=field.weak)


def apart(translator: Translator, target: Field, value: Field) -> Field:
    """A value that reads of what is written only the elements at the same place; else it goes into a temporary."""
    assert target.memory is not None
    probe = tuple(variable(f"#{axis}") for axis in range(target.rank))
    own = target.memory.at(probe)
    base = translator.base_of(target.memory.array)
    for element in elements_in(value.at(probe)):
        if translator.base_of(element.array) == base and not _is_harmless(translator, target, own, element):
            return translator.materialized(value) if value.rank else _number(translator, value)
    return value


def _is_harmless(translator: Translator, target: Field, own: Indices, element: Element) -> bool:
    assert target.memory is not None
    if element.array != target.memory.array:
        return False
    if element.indices == own:
        return all(any(index.factor(f"#{axis}") for index in own) for axis in range(target.rank))
    return any(never_equal(translator, one, other) for one, other in zip(own, element.indices, strict=True))


def never_equal(translator: Translator, one: Affine, other: Affine) -> bool:
    """Whether two indices are different in any pair of iterations, the loops' variables being `#0`, `#1`, …"""
    if any(name.startswith("#") for index in (one, other) for name in index.names):
        return False
    difference = one - other
    facts = translator.facts
    return facts.never_negative(difference - 1) or facts.never_negative(difference.times(-1) - 1)


def _write_masked(translator: Translator, target: Field, parts: list[Any], value: Field, by: str) -> None:
    """`x[mask] = number`: everywhere, what was there where the mask is false."""
    mask: Field = parts[0].field
    if value.rank:
        write_compressed(translator, target, parts, value, by)
        return
    value = _number(translator, value)
    width = mask.rank

    def at(indices: Indices) -> Scalar:
        present = target.at(indices)
        coming = cast(value.at(()), target.dtype)
        if by:
            coming = combined(by, present, coming)
        return choose(mask.at(indices[:width]), coming, present)

    field = Field(target.extents, target.dtype, at, cost=2)
    translator.fill(target, apart(translator, target, field))


def is_all(part: object, extent: Affine) -> bool:
    """Whether a part of an index takes all of an axis."""
    from retrograde.python.nests.translating.indexing import Range

    return isinstance(part, Range) and part.start == affine(0) and part.step == 1 and part.extent == extent


def _scatter(translator: Translator, target: Field, parts: list[PartOfIndex], value: Field, by: str) -> None:
    """At integer arrays, one after the other: of several writes to a place the last one stays, and sums add up."""
    gather = gather_of(translator, parts)
    value = fitted(translator, value, gather.extents)
    base = translator.base_of(target.memory.array) if target.memory else ""
    probe = tuple(variable(f"#{axis}") for axis in range(len(gather.extents)))
    found = [*elements_in(value.at(probe))]
    for table in gather.tables:
        found += elements_in(table.at(tuple(variable("#t") for _ in table.extents)))
    if any(translator.base_of(element.array) == base for element in found):
        value = translator.materialized(value)
        gather.tables = [translator.materialized(table) for table in gather.tables]
    loops = translator.loops(len(gather.extents))
    indices = tuple(map(variable, loops))
    steps, place = gather.steps(indices)
    assert target.memory is not None
    element = cast(value.at(indices), target.dtype)
    store = Store(target.memory.array, target.memory.at(place), element, target.dtype, by)
    translator.nest(gather.extents, [*steps, store], loops, free=False)
