"""Stacks as arrays.

A stack whose entries have one known shape is an array with an axis in front, and so is a stack of such stacks. Where
shapes or numbers are not known beforehand, entries follow each other in arrays that grow: the innermost stacks have the
elements, those around them say where in the next level each of their entries begins. An inner stack is filled where it
is going to be kept, and keeping it copies nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.model import Bind, Entry, Expression, Keep, MakeStack, Name
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import dtype_text
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, remapped, whole_array
from retrograde.python.nests.parts.model import Constant, Element, Local, Nest, Store, Whole
from retrograde.python.nests.translating.translator import INT64, Translator
from retrograde.python.nests.translating.writing import fitted

_FIRST_ENTRIES = 64

Maker: TypeAlias = MakeStack | Bind
"""What makes a stack; a `Bind` makes an empty one."""


@dataclass(eq=False, slots=True)
class Level:
    """The entries of all stacks of one depth, one behind the other.

    Attributes:
        array: the variable that holds them: elements, or rows of numbers that say where they are.
        used: the variable that says how many there are.
    """

    array: str
    used: str


@dataclass(eq=False, slots=True)
class Storage:
    """The variables of a stack that grows, and of those inside it.

    Attributes:
        levels: outermost first.
        element: the type of what the innermost stacks are of.
        shape: the extents of an element, if they are known.
        data: where the elements are, if their extents are not known; the innermost level then says where.
    """

    levels: list[Level]
    element: ArrayType
    shape: Indices | None
    data: Level | None

    @property
    def held(self) -> list[Level]:
        """Everything that holds something."""
        return [*self.levels, *([] if self.data is None else [self.data])]


@dataclass(frozen=True, slots=True)
class Growing:
    """A stack as part of a storage.

    Attributes:
        storage: shared with the stacks around it.
        level: which of its levels has the stack's entries.
        base: where in the level they begin.
    """

    storage: Storage
    level: int
    base: Affine


@dataclass(eq=False, slots=True)
class Stacks:
    """What is known of a procedure's stacks.

    Attributes:
        around: what makes a stack that is kept in another one, that other, and at which index.
        joined: the stacks that are made at several places, or are empty at some, and what makes each.
        shared: of stacks of residuals the stack of states in whose array they are, and how many slots that has.
        growing: the stacks that are part of a storage.
        forms: of the joined ones the extents of an entry, where they are arrays, or else what they are part of.
        listed: the stacks that are lists of Python's.
        hollow: the names of arrays that have one element where a branch has nothing to keep.
        bases: of the joined ones that are kept in others the variable that says where they begin.
    """

    around: list[tuple[Maker, Name, Expression]]
    joined: dict[Name, list[Maker]]
    shared: dict[Name, tuple[Name, Name]] = field(default_factory=dict[Name, "tuple[Name, Name]"])
    growing: dict[Name, Growing] = field(default_factory=dict[Name, Growing])
    forms: dict[Name, Indices | Storage] = field(default_factory=dict[Name, "Indices | Storage"])
    bases: dict[Name, str] = field(default_factory=dict[Name, str])
    listed: set[Name] = field(default_factory=set[Name])
    hollow: set[Name] = field(default_factory=set[Name])

    def outside(self, maker: Maker) -> tuple[Name, Expression] | None:
        """The stack that one is going to be kept in, and at which index."""
        return next(((other, index) for made, other, index in self.around if made is maker), None)


def depth_of(kind: StackType) -> tuple[int, ArrayType]:
    """How many stacks are inside each other, and what the innermost is of."""
    depth, element = 1, kind.element
    while isinstance(element, StackType):
        depth, element = depth + 1, element.element
    if not isinstance(element, ArrayType):
        raise Demoted("a stack of schedules has no form for Numba")
    return depth, element


def make_stack(translator: Translator, action: MakeStack) -> None:
    """Room for the entries."""
    assert isinstance(action.stack.type, StackType)
    stack, stacks = action.stack, translator.stacks
    _, element = depth_of(action.stack.type)
    outer = stacks.outside(action)
    if outer is not None and outer[0] in stacks.growing:
        stacks.growing[stack] = inside(translator, stacks.growing[outer[0]], translator.fresh("base"))
        return
    if outer is not None and _fits_into(translator, action, *outer):
        translator.views[stack] = _sub(stack_field(translator, outer[0]), translator.index(outer[1]))
        return
    shape = known_shape(translator, action)
    if shape is not None and stack in stacks.shared and stacks.shared[stack][0] not in stacks.listed:
        translator.views[stack] = _from_behind(translator, action, shape)
        return
    if shape is not None and action.count is not None:
        count = translator.index(action.count)
        translator.allocate((count, *shape), element.dtype, translator.texts[stack])
        return
    stacks.growing[stack] = Growing(_new_storage(translator, action), 0, affine(0))


def _from_behind(translator: Translator, action: MakeStack, shape: Indices) -> Field:
    """The slots of another stack, counted from the last."""
    states, room = translator.stacks.shared[action.stack]
    last = translator.index(room) - 1
    extents = (translator.index(action.count), *shape)
    return remapped(stack_field(translator, states), extents, lambda indices: (last - indices[0], *indices[1:]))


def known_shape(translator: Translator, action: MakeStack) -> Indices | None:
    """The extents of a stack's entries, if they are known where it is made."""
    assert isinstance(action.stack.type, StackType)
    depth, element = depth_of(action.stack.type)
    if action.shape is not None:
        return tuple(translator.index(extent) for extent in action.shape)
    if depth > 1:
        return shape_of_inner(translator, action.stack)
    return element_shape(translator, element)


