"""Joining what the ways into one place leave behind: one variable for each number and array that differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retrograde.program.symbol import Symbol
from retrograde.python.reading.changes import NameSlot, Place, State
from retrograde.python.reading.frames import EXIT, RETURNED
from retrograde.python.reading.kinds import (
    FLAG,
    Fixed,
    Kind,
    Leaf,
    NumberLeaf,
    Seen,
    certain,
    general,
    join,
    leaves_of,
    rebuilt,
    same,
    union,
)
from retrograde.python.reading.values import Array, CellSlot

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


_HINTS = {EXIT: "ended", RETURNED: "returned", "whether the loop goes on": "going"}


class Joined:
    """What is joined in one place.

    Attributes:
        leaves: the numbers and arrays that are handed on: of what kind, and the value on each way.
        hints: what the user calls them.
    """

    def __init__(self, reader: Reader, state: State) -> None:
        self._reader = reader
        self._state = state
        self._changes: list[tuple[Place, Kind]] = []
        self.leaves: list[tuple[Leaf, list[Any]]] = []
        self.hints: list[str] = []

    def add(self, change: Place, values: list[Any]) -> Kind:
        """Join a place's values on the ways."""
        kind = joined_kind(change, values)
        self._changes.append((change, kind))
        ways = [list(leaves_of(kind, value)) for value in values]
        for parts in zip(*ways, strict=True):
            self.leaves.append((parts[0][0], [value for _, value in parts]))
            self.hints.append(hint_for(parts[0][0], hint_of(self._reader, change)))
        return kind

    def set(self, symbols: list[Symbol]) -> None:
        """Make names, items and array objects what the joined variables hold."""
        made = Made(self._reader, self._state, iter(zip(symbols, self.leaves, strict=True)))
        for change, kind in self._changes:
            made.put(change, kind)
        made.share()


def joined_kind(change: Place, values: list[Any]) -> Kind:
    """The kind that holds all values of a place."""
    if isinstance(change, CellSlot):
        kind = general(values[0])
        for value in values[1:]:
            kind = union(kind, general(value))
        return kind
    kind = Fixed(values[0])
    for value in values[1:]:
        kind = join(kind, value)
    return without_flag(change, kind)


def without_flag(change: Place, kind: Kind) -> Kind:
    """A kind as the place needs it: whether the reader's own names have values is known by others."""
    return certain(kind) if isinstance(change, NameSlot) and not change.name.isidentifier() else kind


def hint_of(reader: Reader, change: Place) -> str:
    """What the user calls a place; nothing if it has no name."""
    if isinstance(change, NameSlot):
        return change.name if change.name.isidentifier() else _HINTS.get(change.name, "")
    if not isinstance(change, CellSlot):
        return change.item if isinstance(getattr(change, "item", None), str) else ""  # pyright: ignore
    for frame in reversed(reader.frames):
        for name, value in frame.names.items():
            if isinstance(value, Array) and value.cell is change.cell and not value.path and name.isidentifier():
                return name
    return getattr(getattr(change.before, "variable", None), "hint", "")


def hint_for(leaf: Leaf, hint: str) -> str:
    """What to call a part of what a place holds, given what the user calls the place."""
    return f"{hint}_is_set" if leaf is FLAG and hint else hint


class Made:
    """The values that stand for joined variables, and which of the arrays among them may be one in memory."""

    def __init__(self, reader: Reader, state: State, parts: Iterator[tuple[Symbol, tuple[Leaf, list[Any]]]]) -> None:
        self._reader = reader
        self._state = state
        self._parts = parts
        self._arrays: list[tuple[Array, list[Any]]] = []

    def put(self, change: Place, kind: Kind, loop: Any = None) -> None:
        """Make a place what the next variables hold."""
        if isinstance(change, CellSlot):
            change.set(next(self._parts)[0])
        else:
            value = rebuilt(kind, self._value, loop)
            self._reader.own(value)
            change.set(value)

    def _value(self, leaf: Leaf) -> Any:
        symbol, (_, ways) = next(self._parts)
        if isinstance(leaf, NumberLeaf):
            return self._reader.heap.number(symbol, leaf.weak)
        for array, others in self._arrays:
            if all(isinstance(way, Seen) and same(way, other) for way, other in zip(ways, others, strict=True)):
                return array
        made = self._reader.heap.array(symbol, contiguous=leaf.contiguous)
        self._arrays.append((made, ways))
        return made

    def share(self) -> None:
        """Say which array objects may be the same."""
        for at, (array, ways) in enumerate(self._arrays):
            for cell in [cell for way in ways if isinstance(way, Seen) for cell in way.cells()]:
                if self._state.is_old(cell):
                    array.cell.share_with(cell)
            for other, others in self._arrays[:at]:
                if any(map(_may_be_one, ways, others)):
                    array.cell.share_with(other.cell)


def _may_be_one(one: Any, other: Any) -> bool:
    """Whether two arrays that are there on one way may be the same."""
    return isinstance(one, Seen) and isinstance(other, Seen) and one.may_be(other)
