"""Each action of a procedure as parts: assignments, writes, loops, branches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType, ScheduleType, StackType
from retrograde.python.lowering.model import (
    Action,
    Apply,
    Bind,
    Entry,
    Expression,
    For,
    ForEach,
    Forget,
    If,
    Keep,
    MakeStack,
    Name,
    Raise,
    Repeat,
    Stop,
    Write,
)
from retrograde.python.lowering.operations import SLOTS
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import cast, dtype_text
from retrograde.python.nests.parts.affine import Affine, affine
from retrograde.python.nests.parts.fields import Field, remapped
from retrograde.python.nests.parts.model import Constant, Let, Local, Nest, Spelled, names_read
from retrograde.python.nests.printing import scalar_text
from retrograde.python.nests.stacks.arrays import entry_field, inner_stack, keep, make_stack, stack_field
from retrograde.python.nests.stacks.branched import make_joined
from retrograde.python.nests.stacks.listed import bind_listed, is_listed, keep_listed, make_listed
from retrograde.python.nests.stacks.scheduled import bind_slots, for_each
from retrograde.python.nests.translating.translator import INT64, Translator
from retrograde.python.nests.translating.writing import write_into


def translate(translator: Translator, actions: Iterable[Action]) -> None:
    """Put actions.

    Raises:
        Demoted: one of them has no form for Numba.
    """
    for action in actions:
        translator.place = getattr(action, "place", None)
        _TRANSLATE[type(action)](translator, action)


def _bind(translator: Translator, action: Bind) -> None:
    if len(action.targets) != 1:
        _bind_several(translator, action)
        return
    (name,) = action.targets
    if name in translator.stacks.joined:
        make_joined(translator, name, action)
        return
    if isinstance(name.type, ScheduleType):
        raise Demoted("a schedule is bound")
    if isinstance(name.type, StackType):
        _bind_stack(translator, name, action.value)
        return
    if not name.type.rank:
        _bind_number(translator, name, action.value)
        return
    field = _stretched(translator, translator.field(action.value), name, action.value)
    if field.memory is not None and translator.bindings[name] <= 1:
        translator.views[name] = translator.lasting_view(field)
        return
    if translator.bindings[name] > 1:
        _rebind(translator, name, field, action.value)
        return
    made = translator.materialized(_of_dtype(field, name), translator.texts[name])
    translator.extents[translator.texts[name]] = made.extents


def _stretched(translator: Translator, field: Field, name: Name, value: Expression) -> Field:
    """A constant array as large as the name's arrays are, as far as that is known.

    One of a single element stands where a branch has nothing to keep.
    """
    assert isinstance(name.type, ArrayType)
    constant: Any = value
    if not isinstance(value, np.ndarray) or constant.size != 1:
        return field
    known = [translator.extent(size) for size in name.type.sizes]
    if None in known:
        translator.stacks.hollow.add(name)
    extents = tuple(affine(1) if extent is None else extent for extent in known)
    scalar = Constant(constant.reshape(())[()], constant.dtype)
    return field if extents == field.extents else Field(extents, constant.dtype, lambda _: scalar)


def _bind_several(translator: Translator, action: Bind) -> None:
    """The results of an operation that has several, which runs as Python."""
    apply = action.value
    if apply.primitive is SLOTS:
        bind_slots(translator, action)
        return
    texts = [translator.texts[name] for name in action.targets]
    reason = f"{apply.primitive.name} has no form for Numba"
    translator.python_line("", apply.primitive, apply.operands, apply.static, reason, texts)
    for name, text in zip(action.targets, texts, strict=True):
        assert isinstance(name.type, ArrayType)
        if name.type.rank:
            translator.axes_after(text, name.type)
            if translator.bindings[name] > 1:
                del translator.extents[text]
        else:
            translator.python_text(f"{text} = {dtype_text(name.type.dtype)}({text})", {text}, {text})


def _of_dtype(field: Field, name: Name) -> Field:
    assert isinstance(name.type, ArrayType)
    dtype = name.type.dtype
    if field.dtype == dtype:
        return field
    return Field(field.extents, dtype, lambda indices: cast(field.at(indices), dtype), cost=field.cost + 1)


def _rebind(translator: Translator, name: Name, field: Field, value: Expression) -> None:
    """A name that is bound at several places gets the array itself, which keeps one name for its memory each time."""
    text = translator.texts[name]
    plain = field.memory is not None and (
        translator.is_whole(field) or (isinstance(value, Name) and translator.texts[value] == field.memory.array)
    )
    if field.memory is not None and plain:
        if field.memory.array == text:
            return
        array = field.memory.array
        translator.alias(text, array)
    else:
        # Nobody reads what a view is of behind a write into the view, so that it may as well be a copy.
        made = translator.materialized(_of_dtype(field, name), hint=text)
        assert made.memory is not None
        array = made.memory.array
        translator.alias(text, array)
    translator.line(f"{text} = {array}", {array}, {text})


def _bind_number(translator: Translator, name: Name, value: Expression) -> None:
    assert isinstance(name.type, ArrayType)
    text = translator.texts[name]
    known = translator.whole_of(value) if name.type.dtype == INT64 else None
    field = translator.field(value)
    if field.rank:
        field = remapped(field, (), lambda _: tuple(affine(0) for _ in field.extents))
    scalar = cast(field.at(()), name.type.dtype)
    translator.out.append(Nest([], [], [Let(text, scalar)]))
    if known is not None and translator.bindings[name] <= 1 and not translator.is_unstable(known):
        translator.wholes[name] = known


def _bind_stack(translator: Translator, name: Name, value: Expression) -> None:
    if isinstance(value, Entry) and value.stack in translator.stacks.listed:
        bind_listed(translator, name, value)
        return
    if translator.bindings[name] > 1:
        raise Demoted("a stack is bound at several places")
    growing = translator.stacks.growing
    if isinstance(value, Entry):
        place = inner_stack(translator, value)
        if place is None:
            translator.views[name] = entry_field(translator, value)
        else:
            growing[name] = place
    elif isinstance(value, Name) and value in growing:
        growing[name] = growing[value]
    elif isinstance(value, Name):
        translator.views[name] = stack_field(translator, value)
    else:
        raise Demoted("an operation on stacks has no form for Numba")


def _write(translator: Translator, action: Write) -> None:
    target = translator.field(action.target)
    before = translator.reached()
    value = translator.field(action.value)
    if not target.rank:
        _write_number(translator, action, value)
        return
    if target.memory is None:
        raise Demoted("what is written is no memory")
    try:
        write_into(translator, target, action.index, value, action.adding)
    except Demoted as reason:
        translator.back_to(before)
        primitive = PRIMITIVES["add_at" if action.adding else "update"]
        assert isinstance(action.target.type, ArrayType)
        written = Apply(primitive, (action.target, action.index, action.value), {}, action.target.type)
        translator.fill(target, translator.as_python(written, str(reason)))


def _write_number(translator: Translator, action: Write, value: Field) -> None:
    assert isinstance(action.target.type, ArrayType)
    text, dtype = translator.texts[action.target], action.target.type.dtype
    if value.rank:
        rank = value.rank
        value = remapped(value, (), lambda _: (affine(0),) * rank)
    scalar = cast(value.at(()), dtype)
    if action.adding:
        scalar = Spelled("({0} + {1})", (Local(text, dtype), scalar), dtype)
    translator.out.append(Nest([], [], [Let(text, scalar)]))


def _for(translator: Translator, action: For) -> None:
    start, stop = translator.index(action.start), _stop(translator, action.stop)
    text = translator.texts[action.index]
    names = {*start.names, *stop.names}
    facts = translator.facts
    outer = facts.lower.get(text), facts.upper.get(text)
    low, high = (start, stop - 1) if action.step > 0 else (stop + 1, start)
    facts.lower[text], facts.upper[text] = low, high
    if abs(action.step) == 1 or not action.backward:
        header = f"for {text} in range({_range_text(start, stop, action.step, action.backward)}):"
        with translator.inside(header, names, {text}) as suite:
            suite.over = (text, low, high + 1) if abs(action.step) == 1 else None
            translate(translator, action.body)
    else:
        counter = translator.fresh("count")
        spread = (stop - start + (action.step - 1)) if action.step > 0 else (start - stop + (-action.step - 1))
        with translator.inside(
            f"for {counter} in range(({spread}) // {abs(action.step)} - 1, -1, -1):", names, {counter}
        ):
            translator.line(f"{text} = {start} + {counter} * {action.step}", {*start.names, counter}, {text})
            translate(translator, action.body)
    for bounds, bound in zip((facts.lower, facts.upper), outer, strict=True):
        bounds.pop(text, None)
        if bound is not None:
            bounds[text] = bound


def _for_each(translator: Translator, action: ForEach) -> None:
    for_each(translator, action, translate)


def _stop(translator: Translator, stop: Expression) -> Affine:
    return translator.lasting(translator.index(stop))


def _range_text(start: Affine, stop: Affine, step: int, backward: bool) -> str:
    if not backward:
        if step == 1:
            return str(stop) if start == affine(0) else f"{start}, {stop}"
        return f"{start}, {stop}, {step}"
    return f"{stop - step}, {start - step}, {-step}"


def _repeat(translator: Translator, action: Repeat) -> None:
    text = translator.texts[action.index]
    translator.facts.lower[text] = affine(0)
    names: tuple[str, ...] = ()
    limit = ""
    if action.limit is not None:
        bound = translator.lasting(translator.index(action.limit))
        names, limit = bound.names, f"{text} < {bound}"
    translator.line(f"{text} = 0", (), {text})
    with translator.inside(f"while {limit or 'True'}:", (*names, text), {text}):
        translate(translator, action.body)
        translator.line(f"{text} += 1", {text}, {text})


def _stop_unless(translator: Translator, action: Stop) -> None:
    translator.line(f"if not {_truth(translator, action.unless)}: break", translator.last_reads, {"#control"})


def _raise(translator: Translator, action: Raise) -> None:
    translator.line(f"if {_truth(translator, action.fails)}: raise {action.text}", translator.last_reads, {"#control"})


def _truth(translator: Translator, condition: Expression) -> str:
    import numpy as np

    field = translator.field(condition)
    if field.rank:
        raise Demoted("a condition is an array")
    scalar = translator.let(cast(field.at(()), np.dtype(bool)), "truth")
    translator.last_reads = frozenset(names_read(scalar))
    return scalar_text(scalar)


def _if(translator: Translator, action: If) -> None:
    text = _truth(translator, action.condition)
    reads = translator.last_reads
    with translator.inside(f"if {text}:", reads) as suite:
        translate(translator, action.then)
    with translator.into(suite.otherwise):
        translate(translator, action.otherwise)


def _make_stack(translator: Translator, action: MakeStack) -> None:
    if action.stack in translator.stacks.joined:
        make_joined(translator, action.stack, action)
    elif is_listed(translator, action):
        make_listed(translator, action.stack, action)
    else:
        make_stack(translator, action)


def _keep(translator: Translator, action: Keep) -> None:
    if action.stack in translator.stacks.listed:
        keep_listed(translator, action)
    else:
        keep(translator, action)


def _forget(translator: Translator, action: Forget) -> None:
    del translator, action


_TRANSLATE: dict[type[Any], Any] = {
    Bind: _bind,
    Write: _write,
    MakeStack: _make_stack,
    Keep: _keep,
    For: _for,
    ForEach: _for_each,
    Repeat: _repeat,
    Stop: _stop_unless,
    Raise: _raise,
    If: _if,
    Forget: _forget,
}
