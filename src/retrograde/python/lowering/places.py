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
    match action:
        case Bind():
            return names_in(action.value)
        case Write():
            return names_in(action.target, action.index, action.value)
        case MakeStack():
            return names_in(action.count, action.shape)
        case Keep():
            return names_in(action.stack, action.index, action.value)
        case For():
            return names_in(action.start, action.stop)
        case ForEach():
            return names_in(action.source)
        case Repeat():
            return names_in(action.limit)
        case Stop():
            return names_in(action.unless)
        case If():
            return names_in(action.condition)
        case Forget():
            return []


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
