"""Branches by what only the run knows: both sides are read, and what they leave behind is joined."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from retrograde.errors import UnsupportedError
from retrograde.program.model import Block, Branch
from retrograde.program.symbol import Symbol
from retrograde.python.reading.changes import NOTHING, Ending, Place, State
from retrograde.python.reading.frames import Unset
from retrograde.python.reading.joining import Joined
from retrograde.python.reading.kinds import content_of, leaf_type
from retrograde.python.reading.operands import operand_for
from retrograde.python.reading.signals import NeedsStatic, Unreachable
from retrograde.python.reading.values import ContainerSlot

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

VALUE = "value of the expression"
"""The name under which the value of a conditional expression leaves its region; it is none of the user's."""


def branch(
    reader: Reader,
    condition: Any,
    then: Callable[[], None],
    otherwise: Callable[[], None],
    live: frozenset[str] | None = None,
) -> None:
    """Read both sides of a branch; afterwards names, items and array objects are what either side made of them.

    Args:
        reader: the reader.
        condition: a bool, or a symbol.
        then: reads the one side.
        otherwise: reads the other.
        live: the names that are read afterwards; None for all.
    """
    if not isinstance(condition, Symbol):
        (then if condition else otherwise)()
        return
    builder = reader.builder
    place = builder.place
    state = State(reader)
    blocks = (Block(), Block())
    reader.conditions.append(condition)
    endings = [
        _side(reader, state, block, action, live, condition)
        for block, action in zip(blocks, (then, otherwise), strict=True)
    ]
    reader.conditions.pop()
    changes: dict[Any, Place] = endings[0].changes | endings[1].changes
    found: list[list[Any]] = []
    for block, ending in zip(blocks, endings, strict=True):
        with builder.inside(block):
            found.append(ending.seen(changes.values()))
    joined = Joined(reader, state)
    for change, one, other in zip(changes.values(), *found, strict=True):
        joined.add(change, [one, other])
    for at, block in enumerate(blocks):
        with builder.inside(block):
            parts = [operand_for(builder, leaf, content_of(ways[at])) for leaf, ways in joined.leaves]
            block.results = list(map(builder.atom, parts))
    hints = joined.hints
    results = [builder.variable(leaf_type(leaf), hint) for (leaf, _), hint in zip(joined.leaves, hints, strict=True)]
    if results or any(block.statements for block in blocks):
        builder.append(Branch(builder.atom(condition), *blocks, results, place))
    joined.set([Symbol(builder, result) for result in results])
    for ending in endings:
        for cell, reason in ending.poisoned.items():
            cell.poison = reason


def _side(
    reader: Reader,
    state: State,
    block: Block,
    action: Callable[[], None],
    live: frozenset[str] | None,
    condition: Symbol,
) -> Ending:
    with reader.builder.inside(block), suppress(Unreachable):
        action()
    ending = Ending(reader, state, live)
    for change in ending.changes.values():
        if isinstance(change, ContainerSlot):
            kind = type(change.container).__name__
            remedy = f"give the {kind} all its items before, and replace them, or use an array"
            raise NeedsStatic(condition, f"whether a {kind} gets or loses items", remedy=remedy)
    state.restore()
    return ending


def branch_value(reader: Reader, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """The value of one of two expressions.

    Raises:
        UnsupportedError: no variable can hold either.
    """
    names = reader.frame.names

    def keep(expression: Callable[[], Any]) -> Callable[[], None]:
        def action() -> None:
            names[VALUE] = expression()

        return action

    branch(reader, condition, keep(then), keep(otherwise))
    value = names.pop(VALUE, NOTHING)
    if value is NOTHING:
        raise Unreachable
    if isinstance(value, Unset):
        raise UnsupportedError(f"a conditional expression was used {value.reason}")
    return value
