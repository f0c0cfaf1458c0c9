"""Masks: the elements where an array is true, one after the other."""

from __future__ import annotations

from typing import Any

from retrograde.python.nests.elements.scalars import cast
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices
from retrograde.python.nests.parts.model import Nest, Spelled, Step, Store, Whole, elements_in, names_read
from retrograde.python.nests.printing import scalar_text
from retrograde.python.nests.translating.combining import over
from retrograde.python.nests.translating.translator import INT64, Translator


def is_masked(parts: list[Any], extents: Indices) -> bool:
    """Whether an index is one mask for the first axes, and takes all of the others."""
    from retrograde.python.nests.translating.indexing import Mask
    from retrograde.python.nests.translating.writing import is_all

    mask, *others = parts
    if not isinstance(mask, Mask) or len(others) != len(extents) - mask.field.rank:
        return False
    return all(map(is_all, others, extents[mask.field.rank :]))


def counted(translator: Translator, mask: Field) -> Affine:
    """How many elements of a mask are true."""
    name = translator.fresh("count")
    translator.line(f"{name} = 0", (), {name})
    with over(translator, mask.extents) as indices:
        truth = mask.at(indices)
        text, reads = _text(truth)
        with translator.inside(f"if {text}:", reads):
            translator.line(f"{name} += 1", {name}, {name})
    translator.facts.lower[name] = affine(0)
    return variable(name)


def _text(scalar: Any) -> tuple[str, set[str]]:
    return scalar_text(scalar), set(names_read(scalar))


def compressed(translator: Translator, field: Field, parts: list[Any]) -> Field:
    """The elements where a mask is true."""
    mask: Field = parts[0].field
    number = counted(translator, mask)
    rest = field.extents[mask.rank :]
    made = translator.allocate((number, *rest), field.dtype)
    assert made.memory is not None

    def step(indices: Indices, place: Affine, inner: Indices) -> list[Step]:
        assert made.memory is not None
        return [Store(made.memory.array, made.memory.at((place, *inner)), field.at((*indices, *inner)), field.dtype)]

    _where_true(translator, mask, rest, step)
    return made


def places_of(translator: Translator, mask: Field) -> list[Field]:
    """Along each axis of a mask the indices where it is true."""
    number = counted(translator, mask)
    made = [translator.allocate((number,), INT64) for _ in mask.extents]

    def step(indices: Indices, place: Affine, inner: Indices) -> list[Step]:
        assert not inner
        memories = [field.memory for field in made if field.memory is not None]
        return [
            Store(memory.array, memory.at((place,)), Whole(index), INT64)
            for memory, index in zip(memories, indices, strict=True)
        ]

    _where_true(translator, mask, (), step)
    return made


def _where_true(translator: Translator, mask: Field, rest: Indices, step: Any) -> None:
    place = translator.fresh("place")
    translator.line(f"{place} = 0", (), {place})
    translator.facts.lower[place] = affine(0)
    with over(translator, mask.extents) as indices:
        text, reads = _text(mask.at(indices))
        with translator.inside(f"if {text}:", reads):
            loops = translator.loops(len(rest))
            inner = tuple(map(variable, loops))
            translator.out.append(Nest(loops, list(rest), step(indices, variable(place), inner), free=False))
            translator.line(f"{place} += 1", {place}, {place})


def write_compressed(translator: Translator, target: Field, parts: list[Any], value: Field, by: str) -> None:
    """`x[mask] = array`, which has an element for each place where the mask is true."""
    mask: Field = parts[0].field
    rest = target.extents[mask.rank :]
    number = counted(translator, mask)
    from retrograde.python.nests.translating.writing import fitted

    value = fitted(translator, value, (number, *rest))
    probe = tuple(variable(f"#{axis}") for axis in range(value.rank))
    assert target.memory is not None
    base = translator.base_of(target.memory.array)
    if any(translator.base_of(element.array) == base for element in elements_in(value.at(probe))):
        value = translator.materialized(value)
    memory = target.memory

    def step(indices: Indices, place: Affine, inner: Indices) -> list[Step]:
        element = cast(value.at((place, *inner)), target.dtype)
        return [Store(memory.array, memory.at((*indices, *inner)), element, target.dtype, by)]

    _where_true(translator, mask, rest, step)


__all__ = ["INT64", "Spelled", "compressed", "counted", "is_masked", "places_of", "write_compressed"]
