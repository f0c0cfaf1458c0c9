"""What reading a region changed: names, array objects, items of containers; and going back to before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from retrograde.python.reading.frames import Maybe, Unset
from retrograde.python.reading.kinds import Seen, map_arrays, same
from retrograde.python.reading.values import Array, Cell, CellSlot, ContainerSlot, Slot

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

NOTHING = Unset("")
"""What a name stands for that was never set."""


class NameSlot:
    """A name of the function that is being read.

    Attributes:
        name: it.
        before: what it stood for.
    """

    __slots__ = ("_names", "before", "name")

    def __init__(self, reader: Reader, name: str, before: Any) -> None:
        self._names = reader.frame.names
        self.name = name
        self.before = before

    @property
    def key(self) -> Any:
        """The same for the same name."""
        return self.name

    def get(self) -> Any:
        """What it stands for now."""
        return self._names.get(self.name, NOTHING)

    def set(self, value: Any) -> None:
        """Bind it."""
        if isinstance(value, Unset) and not value.reason:
            self._names.pop(self.name, None)
        else:
            self._names[self.name] = value


Place = NameSlot | Slot


class State:
    """The names, array objects and containers of a moment.

    Args:
        reader: the reader.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.names = dict(reader.frame.names)
        roots = [_held(value) for frame in reader.frames for value in frame.names.values()]
        roots += [vars(owned) for owned in reader.objects.values()]
        self.mark = reader.heap.mark(roots)

    def restore(self) -> None:
        """Go back to it."""
        self._reader.heap.restore(self.mark)
        self._reader.frame.names.clear()
        self._reader.frame.names.update(self.names)

    def is_old(self, cell: Cell) -> bool:
        """Whether an array object was there already."""
        return cell.number <= self.mark.cells

    def changes(self, live: frozenset[str] | None) -> list[Place]:
        """What is another now, and still read: `live` are the names that are, None for all."""
        names = self._reader.frame.names
        found: list[Place] = []
        for name in {**self.names, **names}:
            before = self.names.get(name, NOTHING)
            if _is_live(name, live) and not same(before, names.get(name, NOTHING)):
                found.append(NameSlot(self._reader, name, before))
        slots = self._reader.heap.changes(self.mark)
        return [*found, *(slot for slot in slots if not _is_same(slot))]


def _held(value: Any) -> Any:
    return value.value if isinstance(value, Maybe) else value


def _is_live(name: str, live: frozenset[str] | None) -> bool:
    return live is None or name in live or not name.isidentifier()


def _is_same(slot: Slot) -> bool:
    return not isinstance(slot, (CellSlot, ContainerSlot)) and same(slot.before, slot.get())


class Ending:
    """What a region left behind, to be looked at after going back to before it.

    Args:
        reader: the reader, at the end of the region.
        state: the state before it.
        live: the names that are still read; None for all.
    """

    def __init__(self, reader: Reader, state: State, live: frozenset[str] | None) -> None:
        self._reader = reader
        self._state = state
        self.changes: dict[Any, Place] = {change.key: change for change in state.changes(live)}
        self._values = {key: change.get() for key, change in self.changes.items()}
        self._cells = reader.heap.states_since(state.mark)
        self.poisoned = {cell: cell.poison for cell in reader.heap.poisoned_since(state.mark)}

    def seen(self, places: Iterable[Place]) -> list[Any]:
        """What was at places, with the contents of arrays; to be called where the region's block is open."""
        heap = self._reader.heap
        mark = heap.mark()
        heap.resume(self._cells)
        found = [self._seen_at(place) for place in places]
        heap.restore(mark)
        return found

    def _seen_at(self, place: Place) -> Any:
        if isinstance(place, CellSlot):
            cell = place.cell
            return Seen(Array(self._reader.heap, cell), cell.version, cell.may_share)
        return map_arrays(seen, self._values.get(place.key, place.before))


def seen(value: Any) -> Any:
    """A value, and of an array what it holds."""
    if not isinstance(value, Array):
        return value
    poison = value.cell.poison
    return Unset(f"although {poison}") if poison else Seen(value, value.read(), value.cell.may_share)
