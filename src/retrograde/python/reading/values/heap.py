"""Array objects in memory, as far as reading follows them: what each holds now, and which may be one."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.program.types import Size
from retrograde.python.reading.values.slots import CellSlot, Slot, Snapshot, snapshot

if TYPE_CHECKING:
    from retrograde.python.reading.values.arrays import Array
    from retrograde.python.reading.values.numbers import Number


class Cell:
    """One array object in memory.

    Attributes:
        number: counts the cells of a heap in the order in which they were made.
        contiguous: whether it certainly lies in memory row by row, so that a reshaped one shares its memory.
    """

    __slots__ = ("_heap", "_poison", "_sharing", "_version", "contiguous", "number")

    def __init__(self, heap: Heap, number: int, version: Any, contiguous: bool) -> None:
        self._heap = heap
        self._version = version
        self._poison: str | None = None
        self._sharing: frozenset[Cell] = frozenset()
        self.number = number
        self.contiguous = contiguous

    @property
    def version(self) -> Any:
        """What it holds now: a symbol, or an array that is known already."""
        return self._version

    @version.setter
    def version(self, version: Any) -> None:
        self._heap.note(self)
        self._version = version

    @property
    def poison(self) -> str | None:
        """Why what it holds is not known, as the error says it; None if it is known."""
        return self._poison

    @poison.setter
    def poison(self, reason: str | None) -> None:
        self._heap.note(self)
        self._poison = reason

    @property
    def may_share(self) -> frozenset[Cell]:
        """Cells that may stand for the same memory: reading cannot tell."""
        return self._sharing

    def share_with(self, other: Cell) -> None:
        """Say that two cells may be one in memory: a write of one makes the other unknown."""
        if other is self:
            return
        for one, another in ((self, other), (other, self)):
            self._heap.note(one)
            one._sharing |= {another}

    def read(self) -> Any:
        """What it holds.

        Raises:
            UnsupportedError: an array that may be the same one was written.
        """
        if self._poison is not None:
            raise UnsupportedError(self._poison)
        return self._version

    def write(self, version: Any) -> None:
        """Change what it holds.

        Raises:
            UnsupportedError: an array that may be the same one was written before.
        """
        self.read()
        self.version = version
        for other in self._sharing:
            if other._poison is None:
                other.poison = _SHARED

    def __repr__(self) -> str:
        return f"cell {self.number} of {self._version!r}"

    def state(self) -> tuple[Any, ...]:
        """What a mark remembers."""
        return self._version, self._poison, self._sharing

    def reset(self, state: tuple[Any, ...]) -> None:
        """Take a remembered state."""
        self._version, self._poison, self._sharing = state


_SHARED = (
    "an array was written that may be the same one in memory as this array, or a part of it, and only the run knows; "
    "take a copy where the second name is made (`v = u.copy()`), or write both by index"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the history of a heap, and what containers held then."""

    changes: int
    cells: int
    containers: Snapshot


