"""Lists that a loop appends to, once in each iteration: the rows of an array that is there before the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograde.python.reading.changes import seen
from retrograde.python.reading.kinds import ArrayLeaf, Leaf, NumberLeaf, general, join, leaf_type
from retrograde.python.reading.series import Series
from retrograde.python.reading.values import Array, Cell, ContainerSlot

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


class Growing(Series):
    """A list to which each iteration of a loop appends one element.

    Args:
        reader: the reader.
        before: the elements before the loop.
        count: the number of iterations.
        leaf: what the elements are.
        key: which loop.
    """

    def __init__(self, reader: Reader, before: list[Any], count: Any, leaf: Leaf, key: Any) -> None:
        builder, heap = reader.builder, reader.heap
        total = count + len(before) if before else count
        sizes = leaf.sizes if isinstance(leaf, ArrayLeaf) else ()
        shape = (heap.symbol(total), *map(builder.sizes.named, sizes))
        array = heap.array(builder.zeros(shape, leaf_type(leaf).dtype))
        for at, element in enumerate(before):
            array[at] = element
        super().__init__(array, total, leaf.weak if isinstance(leaf, NumberLeaf) else None, key)
        self._reader = reader
        self._first = len(before)
        self._index: Any = None
        self._block: Any = None
        self.appended = False
        self._kept = [element.cell for element in before if isinstance(element, Array)]
        self._last: tuple[Cell, Any] | None = None

    def begin(self, index: Any) -> None:
        """Begin an iteration."""
        self._index = index + self._first if self._first else index
        self._block = self._reader.builder.open_block
        self.appended = False
        self.count = self._index
        self._last = None

    def append(self, value: Any) -> None:
        """Append an element: the only one of the iteration."""
        if self._reader.builder.open_block is not self._block or self.appended:
            self.refuse()
        self.array[self._index] = value
        self._last = (value.cell, value.cell.version) if isinstance(value, Array) else None
        self.appended = True
        self.count = self._index + 1

    def end(self) -> None:
        """End an iteration.

        The rows are copies, and the elements of a list are the arrays themselves: none may be written later.
        """
        if not self.appended or (self._last is not None and self._last[0].version is not self._last[1]):
            self.refuse()

    @property
    def cells(self) -> list[Cell]:
        """The array objects that are in the list."""
        return self._kept if self._last is None else [*self._kept, self._last[0]]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index < 0:
            index = self.count + index
        return super().__getitem__(index)

    def finished(self) -> Series:
        """The list behind the loop."""
        return Series(self.array, self._total(), self.kind, self.key)

    def _total(self) -> Any:
        return self.array.shape[0]


def growth(reader: Reader, change: ContainerSlot) -> tuple[str, Leaf] | None:
    """The name of a list to which an iteration appended one element, and what that is; None if it is no such list."""
    held, before = change.container, change.before
    if not isinstance(held, list) or len(held) != len(before) + 1:  # pyright: ignore[reportUnknownArgumentType]
        return None
    if any(one is not other for one, other in zip(held, before, strict=False)):  # pyright: ignore
        return None
    names = [name for name, value in reader.frame.names.items() if value is held]
    others = (value for frame in reader.frames[:-1] for value in frame.names.values())
    if len(names) != 1 or any(value is held for value in others):
        return None
    kind: Any = general(seen(held[-1]))  # pyright: ignore[reportUnknownArgumentType]
    for element in before:
        kind = join(kind, seen(element))
    if not isinstance(kind, (NumberLeaf, ArrayLeaf)):
        return None
    sizes = kind.sizes if isinstance(kind, ArrayLeaf) else ()
    return (names[0], kind) if all(map(reader.builder.sizes.is_named, sizes)) else None


def grown(reader: Reader, key: Any, count: Any) -> dict[str, Growing]:
    """Put what grows in a loop in the place of the lists that are known to."""
    found: dict[str, Growing] = {}
    for name, leaf in reader.assumptions.growing.get(key, {}).items():
        before: Any = reader.frame.names[name]
        found[name] = reader.frame.names[name] = Growing(reader, before, count, leaf, key)
        reader.builder.hint(found[name].array.cell.version, name)
    return found
