"""Where names are read and set in the actions of a procedure."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.program.model import map_operand
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


def names_in(*expressions: Expression) -> list[Name]:
    """The names that expressions read."""
    found: list[Name] = []

    def note(part: Expression) -> None:
        if isinstance(part, Name):
            found.append(part)
        elif isinstance(part, Apply):
            map_operand(note, part.operands)
        elif isinstance(part, Entry):
            found.append(part.stack)
            map_operand(note, part.index)

    map_operand(note, expressions)
    return found


def inner_actions(action: Action) -> list[list[Action]]:
    """The sequences of actions inside one."""
    if isinstance(action, (For, ForEach, Repeat)):
        return [action.body]
    return [action.then, action.otherwise] if isinstance(action, If) else []


def read_by(action: Action) -> list[Name]:
    """The names that an action itself reads, what its inner actions read left out."""
    return names_in(*(getattr(action, part) for part in _READS[type(action)]))


_READS: dict[type[Action], tuple[str, ...]] = {
    Bind: ("value",),
    Write: ("target", "index", "value"),
    MakeStack: ("count", "shape"),
    Keep: ("stack", "index", "value"),
    For: ("start", "stop"),
    ForEach: ("source",),
    Repeat: ("limit",),
    Stop: ("unless",),
    Raise: ("fails",),
    If: ("condition",),
    Forget: (),
}
"""The attributes of an action that are expressions which it reads."""


def set_by(action: Action) -> list[Name]:
    """The names that an action itself lets stand for something."""
    if isinstance(action, Bind):
        return action.targets
    if isinstance(action, MakeStack):
        return [action.stack]
    if isinstance(action, ForEach):
        return [action.item]
    return [action.index] if isinstance(action, (For, Repeat)) else []


def walk(actions: list[Action]) -> Iterator[Action]:
    """All actions, inner ones included."""
    for action in actions:
        yield action
        for inner in inner_actions(action):
            yield from walk(inner)


def names_read(actions: list[Action]) -> set[Name]:
    """The names that a sequence of actions reads, inner ones included."""
    return {name for action in walk(actions) for name in read_by(action)}
