"""Branches by what only the run knows: both sides are read, and what they leave behind is joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retrograde.errors import UnsupportedError
from retrograde.program.builder import Symbol
from retrograde.program.model import Block, Branch
from retrograde.python.reading.containers import Item, Snapshot
from retrograde.python.reading.frames import Unset
from retrograde.python.reading.kinds import (
    ArrayLeaf,
    Fixed,
    Kind,
    NumberLeaf,
    content_of,
    join,
    leaf_type,
    leaves_of,
    operand_for,
    rebuilt,
    same,
)
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.heap import Cell

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

VALUE = "value of the expression"
"""The name under which the value of a conditional expression leaves its region; it is none of the user's."""

_NOTHING = Unset("")


class State:
    """What can change while a region is read: names, array objects, containers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.names = dict(reader.frame.names)
        self.mark = reader.heap.mark()
        roots = [value for frame in reader.frames for value in frame.names.values()]
        self.containers = Snapshot(roots, reader.objects)

    def restore(self) -> None:
        """Go back."""
        self._reader.heap.restore(self.mark)
        self._reader.frame.names.clear()
        self._reader.frame.names.update(self.names)
        self.containers.restore()

    def is_old(self, cell: Cell) -> bool:
        """Whether an array object was there already."""
        return cell.number <= self.mark.cells


class Change:
    """A name, an item or an array object that was changed, and what it came to be.

    Attributes:
        target: the name, the `Item` or the `Cell`.
        before: what it was.
    """

    __slots__ = ("before", "target")

    def __init__(self, target: str | Item | Cell, before: Any) -> None:
        self.target = target
        self.before = before

    @property
    def identity(self) -> Any:
        """What tells changes apart."""
        return self.target.identity if isinstance(self.target, Item) else self.target

    def get(self, reader: Reader) -> Any:
        """What it is now."""
        if isinstance(self.target, str):
            return reader.frame.names.get(self.target, _NOTHING)
        if isinstance(self.target, Item):
            return self.target.get()
        return Content(self.target.version)

    def set(self, reader: Reader, value: Any) -> None:
        """Make it something."""
        if isinstance(self.target, Item):
            self.target.set(value)
        elif isinstance(self.target, Cell):
            self.target.version = value.version if isinstance(value, Content) else value.read()
        elif isinstance(value, Unset) and not value.reason:
            reader.frame.names.pop(self.target, None)
        else:
            reader.frame.names[self.target] = value

    def hint(self) -> str:
        """What the user calls it."""
        return self.target if isinstance(self.target, str) and self.target.isidentifier() else ""


class Content:
    """What an array object holds: its elements alone, whoever stands for it."""

    __slots__ = ("version",)

    def __init__(self, version: Any) -> None:
        self.version = version


def changes_since(reader: Reader, state: State, live: frozenset[str] | None) -> list[Change]:
    """What was changed since a state, and is still of interest.

    Args:
        reader: the reader.
        state: the state before.
        live: the names that are; None for all.
    """
    names = reader.frame.names
    found: list[Change] = []
    for name in {**state.names, **names}:
        before = state.names.get(name, _NOTHING)
        if is_of_interest(name, live) and not same(before, names.get(name, _NOTHING)):
            found.append(Change(name, before))
    found += [Change(item, before) for item, before in state.containers.changes()]
    found += [Change(cell, None) for cell in reader.heap.changed_since(state.mark)]
    return found


def is_of_interest(name: str, live: frozenset[str] | None) -> bool:
    """Whether a name is still read; those that are none of the user's always are."""
    return live is None or name in live or not name.isidentifier()


class Side:
    """One side of a branch after it was read: its block, and what it left behind."""

    def __init__(self, reader: Reader, state: State, action: Callable[[], None], live: frozenset[str] | None) -> None:
        self.block = Block()
        with reader.builder.inside(self.block):
            action()
            kind = state.containers.resized()
            if kind is not None:
                raise UnsupportedError(
                    f"a {kind} got or lost items where only the run knows whether it does; give it all its items "
                    "before, and replace them, or use an array"
                )
            self.changes = {change.identity: change for change in changes_since(reader, state, live)}
            self.values = {key: change.get(reader) for key, change in self.changes.items()}
            self.poisoned = {cell: cell.poison for cell in reader.heap.changed_since(state.mark) if cell.poison}
            self._contents: dict[int, Any] = {}
            for value in self.values.values():
                self._note(value)
        state.restore()

    def _note(self, value: Any) -> None:
        """Arrays are read while the block is open and the state is that of its end."""
        if isinstance(value, (tuple, list)):
            for part in value:  # pyright: ignore
                self._note(part)
        elif isinstance(value, dict):
            self._note(tuple(value.values()))  # pyright: ignore
        elif isinstance(value, Array):
            self._contents[id(value)] = value.cell.poison and Unset(value.cell.poison) or value.read()

    def content(self, value: Any) -> Any:
        """What a leaf held at the end."""
        return self._contents[id(value)] if id(value) in self._contents else content_of(value)


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
    state = State(reader)
    sides = [Side(reader, state, action, live) for action in (then, otherwise)]
    changes = sides[0].changes | sides[1].changes
    joined = Joined(reader, state)
    for key, change in changes.items():
        present = [side.values.get(key, _NOTHING) for side in sides]
        unchanged = Content(change.target.version) if isinstance(change.target, Cell) else change.before
        values = [side.values[key] if key in side.values else unchanged for side in sides]
        del present
        joined.add(change, values)
    for at, side in enumerate(sides):
        with builder.inside(side.block):
            side.block.results = [
                builder.atom(operand_for(reader, leaf, side.content(parts[at]))) for leaf, parts in joined.leaves
            ]
    results = [builder.variable(leaf_type(leaf), hint) for (leaf, _), hint in zip(joined.leaves, joined.hints, strict=True)]
    if results or sides[0].block.statements or sides[1].block.statements:
        builder.append(Branch(builder.atom(condition), sides[0].block, sides[1].block, results, builder.place))
    joined.set([Symbol(builder, result) for result in results])
    for side in sides:
        for cell, reason in side.poisoned.items():
            cell.poison = reason


