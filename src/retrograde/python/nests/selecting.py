"""Masks: the elements where an array is true, one after the other."""

from __future__ import annotations

from typing import Any

from retrograde.python.nests.affine import Affine, affine, variable
from retrograde.python.nests.combining import over
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.fields import Field, Indices
from retrograde.python.nests.model import Nest, Spelled, Step, Store, elements_in, names_read
from retrograde.python.nests.scalars import cast
from retrograde.python.nests.translator import INT64, Translator


def is_masked(parts: list[Any]) -> bool:
    """Whether an index is one mask for all axes it is given for, and nothing else."""
    from retrograde.python.nests.indexing import Mask

    return sum(isinstance(part, Mask) for part in parts) == 1


def _only_mask(parts: list[Any], extents: Indices) -> Field:
    from retrograde.python.nests.indexing import Mask
    from retrograde.python.nests.writing import is_all

    masks = [part for part in parts if isinstance(part, Mask)]
    if len(masks) != 1 or parts[0] is not masks[0]:
        raise Demoted("an index has a mask beside other parts")
    rest = extents[masks[0].field.rank :]
    if not all(is_all(part, extent) for part, extent in zip(parts[1:], rest, strict=True)):
        raise Demoted("an index has a mask beside other parts")
    return masks[0].field


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
    from retrograde.python.nests.printing import scalar_text

    return scalar_text(scalar), set(names_read(scalar))


def compressed(translator: Translator, field: Field, parts: list[Any]) -> Field:
    """The elements where a mask is true."""
    mask = _only_mask(parts, field.extents)
    number = counted(translator, mask)
    rest = field.extents[mask.rank :]
    made = translator.allocate((number, *rest), field.dtype)
    assert made.memory is not None

    def step(indices: Indices, place: Affine, inner: Indices) -> list[Step]:
        assert made.memory is not None
        return [Store(made.memory.array, made.memory.at((place, *inner)), field.at((*indices, *inner)), field.dtype)]

    _where_true(translator, mask, rest, step)
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
    mask = _only_mask(parts, target.extents)
    rest = target.extents[mask.rank :]
    number = counted(translator, mask)
    from retrograde.python.nests.writing import fitted

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


__all__ = ["INT64", "Spelled", "compressed", "counted", "is_masked", "write_compressed"]
