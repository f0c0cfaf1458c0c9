"""Names that stand for one thing before a place and for another behind it, as two names."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from typing import Any, cast

from retrograde.program.model import map_operand
from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Action, Apply, Bind, Entry, For, Forget, Name, Procedure
from retrograde.python.lowering.places import read_by, set_by, walk
from retrograde.python.nests.preparing.bindings import count_bindings


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


def with_bindings_apart(procedure: Procedure) -> Procedure:
    """A procedure in which a name that one sequence of actions binds several times is as many names.

    Each then has one array, whose extents are known, and may be a view.
    """
    parameters = set(procedure.parameters)
    bound = Counter(name for action in walk(procedure.actions) for name in set_by(action))
    used = Counter(name for action in walk(procedure.actions) for name in _used_by(action))
    several = {name for name, count in bound.items() if count > 1 and name not in parameters}
    renamed: dict[Name, Name] = {}
    actions = _in_sequence(procedure.actions, several, bound, used, renamed, outermost=True)
    results = [_put(result, renamed) for result in procedure.results]
    return replace(procedure, actions=actions, results=results)


def _in_sequence(
    actions: list[Action],
    several: set[Name],
    bound: Counter[Name],
    used: Counter[Name],
    names: dict[Name, Name],
    outermost: bool = False,
) -> list[Action]:
    """Actions with new names; `names` has what each stands under behind them."""
    here = _bound_here(actions, several, bound, used, outermost)
    result: list[Action] = []
    for action in actions:
        changes: dict[str, Any] = {}
        before = dict(names)
        if isinstance(action, Bind):
            for name in here.intersection(action.targets):
                names[name] = Name(name.text, _own_type(name, action.value))
        for field in fields(action):
            part: Any = getattr(action, field.name)
            if field.name in ("body", "then", "otherwise"):
                changes[field.name] = _in_sequence(part, several, bound, used, names)
            elif field.name == "targets":
                changes[field.name] = [names.get(name, name) for name in part]
            elif field.name != "place":
                listed = cast(list[Any], part) if isinstance(part, list) else None
                changes[field.name] = _put(part, before) if listed is None else [_put(each, before) for each in listed]
        result.append(replace(action, **changes))
    return result


def _bound_here(
    actions: list[Action], several: set[Name], bound: Counter[Name], used: Counter[Name], outermost: bool
) -> set[Name]:
    """The names that these actions bind themselves each time, before they use them; in a loop nobody else uses them."""
    binds = Counter(name for action in actions if isinstance(action, Bind) for name in action.targets)
    found = {name for name in several & binds.keys() if binds[name] == bound[name]}
    if outermost or not found:
        return found
    inside = Counter(name for action in walk(actions) for name in _used_by(action))
    return {name for name in found if inside[name] == used[name] and not _used_before(actions, name)}


def _used_before(actions: list[Action], name: Name) -> bool:
    """Whether a name is used before it is bound."""
    first = next(action for action in actions if _touches(action, name))
    return not isinstance(first, Bind) or name in read_by(first)


def _used_by(action: Action) -> list[Name]:
    return [*read_by(action), *(action.names if isinstance(action, Forget) else ())]


def _own_type(name: Name, value: Any) -> Any:
    """The type of one of the values that a name stands for."""
    if not isinstance(value, Apply) or not isinstance(name.type, ArrayType):
        return name.type
    alike = value.type.dtype == name.type.dtype and value.type.rank == name.type.rank
    return value.type if alike else name.type


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