def branch_value(
    reader: Reader, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]
) -> Any:
    """The value of one of two expressions."""
    names = reader.frame.names

    def keep(expression: Callable[[], Any]) -> Callable[[], None]:
        def action() -> None:
            names[VALUE] = expression()

        return action

    branch(reader, condition, keep(then), keep(otherwise))
    value = names.pop(VALUE)
    if isinstance(value, Unset):
        raise UnsupportedError(f"a conditional expression was read {value.reason}")
    return value


class Joined:
    """What the ways into one place leave behind, in variables that can hold either.

    Attributes:
        leaves: the numbers and arrays that are handed on: of what kind, and the value on each way.
        hints: what the user calls them.
    """

    def __init__(self, reader: Reader, state: State) -> None:
        self._reader = reader
        self._state = state
        self._changes: list[tuple[Change, Kind]] = []
        self.leaves: list[tuple[NumberLeaf | ArrayLeaf, list[Any]]] = []
        self.hints: list[str] = []

    def add(self, change: Change, values: list[Any]) -> None:
        """Join a change's values on the ways."""
        kind: Kind = Fixed(values[0])
        if isinstance(change.target, Cell):
            kind = ArrayLeaf(*_joined_content(self._reader, values))
            values = [value.version for value in values]
        else:
            for value in values[1:]:
                kind = join(kind, value)
        self._changes.append((change, kind))
        ways = [list(leaves_of(kind, value)) for value in values]
        for parts in zip(*ways, strict=True):
            self.leaves.append((parts[0][0], [value for _, value in parts]))
            self.hints.append(change.hint() or self._name_of(change))

    def _name_of(self, change: Change) -> str:
        if not isinstance(change.target, Cell):
            return ""
        names = self._reader.frame.names.items()
        return next(
            (name for name, value in names if isinstance(value, Array) and value.cell is change.target and not value.path),
            "",
        )

    def set(self, symbols: list[Symbol]) -> None:
        """Make names, items and array objects what the joined variables hold."""
        made = Made(self._reader, self._state, iter(zip(symbols, self.leaves, strict=True)))
        for change, kind in self._changes:
            if isinstance(change.target, Cell):
                change.target.version = made.symbol()
            else:
                change.set(self._reader, rebuilt(kind, made.value))
        made.share()


class Made:
    """The values that stand for joined variables, and which of the arrays among them may be one in memory."""

    def __init__(self, reader: Reader, state: State, parts: Any) -> None:
        self._reader = reader
        self._state = state
        self._parts = parts
        self._arrays: list[tuple[Array, list[Any]]] = []

    def symbol(self) -> Symbol:
        """The next variable."""
        symbol, _ = next(self._parts)
        self._reader.named.add(symbol.variable)
        return symbol

    def value(self, leaf: NumberLeaf | ArrayLeaf) -> Any:
        """The value that the next variable stands for."""
        symbol, (_, ways) = next(self._parts)
        if symbol.variable.name.isidentifier():
            self._reader.named.add(symbol.variable)
        if isinstance(leaf, NumberLeaf):
            return self._reader.heap.number(symbol, leaf.weak)
        for array, others in self._arrays:
            if all(isinstance(way, Array) and same(way, other) for way, other in zip(ways, others, strict=True)):
                return array
        made = self._reader.heap.array(symbol, contiguous=leaf.contiguous)
        self._arrays.append((made, ways))
        return made

    def share(self) -> None:
        """Say which array objects may be the same."""
        for at, (array, ways) in enumerate(self._arrays):
            cells = [way.cell for way in ways if isinstance(way, Array)]
            for cell in cells:
                if self._state.is_old(cell):
                    array.cell.share_with(cell)
            for other, others in self._arrays[:at]:
                if any(isinstance(way, Array) and way.cell in cells for way in others):
                    array.cell.share_with(other.cell)


def _joined_content(reader: Reader, values: list[Content]) -> tuple[Any, ...]:
    """Dtype and sizes of what an array object holds on some way or other."""
    types = [reader.content_type(value.version) for value in values]
    sizes = tuple(
        extents[0] if all(extent == extents[0] for extent in extents) else None
        for extents in zip(*(found.sizes for found in types), strict=True)
    )
    return types[0].dtype, sizes
