"""Loops whose number of iterations only the run knows: the body is read until what it carries is known.

What a body changes is found by reading it on trial. Then it is read with variables in the place of that, again and
again, until what it leaves behind is of the kinds that it began with (a fixed point, as in abstract interpretation:
Cousot and Cousot 1977).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.model import Block, Loop, Variable
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType
from retrograde.python.reading.changes import NOTHING, Ending, NameSlot, Place, State, seen
from retrograde.python.reading.exchanges import Exchange, exchange_of
from retrograde.python.reading.frames import Maybe
from retrograde.python.reading.joining import Made, hint_for, hint_of, without_flag
from retrograde.python.reading.kinds import (
    Fixed,
    Kind,
    Leaf,
    Seen,
    content_of,
    general,
    join,
    leaf_type,
    leaves_of,
    map_arrays,
    union,
)
from retrograde.python.reading.operands import operand_for
from retrograde.python.reading.signals import ConditionChecks, NeedsUnrolling, Unreachable
from retrograde.python.reading.values import Array, Cell, CellSlot, ContainerSlot

if TYPE_CHECKING:
    from retrograde.python.reading.growing import Growing
    from retrograde.python.reading.reader import Reader

_INTEGER = ArrayType(np.dtype(np.int64))
_ATTEMPTS = 20


def loop_key(reader: Reader, node: ast.AST) -> Any:
    """What tells loops apart: the statement or comprehension, and the calls that led to it."""
    return (*(id(frame.source.node) for frame in reader.frames), id(node))


class Carried:
    """A place whose value goes from one iteration to the next.

    Attributes:
        place: a name, an array object, an item of a container.
        start: what is there before the loop.
        kind: what it is in all iterations.
        end: what an iteration left there, the last time that the body was read.
        head: of an array object, what it held when that iteration began.
        heads: the array objects that were there then, each with what it held.
    """

    def __init__(self, place: Place, start: Any, hint: str) -> None:
        self.place = place
        self.start = start
        self.kind: Kind = Fixed(start)
        self.end: Any = start
        self.head: Any = None
        self.heads: list[tuple[Cell, Any]] = []
        self.hint = hint

    def widen(self, end: Any) -> bool:
        """Take note of what an iteration left there: whether that is of another kind than before."""
        self.end = end
        before = self.kind
        if isinstance(self.place, CellSlot):
            self.kind = union(general(before.value) if isinstance(before, Fixed) else before, general(end))
        else:
            self.kind = without_flag(self.place, join(before, end))
        return not _is_same_kind(before, self.kind)

    def leaves(self, value: Any) -> list[Any]:
        """The numbers and arrays of a value that are carried."""
        return [part for _, part in leaves_of(self.kind, value)]


def _cells(value: Any) -> list[Cell]:
    """The array objects in a value."""
    found: list[Cell] = []

    def note(part: Any) -> None:
        array = part.array if isinstance(part, Seen) else part
        if isinstance(array, Array):
            found.append(array.cell)

    map_arrays(note, value)
    return found


def _is_same_kind(one: Kind, other: Kind) -> bool:
    return one is other or (not isinstance(one, Fixed) and one == other)


def _turns(count: Any) -> Any:
    """How often a loop with a count runs."""
    return max(count, 0) if isinstance(count, int) else np.maximum(count.symbol, 0)


class LoopReading:
    """The reading of one loop.

    Args:
        reader: the reader.
        key: which loop, for what is found out about it.
        count: how often it runs at most: an int or a number; None without a limit.
        body: reads the body, given the index.
        condition: reads what has to hold before an iteration: a bool or a symbol.
        live: the names that are read in later iterations, or behind the loop.
        hint: what the user calls the index, if the element is the index.
        growing: the lists to which the body appends.
    """

    def __init__(
        self,
        reader: Reader,
        key: Any,
        count: Any,
        body: Callable[[Any], None],
        condition: Callable[[], Any] | None,
        live: frozenset[str],
        hint: str,
        growing: Iterable[Growing] = (),
    ) -> None:
        self._reader = reader
        self._key = key
        self._count = count
        self._body = body
        self._condition = condition
        self._live = live
        self._hint = hint
        self._growing = growing
        self._place = reader.builder.place
        self._state = State(reader)
        self._carried: dict[Any, Carried] = {}
        self._poisoned: dict[Any, str | None] = {}
        self._exchange: Exchange | None = None

    def read(self) -> None:
        """Put the loop into the program; names, items and array objects are what it made of them."""
        for name in self._reader.regions.get(self._key, ()):
            self._note_name(name)
        for _ in range(_ATTEMPTS):
            back = self._reader.builder.checkpoint()
            block, end, found = self._attempt()
            if found is None:
                self._put(block, end)
                return
            back()
            for place, value in found:
                self._note(place).widen(value)
        raise UnsupportedError(  # pragma: no cover
            "what this loop carries from one iteration to the next keeps changing its kind; give each name one dtype "
            "and number of axes"
        )

    def _note_name(self, name: str) -> None:
        before = self._state.names.get(name, NOTHING)
        self._note(NameSlot(self._reader, name, before))

    def _note(self, place: Place) -> Carried:
        start = place.before
        if isinstance(place, CellSlot):
            start = Seen(Array(self._reader.heap, place.cell), start)
        else:
            start = map_arrays(seen, start)
        found = self._carried[place.key] = Carried(place, start, hint_of(self._reader, place))
        return found

    def _attempt(self) -> tuple[Block, Block | None, list[tuple[Place, Any]] | None]:
        """Read the body: what else it changed, if that is to be carried; None if it is as it was assumed to be."""
        reader, builder = self._reader, self._reader.builder
        block, index = self._entered()
        with builder.inside(block):
            with suppress(Unreachable):
                self._body(index)
            self._refuse_written_elements()
            ending = Ending(reader, self._state, self._live)
            self._refuse_resized(ending)
            new = [place for key, place in ending.changes.items() if key not in self._carried]
            carried = list(self._carried.values())
            ends = ending.seen([*(one.place for one in carried), *new])
        self._state.restore()
        stable = not new and ending.poisoned.keys() <= self._poisoned.keys()
        self._poisoned |= ending.poisoned
        for one, value in zip(carried, ends, strict=False):
            stable = not one.widen(value) and stable
            if isinstance(one.place, CellSlot) and content_of(value) is one.head:
                # It was changed only while no name had an array object of its own.
                del self._carried[one.place.key]
                stable = False
        if not stable:
            return block, None, list(zip(new, ends[len(carried) :], strict=True))
        self._exchange = exchange_of(carried)
        with builder.inside(block):
            self._leave(block)
        return block, self._asked(self._condition) if self._condition is not None else None, None

    def _asked(self, condition: Callable[[], Any]) -> Block:
        """The condition, as a function of what is carried."""
        reader, builder = self._reader, self._reader.builder
        block, _ = self._entered()
        entered = State(reader)
        with builder.inside(block):
            block.results = [builder.atom(condition())]
            changes = entered.changes(None)
            if changes and all(map(reader.is_check, changes)):
                raise ConditionChecks
            if changes:
                raise UnsupportedError(
                    "the condition of a `while` loop writes into an array or a container; write it in the body, and "
                    "leave with `if ...: break`"
                )
        self._state.restore()
        return block

    def _entered(self) -> tuple[Block, Any]:
        """A block in which the carried places hold parameters, and its index."""
        reader, builder = self._reader, self._reader.builder
        index = builder.variable(_INTEGER, self._hint)
        block = Block([index])
        if self._condition is not None:
            block.parameters.append(builder.variable(_INTEGER, self._hint))
        reader.indices[index] = self._key
        reader.counters.add(index)
        symbols: list[Symbol] = []
        leaves: list[tuple[Leaf, list[Any]]] = []
        for one in self._carried.values():
            for (leaf, start), end in zip(leaves_of(one.kind, one.start), one.leaves(one.end), strict=True):
                variable = builder.variable(leaf_type(leaf), hint_for(leaf, one.hint))
                reader.indices[variable] = self._key
                block.parameters.append(variable)
                symbols.append(Symbol(builder, variable))
                leaves.append((leaf, [start, end]))
        self._set(symbols, leaves)
        for cell, reason in self._poisoned.items():
            cell.poison = reason
        return block, reader.heap.number(Symbol(builder, index), int)

    def _set(self, symbols: list[Symbol], leaves: list[tuple[Leaf, list[Any]]]) -> None:
        made = Made(self._reader, self._state, iter(zip(symbols, leaves, strict=True)))
        for one in self._carried.values():
            made.put(one.place, one.kind, self._key)
            one.head = one.place.get() if isinstance(one.place, CellSlot) else None
            one.heads = [(cell, cell.version) for cell in _cells(one.place.get())]
        made.share()

    def _refuse_written_elements(self) -> None:
        """Arrays that were appended to a list are not to be written, by the names that they have in the next turn."""
        slots = self._reader.heap.changes(self._state.mark)
        changed = [slot.cell for slot in slots if isinstance(slot, CellSlot)]
        for growing in self._growing:
            for cell in growing.cells:
                names = (one for one in self._carried.values() if cell in _cells(one.place.get()))
                written = any(head.version is not version for one in names for head, version in one.heads)
                if written or cell in changed:
                    growing.refuse()

    def _note_counted(self) -> None:
        """Names that every iteration sets have a value if there was one."""
        for one in self._carried.values():
            value = one.place.get()
            if one.place.before is NOTHING and isinstance(value, Maybe) and not isinstance(one.end, Maybe):
                one.place.set(replace(value, count=self._count))

    def _share_elements(self) -> None:
        """What is in a list, and has a name behind the loop, is written by that name."""
        for growing in self._growing:
            for cell in growing.cells:
                if self._state.is_old(cell):
                    growing.array.cell.share_with(cell)
                for one in self._carried.values():
                    if cell in _cells(one.end):
                        for other in _cells(one.place.get()):
                            growing.array.cell.share_with(other)

    def _refuse_resized(self, ending: Ending) -> None:
        for change in ending.changes.values():
            if isinstance(change, ContainerSlot):
                from retrograde.python.reading.growing import growth

                found = growth(self._reader, change) if self._count is not None and not self._condition else None
                raise NeedsUnrolling(
                    self._key,
                    f"a {type(change.container).__name__} gets or loses items in a loop; give it all its items before, "
                    "and replace them, or write into an array (np.empty)",
                    at_once=True,
                    growing=found,
                )

    def _leave(self, block: Block) -> None:
        """What the body hands on to the next iteration."""
        builder = self._reader.builder
        if self._condition is not None:
            counter = Symbol(builder, block.parameters[1])
            block.results.append(builder.atom(counter + 1))
        for one in self._carried.values():
            for leaf, value in leaves_of(one.kind, one.end):
                block.results.append(builder.atom(operand_for(builder, leaf, content_of(value))))

    def _put(self, block: Block, end: Block | None) -> None:
        reader, builder = self._reader, self._reader.builder
        initial: list[Any] = [] if end is None else [np.int64(0)]
        results: list[Variable] = [] if end is None else [builder.variable(_INTEGER)]
        leaves: list[tuple[Leaf, list[Any]]] = []
        for one in self._carried.values():
            # Views are taken anew: what was taken for an earlier attempt was taken back.
            first = one.start if isinstance(one.place, CellSlot) else map_arrays(seen, one.place.before)
            for (leaf, start), last in zip(leaves_of(one.kind, first), one.leaves(one.end), strict=True):
                initial.append(builder.atom(operand_for(builder, leaf, content_of(start))))
                results.append(builder.variable(leaf_type(leaf), hint_for(leaf, one.hint)))
                leaves.append((leaf, [start, last]))
        count = builder.atom(reader.heap.symbol(self._count)) if self._count is not None else None
        builder.append(Loop(count, False, initial, [], block, results, end, self._place))
        offset = 0 if end is None else 1
        self._set([Symbol(builder, result) for result in results[offset:]], leaves)
        self._share_elements()
        if self._condition is None:
            self._note_counted()
        for cell, reason in self._poisoned.items():
            cell.poison = reason
        if self._exchange is not None:
            turns = Symbol(builder, results[0]) if end is not None else _turns(self._count)
            self._exchange.after(reader, turns)
        reader.regions[self._key] = [key for key in self._carried if isinstance(key, str)]
