"""Names that may stand for one array, known before anything is translated: a loop binds them after it has written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Action, Apply, Bind, Expression, Name
from retrograde.python.lowering.places import inner_actions

_VIEWS = frozenset({"getitem", "reshape", "transpose", "broadcast_to"})

Pair = tuple[Name, Name]


def shared(actions: list[Action], bindings: Mapping[Name, int]) -> Iterator[Pair]:
    """Pairs of names, the first of which gets the array of the second, or a view of it.

    Names that exchange their arrays among themselves are left out: two that stood for two arrays still do.

    Args:
        actions: what happens, in order.
        bindings: at how many places each name is bound.
    """
    run: list[Pair] = []
    for action in actions:
        pair = _pair(action)
        if pair is not None:
            run.append(pair)
            continue
        yield from _without_exchanges(run, bindings)
        run = []
        for inner in inner_actions(action):
            yield from shared(inner, bindings)
    yield from _without_exchanges(run, bindings)


def _pair(action: Action) -> Pair | None:
    if not isinstance(action, Bind) or len(action.targets) != 1:
        return None
    target, source = action.targets[0], _source(action.value)
    if source is None or not isinstance(target.type, ArrayType) or not target.type.rank:
        return None
    return target, source


def _source(value: Expression) -> Name | None:
    while isinstance(value, Apply) and value.primitive.name in _VIEWS:
        value = value.operands[0]
    return value if isinstance(value, Name) else None


def _without_exchanges(run: list[Pair], bindings: Mapping[Name, int]) -> list[Pair]:
    """The pairs of consecutive actions; none if their names end up with each other's arrays."""
    origins: dict[Name, Name] = {}
    for target, source in run:
        origins[target] = origins.get(source, source)
    lasting = {target: origin for target, origin in origins.items() if bindings[target] > 1}
    return [] if sorted(map(id, lasting)) == sorted(map(id, lasting.values())) else run
