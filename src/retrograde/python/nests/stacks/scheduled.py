"""Loops that follow a schedule: Python asks for chunks of rows, and compiled regions work through each."""

from __future__ import annotations

from typing import Any

from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Apply, Bind, Expression, ForEach
from retrograde.python.nests.parts.affine import affine
from retrograde.python.nests.translating.translator import Translator


def bind_slots(translator: Translator, action: Bind) -> None:
    """The numbers of slots that a schedule takes, which Python asks it for."""
    schedule, count = action.value.operands
    number, reads = _number(translator, count)
    texts = [translator.texts[name] for name in action.targets]
    text = translator.texts[schedule]
    translator.python_text(f"{', '.join(texts[:2])} = {text}.slots({number})", {text, *reads}, texts[:2])
    for room in texts[2:]:
        translator.python_text(f"{room} = {text}.room({number})", {text, *reads}, {room})
    for text in texts:
        translator.facts.lower[text] = affine(0)


def for_each(translator: Translator, action: ForEach, translate: Any) -> None:
    """A loop over chunks, which Python runs; what is in it is compiled."""
    source: Apply = action.source
    schedule, count, snapshots = source.operands
    number, reads = _number(translator, count)
    stacks = [translator.texts[stack] for stack in snapshots]
    item = translator.texts[action.item]
    call = f"{translator.texts[schedule]}.{source.primitive.name}({number}, ({', '.join(stacks)}{',' * bool(stacks)}))"
    with translator.inside(f"for {item} in {call}:", {translator.texts[schedule], *reads, *stacks}, {item}):
        assert isinstance(action.item.type, ArrayType)
        translator.axes_after(item, action.item.type)
        translate(translator, action.body)


def _number(translator: Translator, count: Expression) -> tuple[str, set[str]]:
    if count is None:
        return "None", set()
    value = translator.lasting(translator.index(count))
    return str(value), set(value.names)
