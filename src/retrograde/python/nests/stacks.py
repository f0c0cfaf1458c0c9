"""Stacks: of entries of one known shape as one array, of others one behind the other in a growing array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.model import Entry, Expression, Keep, MakeStack, Name
from retrograde.python.nests.affine import Affine, affine, variable
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.fields import Field, Indices, remapped, whole_array
from retrograde.python.nests.model import Element, Nest, Scalar, Store
from retrograde.python.nests.scalars import cast, dtype_text
from retrograde.python.nests.translator import INT64, Translator
from retrograde.python.nests.writing import fitted

_FIRST_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class Ragged:
    """The variables of a stack whose entries differ in size.

    Attributes:
        data: the elements of all entries, in the order in which they were kept.
        used: how many elements that is.
        table: for each entry where it begins, and its extents.
        room: whether the number of entries is known, so that the table need not grow.
    """

    data: str
    used: str
    table: str
    room: bool


def depth_of(kind: StackType) -> tuple[int, ArrayType]:
    """How many stacks are inside each other, and what the innermost is of."""
    depth, element = 1, kind.element
    while isinstance(element, StackType):
        depth, element = depth + 1, element.element
    return depth, element


def make_stack(translator: Translator, action: MakeStack) -> None:
    """Room for the entries."""
    assert isinstance(action.stack.type, StackType)
    depth, element = depth_of(action.stack.type)
    text = translator.texts[action.stack]
    shape = None if action.shape is None else tuple(translator.index(extent) for extent in action.shape)
    if shape is None and not element.rank and depth == 1:
        shape = ()
    if shape is not None and action.count is not None:
        count = translator.index(action.count)
        translator.allocate(tuple(map(translator.lasting, (count, *shape))), element.dtype, text)
        return
    if shape is not None:
        shape = tuple(map(translator.lasting, shape))
        _growing(translator, text, shape, element)
        return
    if depth > 1:
        raise Demoted("a stack of stacks of unknown size has no form for Numba")
    _ragged(translator, action, text, element)


def _growing(translator: Translator, text: str, shape: Indices, element: ArrayType) -> None:
    names = {name for extent in shape for name in extent.names}
    extents = ", ".join(map(translator.size_text, shape))
    translator.line(f"{text} = np.empty(({_FIRST_ENTRIES}, {extents}), {dtype_text(element.dtype)})", names, {text})
    translator.growing[text] = shape


def _ragged(translator: Translator, action: MakeStack, text: str, element: ArrayType) -> None:
    ragged = Ragged(*(translator.fresh(f"{text}_{part}") for part in ("data", "used", "table")), action.count is not None)
    translator.ragged[action.stack] = ragged
    count = str(_FIRST_ENTRIES) if action.count is None else str(translator.index(action.count))
    names = set() if action.count is None else set(translator.index(action.count).names)
    translator.line(f"{ragged.data} = np.empty({_FIRST_ENTRIES}, {dtype_text(element.dtype)})", (), {ragged.data})
    translator.line(f"{ragged.used} = 0", (), {ragged.used})
    translator.line(f"{ragged.table} = np.empty(({count}, {1 + element.rank}), np.int64)", names, {ragged.table})


def keep(translator: Translator, action: Keep) -> None:
    """Copy a value into a stack."""
    index = translator.index(action.index)
    assert isinstance(action.stack.type, StackType)
    if action.stack in translator.ragged:
        _keep_ragged(translator, translator.ragged[action.stack], index, translator.field(action.value))
        return
    text = translator.texts[action.stack]
    if text in translator.growing:
        _grow(translator, text, index)
    target = _sub(stack_field(translator, action.stack), index)
    value = _value(translator, action.value)
    translator.fill(target, fitted(translator, value, target.extents))


def _value(translator: Translator, value: Expression) -> Field:
    if isinstance(value, Name) and isinstance(value.type, StackType):
        return stack_field(translator, value)
    return translator.field(value)


def stack_field(translator: Translator, stack: Name) -> Field:
    """A stack of equal entries as an array with an axis in front."""
    if stack in translator.views:
        return translator.views[stack]
    if stack in translator.ragged:
        raise Demoted("a stack of unequal entries is used as a whole")
    assert isinstance(stack.type, StackType)
    text = translator.texts[stack]
    depth, element = depth_of(stack.type)
    if text in translator.growing:
        name = translator.fresh(f"{text}_0")
        translator.line(f"{name} = {text}.shape[0]", {text}, {name})
        translator.facts.lower[name] = affine(0)
        return whole_array(text, (variable(name), *translator.growing[text]), element.dtype)
    extents = translator.extents.get(text)
    if extents is None or len(extents) != depth + element.rank:
        raise Demoted("a stack that is made elsewhere is used")
    return whole_array(text, extents, element.dtype)


def _sub(field: Field, index: Affine) -> Field:
    return remapped(field, field.extents[1:], lambda indices: (index, *indices))


def entry_field(translator: Translator, entry: Entry) -> Field:
    """An entry of a stack."""
    index = translator.lasting(translator.index(entry.index))
    if entry.stack in translator.ragged:
        return _ragged_entry(translator, translator.ragged[entry.stack], index, entry)
    return _sub(stack_field(translator, entry.stack), index)


def _grow(translator: Translator, text: str, index: Affine) -> None:
    with translator.inside(f"if {index} >= {text}.shape[0]:", {*index.names, text}):
        bigger = translator.fresh(f"{text}_bigger")
        translator.line(
            f"{bigger} = np.empty((2 * ({index}) + 2,) + {text}.shape[1:], {text}.dtype)", {text, *index.names}, {bigger}
        )
        translator.line(f"{bigger}[:{text}.shape[0]] = {text}", {text, bigger}, {bigger})
        translator.line(f"{text} = {bigger}", {bigger}, {text})


def _keep_ragged(translator: Translator, ragged: Ragged, index: Affine, value: Field) -> None:
    _grow_if_full(translator, ragged, index, value)
    used = translator.fresh("p")
    translator.line(f"{used} = {ragged.used}", {ragged.used}, {used})
    translator.facts.lower[used] = affine(0)
    heads = [variable(used), *value.extents]
    stores = [
        Store(ragged.table, (index, affine(at)), _whole(head), INT64) for at, head in enumerate(heads)
    ]
    translator.out.append(Nest([], [], list(stores), free=False))
    loops = translator.loops(value.rank)
    indices = tuple(map(variable, loops))
    place = _place(translator, variable(used), indices, value.extents)
    element = cast(value.at(indices), value.dtype)
    translator.nest(value.extents, [Store(ragged.data, (place,), element, value.dtype)], loops)
    size = _product(value.extents)
    names = {name for extent in value.extents for name in extent.names}
    translator.line(f"{ragged.used} = {used} + {size}", {used, *names}, {ragged.used})


def _whole(value: Affine) -> Scalar:
    from retrograde.python.nests.model import Whole

    return Whole(value)


def _product(extents: Indices) -> str:
    return " * ".join(f"max({extent}, 0)" for extent in extents) or "1"


def _place(translator: Translator, start: Affine, indices: Indices, extents: Indices) -> Affine:
    """Where an element of an entry is. Of several axes all but one have to be of known size."""
    place, stride = start, 1
    for index, extent in reversed(list(zip(indices, extents, strict=True))):
        place = place + index.times(stride)
        if extent is not extents[0] and not extent.is_constant:
            raise Demoted("a stack of matrices of unequal sizes has no form for Numba")
        stride *= extent.constant if extent.is_constant else 1
    return place


def _grow_if_full(translator: Translator, ragged: Ragged, index: Affine, value: Field) -> None:
    names = {name for extent in value.extents for name in extent.names}
    size = _product(value.extents)
    need = f"{ragged.used} + {size}"
    with translator.inside(f"if {need} > {ragged.data}.shape[0]:", {ragged.used, ragged.data, *names}):
        bigger = translator.fresh(f"{ragged.data}_bigger")
        translator.line(
            f"{bigger} = np.empty(2 * ({need}), {ragged.data}.dtype)", {ragged.used, ragged.data, *names}, {bigger}
        )
        translator.line(
            f"{bigger}[:{ragged.used}] = {ragged.data}[:{ragged.used}]", {ragged.used, ragged.data, bigger}, {bigger}
        )
        translator.line(f"{ragged.data} = {bigger}", {bigger}, {ragged.data})
    if not ragged.room:
        _grow(translator, ragged.table, index)


def _ragged_entry(translator: Translator, ragged: Ragged, index: Affine, entry: Entry) -> Field:
    assert isinstance(entry.type, ArrayType)
    heads = [
        translator.let(Element(ragged.table, (index, affine(at)), INT64), "p") for at in range(1 + entry.type.rank)
    ]
    start, *extents = (variable(head.name) for head in heads)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    for value in (start, *extents):
        translator.facts.lower[value.names[0]] = affine(0)
    known = tuple(
        own if static is None else static
        for own, static in zip(extents, map(translator.extent, entry.type.sizes), strict=True)
    )

    def at(indices: Indices) -> Scalar:
        return Element(ragged.data, (_place(translator, start, indices, known),), entry.type.dtype)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]

    return Field(known, np.dtype(entry.type.dtype), at)
