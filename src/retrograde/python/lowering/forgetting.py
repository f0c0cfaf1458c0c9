"""Lets go of arrays that are not needed any more, so that memory follows what is live."""

from __future__ import annotations

from math import prod

from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.model import Action, For, ForEach, Forget, If, Name, Procedure, Repeat
from retrograde.python.lowering.places import inner_actions, names_in, read_by, set_by, walk

_SMALL = 4096
"""Arrays that certainly have no more elements are not worth a line."""

_SMALLEST = 16
"""The same where every byte counts."""


def forget(procedure: Procedure, in_loops: bool) -> None:
    """Put a `Forget` behind the last use of each array.

    Args:
        procedure: is changed.
        in_loops: also of arrays that each iteration makes anew: until the next one does so, they are in memory.
    """
    made = {name for action in walk(procedure.actions) for name in set_by(action)}
    smallest = _SMALLEST if in_loops else _SMALL
    forgetting = _Forgetting({name for name in made if _is_large(name, smallest)}, in_loops)
    live = set(names_in(*procedure.results))
    procedure.actions = forgetting.actions(procedure.actions, live, False)
    last = procedure.actions[-1] if procedure.actions else None
    if isinstance(last, Forget) and all(isinstance(result, Name) for result in procedure.results):
        procedure.actions.pop()


def _is_large(name: Name, smallest: int) -> bool:
    if not isinstance(name.type, ArrayType):
        return isinstance(name.type, StackType)
    sizes = [size for size in name.type.sizes if isinstance(size, int)]
    return name.type.rank > 0 and (len(sizes) < name.type.rank or prod(sizes) > smallest)


class _Forgetting:
    def __init__(self, worth: set[Name], in_loops: bool) -> None:
        self._worth = worth
        self._in_loops = in_loops

    def actions(self, actions: list[Action], live: set[Name], inside: bool) -> list[Action]:
        """Actions with what is forgotten in between, for the names that are live behind them."""
        done: list[Action] = []
        live = set(live)
        for action in reversed(actions):
            exposed = _exposed([action])
            used = exposed if inner_actions(action) else exposed.union(set_by(action))
            dead = [name for name in _in_order(action) if name in used - live and name in self._worth]
            if dead and (self._in_loops or not inside):
                done.append(Forget(dead))
            self._enter(action, live | exposed, inside)
            done.append(action)
            live = (live - _certainly_set(action)) | exposed
        return done[::-1]

    def _enter(self, action: Action, live: set[Name], inside: bool) -> None:
        if isinstance(action, (For, ForEach, Repeat)):
            action.body = self.actions(action.body, live, True)
        elif isinstance(action, If):
            action.then = self.actions(action.then, live, inside)
            action.otherwise = self.actions(action.otherwise, live, inside)


def _in_order(action: Action) -> list[Name]:
    """The names of an action, each once, as they come."""
    return list(dict.fromkeys(name for part in walk([action]) for name in (*read_by(part), *set_by(part))))


def _exposed(actions: list[Action]) -> set[Name]:
    """The names that actions read as they were before."""
    exposed: set[Name] = set()
    known: set[Name] = set()
    for action in actions:
        exposed |= set(read_by(action)) - known
        if isinstance(action, Repeat):
            known.add(action.index)
        own = set(set_by(action)) if isinstance(action, (For, ForEach)) else set[Name]()
        for inner in inner_actions(action):
            exposed |= _exposed(inner) - known - own
        known |= _certainly_set(action)
    return exposed


def _certainly_set(action: Action) -> set[Name]:
    """The names that an action sets, however it runs."""
    if isinstance(action, If):
        sides = [{name for part in side for name in _certainly_set(part)} for side in (action.then, action.otherwise)]
        return sides[0] & sides[1]
    return set() if isinstance(action, (For, ForEach)) else set(set_by(action))