def shape_of_inner(translator: Translator, stack: Name) -> Indices | None:
    """The number of entries that each of the stacks in a stack has, and their shape, if they are known beforehand."""
    shapes = {_given_shape(translator, made) for made, outer, _ in translator.stacks.around if outer is stack}
    return shapes.pop() if len(shapes) == 1 else None


def _given_shape(translator: Translator, maker: Maker) -> Indices | None:
    """The number of entries of a stack and their shape, if the arguments alone say them."""
    if not isinstance(maker, MakeStack) or maker.count is None or maker.slots:
        return None
    count, shape = translator.whole_of(maker.count), known_shape(translator, maker)
    if count is None or shape is None or not all(map(translator.is_given, (count, *shape))):
        return None
    return (count, *shape)


def element_shape(translator: Translator, element: ArrayType) -> Indices | None:
    """The extents of what the innermost stacks are of, if they are known beforehand."""
    found = [extent for size in element.sizes if (extent := translator.extent(size)) is not None]
    return tuple(found) if len(found) == element.rank else None


def _fits_into(translator: Translator, action: MakeStack, outer: Name, index: Expression) -> bool:
    """Whether a stack can be filled right where it is going to be kept."""
    if action.count is None or outer in translator.stacks.growing:
        return False
    place = translator.whole_of(index)
    if place is None or translator.is_unstable(place):
        return False
    around = translator.extents.get(translator.texts[outer])
    return around is not None and around[1] == translator.index(action.count)


def _new_storage(translator: Translator, action: MakeStack) -> Storage:
    assert isinstance(action.stack.type, StackType)
    depth, element = depth_of(action.stack.type)
    outer = translator.stacks.outside(action)
    by_type = depth > 1 or (outer is not None and outer[0] in translator.stacks.listed)
    shape = element_shape(translator, element) if by_type else known_shape(translator, action)
    if shape is None and depth > 1 and action.shape is not None:
        shape = tuple(translator.index(extent) for extent in action.shape[-element.rank :]) if element.rank else ()
    shape = None if shape is None else tuple(map(translator.lasting, shape))
    storage = storage_of(translator, action.stack, shape)
    start_storage(translator, storage)
    return storage


def storage_of(translator: Translator, stack: Name, shape: Indices | None) -> Storage:
    """Variables for a stack that grows; they hold nothing yet."""
    assert isinstance(stack.type, StackType)
    depth, element = depth_of(stack.type)
    text = translator.texts[stack]

    def level(hint: str) -> Level:
        return Level(translator.fresh(hint), translator.fresh(f"{hint}_used"))

    levels = [level(f"{text}_starts") for _ in range(depth - 1)]
    if shape is not None:
        return Storage([*levels, level(text)], element, shape, None)
    return Storage([*levels, level(f"{text}_rows")], element, None, level(f"{text}_data"))


