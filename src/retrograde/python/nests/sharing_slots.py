"""Slots for states and for residuals of one size in one array: states from its front, residuals from its back.

Compiled loops allocate slots for a whole run. The most states and the most residuals of a schedule are there at
different times, and one array has to have room only for what is there together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from typing import Any, cast

import numpy as np

from retrograde.program.model import map_operand
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.schedules import sharing_slots
from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.model import (
    Action,
    Apply,
    Bind,
    Entry,
    Expression,
    Keep,
    MakeStack,
    Name,
    Procedure,
)
from retrograde.python.lowering.operations import SLOTS
from retrograde.python.lowering.places import inner_actions, names_in, walk
from retrograde.python.nests.actions import count_bindings

_INT64 = ArrayType(np.dtype(np.int64))

_Pairs = dict[Name, tuple[Name, Name]]
"""For stacks of residuals the stack of states whose array they share, and how many slots that has."""


def with_slots_shared(procedure: Procedure) -> Procedure:
    """A procedure in which residuals lie in the stacks of states of their size, as far as schedules go."""
    counts = count_bindings(procedure.parameters, procedure.actions)
    once = {name for name, count in counts.items() if count == 1} - _handed_on(procedure)
    pairs: _Pairs = {}
    rooms: dict[Bind, Name] = {}
    _find(procedure.actions, once, pairs, rooms)
    return replace(procedure, actions=_rewritten(procedure.actions, pairs, rooms)) if pairs else procedure


def _handed_on(procedure: Procedure) -> set[Name]:
    """The stacks that are more than filled and read entry by entry."""
    used = Counter(names_in(*procedure.results))
    for action in walk(procedure.actions):
        if isinstance(action, (Keep, Bind)):
            used.update(names_in(action.value) if isinstance(action.value, Name) else [])
    return {name for name in used if isinstance(name.type, StackType)}


def _find(actions: list[Action], once: set[Name], pairs: _Pairs, rooms: dict[Bind, Name]) -> None:
    for at, action in enumerate(actions):
        for inner in inner_actions(action):
            _find(inner, once, pairs, rooms)
        if not isinstance(action, Bind) or not isinstance(action.value, Apply) or action.value.primitive is not SLOTS:
            continue
        states, residuals = (_made(actions[at:], count, once) for count in action.targets)
        found = sharing_slots([stack.type for stack in states], [stack.type for stack in residuals])
        if found:
            room = rooms[action] = Name(f"{states[0].text}_room", _INT64)
            pairs.update({residuals[other]: (states[one], room) for one, other in found})


def _made(actions: list[Action], count: Name, once: set[Name]) -> list[Name]:
    """The stacks that have so many slots, and are made at one place."""
    made = (action for action in actions if isinstance(action, MakeStack) and action.slots and action.count is count)
    return [action.stack for action in made if action.stack in once]


def _rewritten(actions: list[Action], pairs: _Pairs, rooms: dict[Bind, Name]) -> list[Action]:
    shared = dict(pairs.values())
    result: list[Action] = []
    for action in actions:
        if isinstance(action, MakeStack) and action.stack in pairs:
            continue
        changes: dict[str, Any] = {}
        for field in fields(action):
            part: Any = getattr(action, field.name)
            if field.name in ("body", "then", "otherwise"):
                changes[field.name] = _rewritten(part, pairs, rooms)
            elif field.name in ("value", "index", "condition", "unless", "start", "stop", "limit", "source"):
                changes[field.name] = _mirrored(part, pairs)
        if isinstance(action, Bind) and action in rooms:
            changes["targets"] = [*action.targets, rooms[action]]
        if isinstance(action, MakeStack) and action.stack in shared:
            changes["count"] = shared[action.stack]
        if isinstance(action, Keep) and action.stack in pairs:
            changes["stack"], changes["index"] = _from_behind(pairs[action.stack], changes["index"])
        result.append(replace(action, **changes))
    return result


def _mirrored(expression: Expression, pairs: _Pairs) -> Expression:
    def changed(part: Any) -> Any:
        if isinstance(part, Apply):
            return replace(part, operands=map_operand(changed, part.operands))
        if isinstance(part, Entry):
            index = map_operand(changed, part.index)
            stack, index = _from_behind(pairs[part.stack], index) if part.stack in pairs else (part.stack, index)
            return replace(part, stack=stack, index=index)
        return part

    return map_operand(changed, expression)


def _from_behind(pair: tuple[Name, Name], index: Expression) -> tuple[Name, Expression]:
    """The stack, and an index counted from its end."""
    stack, room = pair
    subtract = PRIMITIVES["subtract"]
    behind = Apply(subtract, (room, index), {}, _INT64)
    return stack, cast(Expression, Apply(subtract, (behind, 1), {}, _INT64))
