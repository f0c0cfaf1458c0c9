"""Slots for states and for residuals of one size in one array: states from its front, residuals from its back.

Compiled loops allocate slots for a whole run. The most states and the most residuals of a schedule are there at
different times, and one array has to have room only for what is there together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np

from retrograde.program.schedules import sharing_slots
from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.model import (
    Action,
    Apply,
    Bind,
    For,
    ForEach,
    If,
    Keep,
    MakeStack,
    Name,
    Procedure,
    Repeat,
)
from retrograde.python.lowering.operations import SLOTS
from retrograde.python.lowering.places import inner_actions, names_in, walk
from retrograde.python.nests.preparing.bindings import count_bindings

_INT64 = ArrayType(np.dtype(np.int64))

Shared: TypeAlias = dict[Name, tuple[Name, Name]]
"""For stacks of residuals the stack of states in whose array they are, and how many slots that has."""


def with_slots_shared(procedure: Procedure) -> tuple[Procedure, Shared]:
    """A procedure whose stacks of states have room for residuals of their size, and which stacks these are of."""
    counts = count_bindings(procedure.parameters, procedure.actions)
    once = {name for name, count in counts.items() if count == 1} - _handed_on(procedure)
    shared: Shared = {}
    actions = _with_room(procedure.actions, once, shared)
    return replace(procedure, actions=actions), shared


def _handed_on(procedure: Procedure) -> set[Name]:
    """The stacks that are more than filled and read entry by entry."""
    used = set(names_in(*procedure.results))
    for action in walk(procedure.actions):
        if isinstance(action, (Keep, Bind)) and isinstance(action.value, Name):
            used.add(action.value)
    return {name for name in used if isinstance(name.type, StackType)}


def _with_room(actions: list[Action], once: set[Name], shared: Shared) -> list[Action]:
    result: list[Action] = []
    rooms: dict[Name, Name] = {}
    for at, action in enumerate(actions):
        if isinstance(action, Bind) and isinstance(action.value, Apply) and action.value.primitive is SLOTS:
            found = _pairs(action, actions[at:], once)
            if found:
                room = Name(f"{action.targets[0].text}_and_{action.targets[1].text}", _INT64)
                action = replace(action, targets=[*action.targets, room])
                rooms.update(dict.fromkeys(found.values(), room))
                shared.update({residual: (state, room) for residual, state in found.items()})
        elif isinstance(action, MakeStack) and action.stack in rooms:
            action = replace(action, count=rooms[action.stack])
        elif isinstance(action, (For, ForEach, Repeat)):
            action = replace(action, body=_with_room(action.body, once, shared))
        elif isinstance(action, If):
            then, otherwise = (_with_room(side, once, shared) for side in inner_actions(action))
            action = replace(action, then=then, otherwise=otherwise)
        result.append(action)
    return result


def _pairs(slots: Bind, actions: list[Action], once: set[Name]) -> dict[Name, Name]:
    """For stacks of residuals of a schedule the stacks of states that have room for them."""
    states, residuals = (_made(actions, count, once) for count in slots.targets)
    found = sharing_slots([stack.type for stack in states], [stack.type for stack in residuals])
    return {residuals[other]: states[one] for one, other in found}


def _made(actions: list[Action], count: Name, once: set[Name]) -> list[Name]:
    """The stacks that have so many slots, and are made at one place."""
    made = (action for action in actions if isinstance(action, MakeStack) and action.slots and action.count is count)
    return [action.stack for action in made if action.stack in once]
