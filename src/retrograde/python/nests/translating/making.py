"""Primitives that make an array: of a rule for its elements, or of the parts of others."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrograde.python.lowering.model import Apply
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import cast, choose
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, remapped
from retrograde.python.nests.parts.model import Constant, Scalar, Spelled, Whole
from retrograde.python.nests.translating.translator import Translator

TRUTH = np.dtype(bool)


def zeros(translator: Translator, extents: Indices, dtype: np.dtype) -> Field:
    """A new array of zeros."""
    made = translator.allocate(extents, dtype)
    translator.fill(made, Field(extents, dtype, lambda _: Constant(dtype.type(0), dtype)))
    return made


def lazy_zeros(translator: Translator, expression: Apply) -> Field:
    extents = tuple(translator.index(extent) for extent in expression.operands[0])
    dtype = expression.type.dtype
    return Field(extents, dtype, lambda _: Constant(dtype.type(0), dtype))


def full(translator: Translator, expression: Apply) -> Field:
    value = translator.field(expression.operands[0])
    extents = tuple(translator.index(extent) for extent in expression.operands[1])
    scalar = translator.let(cast(value.at(()), expression.type.dtype))
    return Field(extents, expression.type.dtype, lambda _: scalar)


def arange(translator: Translator, expression: Apply) -> Field:
    extents = tuple(translator.index(extent) for extent in expression.operands[0])
    dtype = expression.type.dtype
    return Field(extents, dtype, lambda indices: cast(Whole(indices[0]), dtype))


def eye(translator: Translator, expression: Apply) -> Field:
    extents = tuple(translator.index(extent) for extent in expression.operands[0])
    k, dtype = expression.static["k"], expression.type.dtype

    def at(indices: Indices) -> Scalar:
        on = Spelled("({0} == 0)", (Whole(indices[1] - indices[0] - k),), TRUTH, 1)
        return choose(on, Constant(dtype.type(1), dtype), Constant(dtype.type(0), dtype))

    return Field(extents, dtype, at, cost=1)


def triangle(lower: bool) -> Callable[[Translator, Apply], Field]:
    def translate(translator: Translator, expression: Apply) -> Field:
        field = translator.field(expression.operands[0])
        k = expression.static["k"]

        def at(indices: Indices) -> Scalar:
            difference = indices[-2] + k - indices[-1] if lower else indices[-1] - indices[-2] - k
            inside = Spelled("({0} >= 0)", (Whole(difference),), TRUTH, 1)
            return choose(inside, field.at(indices), Constant(field.dtype.type(0), field.dtype))

        return Field(field.extents, field.dtype, at, cost=field.cost + 1)

    return translate


def concatenate(translator: Translator, expression: Apply) -> Field:
    axis, dtype = expression.static["axis"], expression.type.dtype
    fields = [translator.field(operand) for operand in expression.operands]
    axis %= fields[0].rank
    for other in fields[1:]:
        for at, pair in enumerate(zip(fields[0].extents, other.extents, strict=True)):
            if at != axis:
                translator.same(*pair)
    total = affine(0)
    for field in fields:
        total = total + field.extents[axis]
    made = translator.allocate((*fields[0].extents[:axis], total, *fields[0].extents[axis + 1 :]), dtype)
    start = affine(0)
    for field in fields:
        translator.fill(_shifted(made, field.extents, axis, start), field)
        start = start + field.extents[axis]
    return made


def _shifted(field: Field, extents: Indices, axis: int, start: Affine) -> Field:
    return remapped(
        field,
        extents,
        lambda indices: tuple(index + start if at == axis else index for at, index in enumerate(indices)),
    )


def stack(translator: Translator, expression: Apply) -> Field:
    dtype = expression.type.dtype
    fields = [translator.field(operand) for operand in expression.operands]
    axis = expression.static["axis"] % (fields[0].rank + 1)
    for other in fields[1:]:
        for pair in zip(fields[0].extents, other.extents, strict=True):
            translator.same(*pair)
    extents = (*fields[0].extents[:axis], affine(len(fields)), *fields[0].extents[axis:])
    made = translator.allocate(extents, dtype)
    for at, field in enumerate(fields):
        place = affine(at)
        target = remapped(made, field.extents, lambda indices, place=place: (*indices[:axis], place, *indices[axis:]))
        translator.fill(target, field)
    return made


def roll(translator: Translator, expression: Apply) -> Field:
    """Two parts, each of which moves as it is."""
    field = translator.field(expression.operands[0])
    axis = expression.static["axis"]
    if isinstance(axis, tuple) and len(axis) == 1:
        (axis,) = axis
    shift = expression.operands[1]
    shift = shift[0] if isinstance(shift, tuple) and len(shift) == 1 else shift
    if axis is None or isinstance(axis, tuple) or isinstance(shift, tuple):
        raise Demoted("a roll along several axes has no form for Numba")
    axis %= field.rank
    size = field.extents[axis]
    amount = translator.index(shift)
    name = translator.fresh("p")
    translator.line(f"{name} = ({amount}) % {size} if {size} > 0 else 0", {*amount.names, *size.names}, {name})
    translator.facts.lower[name], translator.facts.upper[name] = affine(0), size
    moved = variable(name)
    field = translator.cheap(field)
    made = translator.allocate(field.extents, field.dtype)

    def part(extent: Affine, target: Affine, source: Affine) -> None:
        extents = (*field.extents[:axis], extent, *field.extents[axis + 1 :])
        translator.fill(_shifted(made, extents, axis, target), _shifted(field, extents, axis, source))

    part(moved, affine(0), size - moved)
    part(size - moved, moved, affine(0))
    return made
