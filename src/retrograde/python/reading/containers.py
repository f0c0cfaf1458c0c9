"""Lists, dicts and objects of the function that a region may change: what they held, and what was changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from retrograde.python.reading.kinds import same


@dataclass(frozen=True, slots=True)
class Item:
    """A place in a container.

    Attributes:
        container: a list, a dict, or the attributes of an object.
        key: which item.
    """

    container: Any
    key: Any

    @property
    def identity(self) -> Any:
        """What tells places apart."""
        return id(self.container), self.key

    def get(self) -> Any:
        """What is there now."""
        return self.container[self.key]

    def set(self, value: Any) -> None:
        """Put something else there."""
        self.container[self.key] = value


class Snapshot:
    """What containers hold at a moment.

    Args:
        roots: values; everything that can be reached from them is remembered.
        objects: the objects that were made while the function was read, by identity.
    """

    def __init__(self, roots: Iterable[Any], objects: dict[int, Any]) -> None:
        self._held: dict[int, tuple[Any, Any]] = {}
        todo = [*roots, *objects.values()]
        while todo:
            value = todo.pop()
            if id(value) in objects and hasattr(value, "__dict__"):
                value = value.__dict__
            if isinstance(value, tuple):
                todo += value
            elif isinstance(value, (list, dict, set)) and id(value) not in self._held:
                self._held[id(value)] = (value, value.copy())
                todo += value.values() if isinstance(value, dict) else value

    def restore(self) -> None:
        """Give every container back what it held."""
        for container, content in self._held.values():
            container.clear()
            if isinstance(container, list):
                container += content
            else:
                container.update(content)

    def changes(self) -> list[tuple[Item, Any]]:
        """The items that are other ones now, each with what was there before."""
        found: list[tuple[Item, Any]] = []
        for container, content in self._held.values():
            if isinstance(container, set) or _keys(container) != _keys(content):
                continue
            for key in _keys(container):
                if not same(container[key], content[key]):
                    found.append((Item(container, key), content[key]))
        return found

    def resized(self) -> str | None:
        """What kind of container has items that it did not have, or has lost some; None if none has."""
        for container, content in self._held.values():
            differs = container != content if isinstance(container, set) else _keys(container) != _keys(content)
            if differs:
                return type(container).__name__
        return None


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))