def start_storage(translator: Translator, storage: Storage) -> None:
    """Levels without entries."""
    *outer, last = storage.levels
    for level in outer:
        _start(translator, level, "", "np.int64")
    dtype = dtype_text(storage.element.dtype)
    if storage.shape is not None:
        extents = "".join(f", {translator.size_text(extent)}" for extent in storage.shape)
        _start(translator, last, extents, dtype, {name for extent in storage.shape for name in extent.names})
        return
    assert storage.data is not None
    _start(translator, last, f", {1 + storage.element.rank}", "np.int64")
    _start(translator, storage.data, "", dtype)


def _start(translator: Translator, level: Level, extents: str, dtype: str, names: set[str] | None = None) -> None:
    translator.line(f"{level.array} = np.empty(({_FIRST_ENTRIES}{extents or ','}), {dtype})", names or (), level.array)
    translator.line(f"{level.used} = 0", (), level.used)


def inside(translator: Translator, outer: Growing, base: str) -> Growing:
    """A new stack behind those that the level inside of a stack has.

    Args:
        translator: where the code goes.
        outer: the stack that it is going to be kept in.
        base: the variable that says where it begins.
    """
    used = outer.storage.levels[outer.level + 1].used
    translator.line(f"{base} = {used}", used, base)
    translator.facts.lower[base] = affine(0)
    return Growing(outer.storage, outer.level + 1, variable(base))


def keep(translator: Translator, action: Keep) -> None:
    """Copy a value into a stack; what is let go of stays where it is."""
    if action.value is None:
        return
    index = translator.index(action.index)
    place = translator.stacks.growing.get(action.stack)
    if place is not None:
        _keep_growing(translator, place, index, action.value)
        return
    target = _sub(stack_field(translator, action.stack), index)
    value = _value(translator, action.value)
    if value.memory is not None and value.memory == target.memory:
        return
    _fill(translator, target, value, action.value)


def _fill(translator: Translator, target: Field, value: Field, expression: Expression) -> None:
    """Put a value into an entry; what stands where there is nothing to keep becomes zeros."""
    if not isinstance(expression, Name) or expression not in translator.stacks.hollow or value.rank != target.rank:
        translator.fill(target, fitted(translator, value, target.extents))
        return
    pairs = list(zip(value.extents, target.extents, strict=True))
    fits = " and ".join(f"{own} == {wide}" for own, wide in pairs)
    with translator.inside(f"if {fits}:", {name for pair in pairs for each in pair for name in each.names}) as suite:
        translator.fill(target, Field(target.extents, value.dtype, value.at))
    with translator.into(suite.otherwise):
        zero = Constant(target.dtype.type(0), target.dtype)
        translator.fill(target, Field(target.extents, target.dtype, lambda _: zero))


def _value(translator: Translator, value: Expression) -> Field:
    if isinstance(value, Name) and isinstance(value.type, StackType):
        return stack_field(translator, value)
    return translator.field(value)


def stack_field(translator: Translator, stack: Name) -> Field:
    """A stack of equal entries as an array with an axis in front."""
    if stack in translator.views:
        return translator.views[stack]
    if stack in translator.stacks.growing:
        raise Demoted("a stack of unequal entries is used as a whole")
    assert isinstance(stack.type, StackType)
    text = translator.texts[stack]
    depth, element = depth_of(stack.type)
    stacks: Stacks = translator.stacks
    form = stacks.forms.get(stack)
    extents = (variable(f"{text}_length"), *form) if isinstance(form, tuple) else translator.extents.get(text)
    if extents is None or len(extents) != depth + element.rank:
        raise Demoted("a stack that is made elsewhere is used")
    return whole_array(text, extents, element.dtype)


def _sub(field: Field, index: Affine) -> Field:
    return remapped(field, field.extents[1:], lambda indices: (index, *indices))


def entry_field(translator: Translator, entry: Entry) -> Field:
    """An entry of a stack, which is an array."""
    if entry.stack in translator.stacks.listed:
        from retrograde.python.nests.stacks.listed import listed_field

        return listed_field(translator, entry)
    index = translator.lasting(translator.index(entry.index))
    place = translator.stacks.growing.get(entry.stack)
    if place is None:
        return _sub(stack_field(translator, entry.stack), index)
    storage = place.storage
    row = translator.lasting(place.base + index)
    if storage.data is None:
        assert storage.shape is not None
        return _sub(_elements(storage), row)
    rows = storage.levels[-1].array
    start = _read(translator, rows, row, 0)
    known = map(translator.extent, storage.element.sizes)
    extents = tuple(_read(translator, rows, row, at) if one is None else one for at, one in enumerate(known, 1))
    return _block(translator, storage.data.array, start, extents, storage.element.dtype)


