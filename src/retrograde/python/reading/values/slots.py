"""What a region may change: cells and the items of containers, found by running it on trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrograde.python.reading.values.heap import Cell


class CellSlot:
    """What an array object holds: a symbol, or an array that is known.

    Attributes:
        cell: the array object.
        before: what it held at the mark.
    """

    __slots__ = ("before", "cell")

    def __init__(self, cell: Cell, before: Any) -> None:
        self.cell = cell
        self.before = before

    @property
    def key(self) -> Any:
        """The same for the same place."""
        return self.cell

    def get(self) -> Any:
        """What it holds now."""
        return self.cell.version

    def set(self, value: Any) -> None:
        """Put something else there."""
        self.cell.version = value


class ItemSlot:
    """An item of a list or a dict.

    Attributes:
        container: the list or dict.
        item: the index or key.
        before: what was there at the mark.
    """

    __slots__ = ("before", "container", "item")

    def __init__(self, container: Any, item: Any, before: Any) -> None:
        self.container = container
        self.item = item
        self.before = before

    @property
    def key(self) -> Any:
        """The same for the same place."""
        return id(self.container), self.item

    def get(self) -> Any:
        """What is there now."""
        return self.container[self.item]

    def set(self, value: Any) -> None:
        """Put something else there."""
        self.container[self.item] = value


class ContainerSlot:
    """A list, dict or set that has other places now than it had.

    Attributes:
        container: it.
        before: a copy of it at the mark.
    """

    __slots__ = ("before", "container")

    def __init__(self, container: Any, before: Any) -> None:
        self.container = container
        self.before = before

    @property
    def key(self) -> Any:
        """The same for the same place."""
        return id(self.container)

    def get(self) -> Any:
        """The container."""
        return self.container

    def set(self, value: Any) -> None:
        """Give the container other content."""
        refill(self.container, value)


Slot = CellSlot | ItemSlot | ContainerSlot


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the containers that can be reached hold at a moment."""

    contents: list[tuple[Any, Any]]

    def changes(self) -> Iterator[ItemSlot | ContainerSlot]:
        """The items that are others now."""
        for container, before in self.contents:
            if isinstance(container, set) or _places(container) != _places(before):
                if not _same(container, before):
                    yield ContainerSlot(container, before)
                continue
            for item in _places(before):
                if container[item] is not before[item]:
                    yield ItemSlot(container, item, before[item])

    def restore(self) -> None:
        """Give all containers the content that they had."""
        for container, before in self.contents:
            if not _same(container, before):
                refill(container, before)


def snapshot(roots: Iterable[Any]) -> Snapshot:
    """The content of all lists, dicts and sets that can be reached from values."""
    contents: list[tuple[Any, Any]] = []
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if not isinstance(value, (list, dict, set, tuple)) or id(value) in seen:  # pyright: ignore
            continue
        seen.add(id(value))  # pyright: ignore
        if not isinstance(value, tuple):
            contents.append((value, value.copy()))  # pyright: ignore
        waiting.extend(value.values() if isinstance(value, dict) else value)  # pyright: ignore
    return Snapshot(contents)


def refill(container: Any, content: Any) -> None:
    """Give a container the content of another one."""
    if isinstance(container, list):
        container[:] = content
        return
    content = content.copy()
    container.clear()
    container.update(content)


def _places(container: Any) -> Any:
    return list(container) if isinstance(container, dict) else range(len(container))  # pyright: ignore


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, set):
        return one == other
    if list(_places(one)) != list(_places(other)):
        return False
    return all(one[item] is other[item] for item in _places(one))