class Heap:
    """The array objects of one reading, and the history of their changes.

    Args:
        builder: makes the program.

    Attributes:
        builder: what it was made with.
        is_at_least: whether a size may be taken to be a number or more in all runs of the program.
        check: has the run raise an exception where a boolean is true: called with that, the type and the message.
        is_counter: whether a variable counts the iterations of a loop.
        is_carried: whether a variable is what a loop carries from one iteration to the next.

    Example:
        >>> import retrograde.rules
        >>> heap = Heap(ProgramBuilder("double"))
        >>> x = heap.array(heap.builder.input("x", "float64", ("n",)))
        >>> row = x[1:]
        >>> row *= 2.0
        >>> print(heap.builder.finish(x=x.read()))
        program double(x: float64[n]):
            a: float64[n-1] = x[1:]
            b: float64[n-1] = a * 2.0
            c: float64[n] = update x[1:] = b
            return x=c
    """

    def __init__(self, builder: ProgramBuilder) -> None:
        self.builder = builder
        self.is_at_least: Callable[[Size, int], bool] = lambda size, least: False
        self.check: Callable[[Any, type[Exception], str], None] = lambda fails, kind, message: None
        self.is_counter: Callable[[Any], bool] = lambda variable: False
        self.is_carried: Callable[[Any], bool] = lambda variable: False
        self._count = 0
        self._history: list[tuple[Cell, tuple[Any, ...]]] = []

    def array(self, value: Any, *, contiguous: bool = True) -> Array:
        """A new array object that holds a symbol, or an array that is known."""
        from retrograde.python.reading.values.arrays import Array

        self._count += 1
        if is_ndarray(value):
            value = np.array(value)
            value.flags.writeable = False
        return Array(self, Cell(self, self._count, value, contiguous))

    def number(self, symbol: Any, kind: type | None = None) -> Number:
        """A number: one of Python if `kind` says of which type, else one of NumPy."""
        from retrograde.python.reading.values.numbers import Number

        return Number(self, symbol, kind)

    def wrap(self, value: Any) -> Any:
        """What NumPy's code made: symbols become arrays and numbers, in containers as well."""
        if isinstance(value, Symbol):
            return self.array(value) if value.ndim else self.number(value)
        if is_ndarray(value):
            return self.array(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.wrap, value))  # pyright: ignore
        if isinstance(value, (tuple, list)):
            return type(value)(map(self.wrap, value))  # pyright: ignore
        return value

    def note(self, cell: Cell) -> None:
        """Remember the state of a cell that is about to change."""
        self._history.append((cell, cell.state()))

    def symbol(self, value: Any) -> Any:
        """A value as an operand: the symbol of a handle, an array of a list, a constant as it is."""
        from retrograde.python.reading.values.operations import opened

        return opened(value)

    def condition(self, value: Any) -> Any:
        """The truth of a number, or of an array of one element, as a symbol; a bool where it is known.

        Raises:
            UsageError: it is the truth of an array of several elements.
        """
        content = self.symbol(value)
        if not isinstance(content, Symbol):
            return bool(content)
        if content.ndim:
            if any(extent != 1 for extent in content.extents):
                raise UsageError(
                    "the truth of an array with more than one element was asked for, which is ambiguous; write "
                    "np.any(x) or np.all(x), or np.where to choose element by element"
                )
            content = PRIMITIVES["reshape"](content, ())
        return content if content.dtype.kind == "b" else content != content.dtype.type(0)

    def detached(self, symbol: Any, handles: Iterable[Any]) -> Array:
        """A new array object that may be the same in memory as some that are there: only the run knows.

        A write of one of them makes the others unknown, which is an error if they are used afterwards.
        """
        made = self.array(symbol, contiguous=False)
        for handle in handles:
            made.cell.share_with(handle.cell)
        return made

    def mark(self, roots: Iterable[Any] = ()) -> Mark:
        """This moment.

        Args:
            roots: values; the lists, dicts and sets that can be reached from them are remembered, too.
        """
        return Mark(len(self._history), self._count, snapshot(roots))

    def changes(self, mark: Mark) -> list[Slot]:
        """The places that were there at a mark, and hold something else now."""
        before: dict[Cell, Any] = {}
        for cell, state in self._history[mark.changes :]:
            if cell.number <= mark.cells:
                before.setdefault(cell, state[0])
        changed = sorted(
            (cell for cell, version in before.items() if cell.version is not version), key=lambda cell: cell.number
        )
        return [*(CellSlot(cell, before[cell]) for cell in changed), *mark.containers.changes()]

    def poisoned_since(self, mark: Mark) -> list[Cell]:
        """The cells that were known at a mark, and are not any more."""
        cells = {cell: None for cell, state in self._history[mark.changes :] if state[1] is None}
        return [cell for cell in cells if cell.poison is not None and cell.number <= mark.cells]

    def states_since(self, mark: Mark) -> dict[Cell, Any]:
        """The states of all cells that were changed since a mark, those made since then included."""
        return {cell: cell.state() for cell, _ in self._history[mark.changes :]}

    def resume(self, states: dict[Cell, Any]) -> None:
        """Give cells the states that they had."""
        for cell, state in states.items():
            self.note(cell)
            cell.reset(state)

    def restore(self, mark: Mark) -> None:
        """Take back all changes since a mark."""
        for cell, state in reversed(self._history[mark.changes :]):
            cell.reset(state)
        del self._history[mark.changes :]
        mark.containers.restore()