def _elements(storage: Storage) -> Field:
    """The innermost level as an array. How many entries it has room for, nobody asks."""
    level = storage.levels[-1]
    assert storage.shape is not None
    return whole_array(level.array, (variable(level.used), *storage.shape), storage.element.dtype)


def inner_stack(translator: Translator, entry: Entry) -> Growing | None:
    """An entry of a stack, which is a stack: of one that grows."""
    place = translator.stacks.growing.get(entry.stack)
    if place is None:
        return None
    row = place.base + translator.index(entry.index)
    base = _read(translator, place.storage.levels[place.level].array, row)
    return Growing(place.storage, place.level + 1, base)


def _read(translator: Translator, array: str, *at: Affine | int) -> Affine:
    value = translator.let(Element(array, tuple(map(affine, at)), INT64), "p")
    assert isinstance(value, Local)
    translator.facts.lower[value.name] = affine(0)
    return variable(value.name)


def _keep_growing(translator: Translator, place: Growing, index: Affine, value: Expression) -> None:
    storage, level = place.storage, place.storage.levels[place.level]
    row = translator.lasting(place.base + index)
    _reserve(translator, level, str(row + 1), set(row.names))
    if place.level < len(storage.levels) - 1:
        inner = translator.stacks.growing.get(value) if isinstance(value, Name) else None
        if inner is None or inner.storage is not storage:
            raise Demoted("a stack is kept in another one than it was made for")
        _store(translator, level.array, (row,), inner.base)
        return
    field = translator.field(value)
    if storage.data is None:
        _fill(translator, _sub(_elements(storage), row), field, value)
        return
    _append(translator, storage, row, field)


def _append(translator: Translator, storage: Storage, row: Affine, field: Field) -> None:
    """Put an entry behind all others, and say where it is."""
    data = storage.data
    assert data is not None
    start = translator.fresh("p")
    translator.line(f"{start} = {data.used}", data.used, start)
    translator.facts.lower[start] = affine(0)
    size = " * ".join(f"max({extent}, 0)" for extent in field.extents) or "1"
    names = {name for extent in field.extents for name in extent.names}
    _reserve(translator, data, f"{start} + {size}", {start, *names})
    for at, head in enumerate((variable(start), *field.extents)):
        _store(translator, storage.levels[-1].array, (row, affine(at)), head)
    target = _block(translator, data.array, variable(start), field.extents, storage.element.dtype)
    translator.fill(target, field)


def _store(translator: Translator, array: str, indices: Indices, value: Affine) -> None:
    translator.out.append(Nest([], [], [Store(array, indices, Whole(value), INT64)], free=False))


def _reserve(translator: Translator, level: Level, needed: str, names: set[str]) -> None:
    """Have a level reach that far."""
    with translator.inside(f"if {needed} > {level.array}.shape[0]:", {level.array, *names}):
        translator.line(f"{level.array} = grown({level.array}, {needed})", {level.array, *names}, level.array)
    translator.line(f"{level.used} = max({level.used}, {needed})", {level.used, *names}, level.used)


def _block(translator: Translator, data: str, start: Affine, extents: Indices, dtype: np.dtype) -> Field:
    """Elements that follow each other as an array."""
    if not extents:
        return remapped(whole_array(data, (start + 1,), dtype), (), lambda _: (start,))
    name = translator.fresh("block")
    size = " * ".join(f"max({extent}, 0)" for extent in extents)
    names = {each for extent in (start, *extents) for each in extent.names}
    shape = ", ".join(translator.size_text(extent) for extent in extents)
    text = f"{name} = {data}[{start} : {start} + {size}]"
    text += f".reshape(({shape}))" if len(extents) > 1 else ""
    translator.line(text, {data, *names}, name)
    translator.alias(name, data)
    translator.extents[name] = extents
    return whole_array(name, extents, np.dtype(dtype))
