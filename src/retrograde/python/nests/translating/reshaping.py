"""Primitives that show the elements of an array in another shape or order."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.python.lowering.model import Apply
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast, remapped, whole_array
from retrograde.python.nests.translating.making import zeros
from retrograde.python.nests.translating.translator import Translator


def transposed(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    axes = tuple(axis % field.rank for axis in expression.static["axes"])

    def inward(indices: Indices) -> Indices:
        return tuple(indices[axes.index(axis)] for axis in range(field.rank))

    return remapped(field, tuple(field.extents[axis] for axis in axes), inward)


def broadcast_to(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    shape = tuple(translator.index(extent) for extent in expression.operands[1])
    for own, wide in zip(field.extents, shape[len(shape) - field.rank :], strict=True):
        if own != affine(1):
            translator.same(own, wide)
    if field.cost > 1:
        field = translator.materialized(field) if field.rank else _kept(translator, field)
    wide_field = broadcast(field, shape)
    # What is repeated lies in memory, but not as an array of its own.
    return Field(wide_field.extents, wide_field.dtype, wide_field.at, None, wide_field.cost)


def _kept(translator: Translator, field: Field) -> Field:
    value = translator.let(field.at(()))
    return Field((), field.dtype, lambda _: value)


def reshape(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    wanted = _wanted_shape(translator, field, expression.operands[1])
    ones = affine(1)
    if [extent for extent in field.extents if extent != ones] == [extent for extent in wanted if extent != ones]:
        return _with_other_ones(field, wanted)
    return reshaped(translator, field, wanted)


def _wanted_shape(translator: Translator, field: Field, shape: object) -> Indices:
    asked = list(shape) if isinstance(shape, (tuple, list)) else [shape]
    free = [at for at, extent in enumerate(asked) if isinstance(extent, (int, np.integer)) and extent == -1]
    extents = [affine(0) if at in free else translator.index(extent) for at, extent in enumerate(asked)]
    if not free:
        _check_size(translator, field, tuple(extents))
        return tuple(extents)
    others = [extent for at, extent in enumerate(extents) if at not in free]
    own = list(field.extents)
    for extent in others:
        if extent in own:
            own.remove(extent)
        elif extent != affine(1):
            own = []
            break
    if len(others) < len(field.extents) and own and all(map(_is_one, own[1:])):
        extents[free[0]] = own[0]
        return tuple(extents)
    extents[free[0]] = _left_over(translator, field.extents, others)
    return tuple(extents)


def _is_one(extent: Affine) -> bool:
    return extent == affine(1)


def _product_text(extents: list[Affine] | Indices) -> str:
    return " * ".join(f"({extent})" for extent in extents) or "1"


def _left_over(translator: Translator, own: Indices, others: list[Affine]) -> Affine:
    if all(extent.is_constant for extent in (*own, *others)):
        total = int(np.prod([extent.constant for extent in own]))
        return affine(total // max(1, int(np.prod([extent.constant for extent in others]))))
    name = translator.fresh("p")
    names = {each for extent in (*own, *others) for each in extent.names}
    over = f" // ({_product_text(others)})" if others else ""
    translator.line(f"{name} = ({_product_text(own)}){over}", names, {name})
    translator.facts.lower[name] = affine(0)
    return variable(name)


def _check_size(translator: Translator, field: Field, extents: Indices) -> None:
    key = sorted(map(str, (extent for extent in extents if not _is_one(extent))))
    if key == sorted(map(str, (extent for extent in field.extents if not _is_one(extent)))):
        return
    if all(extent.is_constant for extent in (*extents, *field.extents)):
        return
    condition = f"{_product_text(extents)} != {_product_text(field.extents)}"
    translator.check(
        condition, (*extents, *field.extents), "ValueError", "a reshape would change the number of elements"
    )


def _with_other_ones(field: Field, wanted: Indices) -> Field:
    one = affine(1)
    places = [at for at, extent in enumerate(wanted) if extent != one]

    def inward(indices: Indices) -> Indices:
        coming = iter([indices[at] for at in places])
        return tuple(affine(0) if extent == one else next(coming) for extent in field.extents)

    return remapped(field, wanted, inward)


def reshaped(translator: Translator, field: Field, wanted: Indices) -> Field:
    """The same elements in order in another shape: as a second name for an array's memory."""
    array = translator.as_array_variable(field)
    name = translator.fresh(f"{array}_reshaped")
    shape = ", ".join(map(str, wanted))
    reads = {array, *(each for extent in wanted for each in extent.names)}
    translator.line(f"{name} = {array}.reshape(({shape}{',' if len(wanted) == 1 else ''}))", reads, {name})
    translator.alias(name, array)
    translator.extents[name] = wanted
    return whole_array(name, wanted, field.dtype)


def diagonal(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    offset, one, other = (expression.static[name] for name in ("offset", "axis1", "axis2"))
    one, other = one % field.rank, other % field.rank
    length = _diagonal_length(translator, field.extents[one], field.extents[other], offset)
    kept = [axis for axis in range(field.rank) if axis not in (one, other)]

    def inward(indices: Indices) -> Indices:
        found = dict(zip(kept, indices, strict=False))
        found[one], found[other] = indices[-1] + max(-offset, 0), indices[-1] + max(offset, 0)
        return tuple(found[axis] for axis in range(field.rank))

    return remapped(field, (*(field.extents[axis] for axis in kept), length), inward)


def _diagonal_length(translator: Translator, rows: Affine, columns: Affine, offset: int) -> Affine:
    rows, columns = rows + min(offset, 0), columns - max(offset, 0)
    if translator.facts.never_negative(columns - rows):
        return rows
    if translator.facts.never_negative(rows - columns):
        return columns
    name = translator.fresh("p")
    translator.line(f"{name} = max(min({rows}, {columns}), 0)", {*rows.names, *columns.names}, {name})
    translator.facts.lower[name] = affine(0)
    return variable(name)


def from_diagonal(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    extents = tuple(translator.index(extent) for extent in expression.operands[1])
    offset, one, other = (expression.static[name] for name in ("offset", "axis1", "axis2"))
    one, other = one % len(extents), other % len(extents)
    made = zeros(translator, extents, field.dtype)
    length = _diagonal_length(translator, extents[one], extents[other], offset)
    kept = [axis for axis in range(len(extents)) if axis not in (one, other)]

    def inward(indices: Indices) -> Indices:
        found = dict(zip(kept, indices, strict=False))
        found[one], found[other] = indices[-1] + max(-offset, 0), indices[-1] + max(offset, 0)
        return tuple(found[axis] for axis in range(len(extents)))

    target = remapped(made, (*(extents[axis] for axis in kept), length), inward)
    translator.fill(target, broadcast(field, target.extents))
    return made
