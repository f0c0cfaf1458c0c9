"""Names that stand for one thing before a place and for another behind it, as two names."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from typing import Any, cast

from retrograde.program.model import map_operand
from retrograde.python.lowering.model import Action, Apply, Bind, Entry, For, Name, Procedure
from retrograde.python.lowering.places import read_by, set_by, walk
from retrograde.python.nests.actions import count_bindings


def with_parameters_apart(procedure: Procedure) -> Procedure:
    """A procedure in which a parameter that is bound again, once and outside of loops, has a name of its own.

    `A = A.copy()` is then no reason to think that `A` may change.
    """
    counts = count_bindings(procedure.parameters, procedure.actions)
    taken = {name.text for action in walk(procedure.actions) for name in getattr(action, "targets", [])}
    renamed: dict[Name, Name] = {}
    actions = list(procedure.actions)
    for parameter in procedure.parameters:
        at = next((at for at, action in enumerate(actions) if _binds(action, parameter)), None)
        if counts[parameter] != 2 or at is None or any(_touches(action, parameter) for action in actions[:at]):
            continue
        text = f"{parameter.text}_given"
        while text in taken:
            text += "_"
        given = renamed[parameter] = Name(text, parameter.type)
        actions[at] = replace(actions[at], value=_put(actions[at].value, {parameter: given}))  # pyright: ignore
    parameters = [renamed.get(name, name) for name in procedure.parameters]
    return replace(procedure, parameters=parameters, actions=actions)


def with_indices_apart(procedure: Procedure) -> Procedure:
    """A procedure in which no two loops count with one name, so that a region never hands an index to another."""
    counted = Counter(action.index for action in walk(procedure.actions) if isinstance(action, For))
    bound = {name for action in walk(procedure.actions) if not isinstance(action, For) for name in set_by(action)}
    shared = {name for name, count in counted.items() if count > 1} - bound
    return replace(procedure, actions=_apart(procedure.actions, shared, {})) if shared else procedure


def _apart(actions: list[Action], shared: set[Name], names: dict[Name, Name]) -> list[Action]:
    result: list[Action] = []
    for action in actions:
        inner = names
        if isinstance(action, For) and action.index in shared:
            inner = names | {action.index: Name(action.index.text, action.index.type)}
        changes: dict[str, Any] = {}
        for field in fields(action):
            part: Any = getattr(action, field.name)
            if field.name in ("body", "then", "otherwise"):
                changes[field.name] = _apart(part, shared, inner)
            elif field.name == "index" and isinstance(action, For):
                changes["index"] = inner.get(part, part)
            elif field.name != "place":
                listed = cast(list[Any], part) if isinstance(part, list) else None
                changes[field.name] = _put(part, names) if listed is None else [_put(each, names) for each in listed]
        result.append(replace(action, **changes))
    return result


def _binds(action: Action, name: Name) -> bool:
    return isinstance(action, Bind) and action.targets == [name]


def _touches(action: Action, name: Name) -> bool:
    """Whether an action uses a name."""
    return any(name in read_by(each) or name in set_by(each) for each in walk([action]))


def _put(expression: Any, names: dict[Name, Name]) -> Any:
    def renamed(part: Any) -> Any:
        if isinstance(part, Apply):
            return replace(part, operands=map_operand(renamed, part.operands))
        if isinstance(part, Entry):
            return replace(part, index=map_operand(renamed, part.index))
        return names.get(part, part) if isinstance(part, Name) else part

    return map_operand(renamed, expression)
