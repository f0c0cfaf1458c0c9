"""Slots for stacks, and for arrays that change their size: lists, which Python keeps beside what is compiled.

What a slot holds is let go of when the schedule says so. A stack in a slot has the form of one that is passed: the
arrays of its levels, and of its data.
"""

from __future__ import annotations

from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.model import Entry, Expression, Keep, MakeStack, Name
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import dtype_text
from retrograde.python.nests.parts.affine import affine
from retrograde.python.nests.parts.fields import Field, whole_array
from retrograde.python.nests.parts.model import Line, Local
from retrograde.python.nests.stacks.arrays import (
    Growing,
    Maker,
    Storage,
    depth_of,
    element_shape,
    known_shape,
    stack_field,
    storage_of,
)
from retrograde.python.nests.stacks.passed import taken_apart
from retrograde.python.nests.translating.translator import Translator

_REASON = "what loops keep of unequal sizes inside a budget is in lists"


def is_listed(translator: Translator, maker: Maker) -> bool:
    """Whether a stack is a list: one of slots for stacks, or for arrays, of no one size."""
    if not isinstance(maker, MakeStack) or not maker.slots:
        return False
    outer = translator.stacks.outside(maker)
    return (outer is not None and outer[0] in translator.stacks.listed) or known_shape(translator, maker) is None


def make_listed(translator: Translator, stack: Name, maker: Maker) -> None:
    """Room for the entries."""
    text = translator.texts[stack]
    translator.stacks.listed.add(stack)
    translator.stacks.growing.pop(stack, None)
    if not isinstance(maker, MakeStack) or maker.count is None:
        translator.python_text(f"{text} = []", (), {text})
        return
    count = translator.lasting(translator.index(maker.count))
    translator.reasons.append((translator.place, _REASON))
    translator.python_text(f"{text} = [None] * ({count})", count.names, {text})


def keep_listed(translator: Translator, action: Keep) -> None:
    """Put a value into a slot, or let go of what is there."""
    index = translator.lasting(translator.index(action.index))
    text = translator.texts[action.stack]
    value, reads = _object(translator, action.value)
    names = frozenset({text, *index.names, *reads})
    translator.out.append(Line(f"{text}[{index}] = {value}", names, frozenset({text}), python=True))


def _object(translator: Translator, value: Expression) -> tuple[str, set[str]]:
    """What stands for a value in a list: nobody writes it."""
    if value is None:
        return "None", set()
    if isinstance(value, Name) and isinstance(value.type, StackType):
        return _stack_object(translator, value)
    field = translator.field(value)
    if not field.rank:
        return translator.number_text(field)
    array = translator.as_array_variable(field)
    return f"{array}.copy()", {array}


def _stack_object(translator: Translator, stack: Name) -> tuple[str, set[str]]:
    assert isinstance(stack.type, StackType)
    if stack in translator.stacks.listed:
        return translator.texts[stack], {translator.texts[stack]}
    depth, element = depth_of(stack.type)
    known = element_shape(translator, element) is not None
    place: Growing | None = translator.stacks.growing.get(stack)
    if place is None:
        array = translator.as_array_variable(stack_field(translator, stack))
        return taken_apart(array, depth, element, known), {array}
    if place.level or place.base != affine(0) or (place.storage.shape is not None) != known:
        raise Demoted("a part of a stack is kept in a slot")
    held = place.storage.held
    parts = ", ".join(f"{level.array}[:{level.used}].copy()" for level in held)
    return f"({parts},)", {each for level in held for each in (level.array, level.used)}


def listed_field(translator: Translator, entry: Entry) -> Field:
    """What a slot holds, which is an array or a number."""
    kind = entry.type
    assert isinstance(kind, ArrayType)
    name = translator.fresh("entry")
    _take(translator, entry, [name])
    if kind.rank:
        return whole_array(name, translator.axes_after(name, kind), kind.dtype)
    translator.python_text(f"{name} = {dtype_text(kind.dtype)}({name})", {name}, {name})
    number = Local(name, kind.dtype)
    return Field((), kind.dtype, lambda _: number)


def bind_listed(translator: Translator, name: Name, entry: Entry) -> None:
    """Give a name to what a slot holds, which is a stack."""
    assert isinstance(name.type, StackType)
    stacks = translator.stacks
    if any(maker.slots for maker, outer, _ in stacks.around if outer is entry.stack and isinstance(maker, MakeStack)):
        stacks.listed.add(name)
        _take(translator, entry, [translator.texts[name]])
        return
    if name not in stacks.forms:
        stacks.forms[name] = storage_of(translator, name, element_shape(translator, depth_of(name.type)[1]))
    storage = stacks.forms[name]
    assert isinstance(storage, Storage)
    _take(translator, entry, [level.array for level in storage.held], several=True)
    for level in storage.held:
        translator.python_text(f"{level.used} = {level.array}.shape[0]", {level.array}, {level.used})
    stacks.growing[name] = Growing(storage, 0, affine(0))


def _take(translator: Translator, entry: Entry, targets: list[str], several: bool = False) -> None:
    index = translator.lasting(translator.index(entry.index))
    text = translator.texts[entry.stack]
    comma = "," if several and len(targets) == 1 else ""
    translator.python_text(f"{', '.join(targets)}{comma} = {text}[{index}]", {text, *index.names}, targets)
