"""Elements that arrays of indices name along an axis, and which of the writes at an index stay."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.python.lowering.model import Apply
from retrograde.python.nests.elements.scalars import cast
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast
from retrograde.python.nests.parts.model import Constant, Element, Scalar, Spelled, Step, Store, Whole
from retrograde.python.nests.translating.indexing import gather_of, is_basic, looked_up, parts_of, sliced
from retrograde.python.nests.translating.making import zeros
from retrograde.python.nests.translating.translator import INT64, Translator

_TRUTH = np.dtype(bool)


def take_along_axis(translator: Translator, expression: Apply) -> Field:
    """For each place the element at the index there along an axis."""
    axis = expression.static["axis"]
    field, picks = (translator.cheap(translator.field(operand)) for operand in expression.operands)
    size = field.extents[axis]
    extents = translator.together(_with(field.extents, axis, affine(1)), _with(picks.extents, axis, affine(1)))
    field = broadcast(field, _with(extents, axis, size))
    picks = broadcast(picks, _with(extents, axis, picks.extents[axis]))
    made = translator.allocate(picks.extents, field.dtype)
    assert made.memory is not None
    loops = translator.loops(made.rank)
    indices = tuple(map(variable, loops))
    steps: list[Step] = []
    place = _with(indices, axis, looked_up(translator, picks.at(indices), size, steps))
    steps.append(Store(made.memory.array, made.memory.at(indices), field.at(place), field.dtype))
    translator.nest(picks.extents, steps, loops)
    return made


def add_along_axis(translator: Translator, expression: Apply) -> Field:
    """Zeros, with each element added at the index that is given for it along an axis."""
    axis, dtype = expression.static["axis"], expression.type.dtype
    value, picks, shape = expression.operands
    picks, value = translator.field(picks), translator.field(value)
    extents = tuple(translator.index(extent) for extent in shape)
    wide = translator.together(value.extents, _with(extents, axis, affine(1)), picks.extents)
    value, picks = broadcast(value, wide), broadcast(picks, wide)
    made = zeros(translator, extents, dtype)
    assert made.memory is not None
    loops = translator.loops(made.rank)
    indices = tuple(map(variable, loops))
    steps: list[Step] = []
    place = _with(indices, axis, looked_up(translator, picks.at(indices), extents[axis], steps))
    steps.append(Store(made.memory.array, made.memory.at(place), cast(value.at(indices), dtype), dtype, "+"))
    translator.nest(wide, steps, loops, free=False)
    return made


def _with(extents: Indices, axis: int, other: Affine) -> Indices:
    return (*extents[:axis], other, *extents[axis + 1 :])


def last_writes(translator: Translator, expression: Apply) -> Field:
    """Which of the values written at an index are there in the end: each place remembers who wrote it last."""
    index, shape = expression.operands
    extents = tuple(translator.index(extent) for extent in shape)
    parts = parts_of(translator, extents, index)
    if is_basic(parts):
        true = Constant(np.True_, _TRUTH)
        return Field(sliced(Field(extents, _TRUTH, lambda _: true), parts).extents, _TRUTH, lambda _: true)
    gather = gather_of(translator, parts)
    gather.tables = [translator.cheap(table) for table in gather.tables]
    owner = translator.allocate(extents, INT64)
    assert owner.memory is not None
    loops = translator.loops(len(gather.extents))
    indices = tuple(map(variable, loops))
    steps, place = gather.steps(indices)
    array = owner.memory.array
    turn = _turn(gather.extents, indices)
    translator.nest(gather.extents, [*steps, Store(array, place, turn, INT64)], loops, free=False)
    made = translator.allocate(gather.extents, _TRUTH)
    assert made.memory is not None
    loops = translator.loops(len(gather.extents))
    indices = tuple(map(variable, loops))
    steps, place = gather.steps(indices)
    is_last = Spelled("({0} == {1})", (Element(array, place, INT64), _turn(gather.extents, indices)), _TRUTH, 1)
    translator.nest(gather.extents, [*steps, Store(made.memory.array, made.memory.at(indices), is_last, _TRUTH)], loops)
    return made


def _turn(extents: Indices, indices: Indices) -> Scalar:
    """The number of an element in C order."""
    turn: Scalar = Constant(np.int64(0), INT64)
    for at, (extent, index) in enumerate(zip(extents, indices, strict=True)):
        turn = Spelled("({0} * {1} + {2})", (turn, Whole(extent), Whole(index)), INT64, 2) if at else Whole(index)
    return turn
