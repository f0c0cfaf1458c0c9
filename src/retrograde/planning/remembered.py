"""What searches of this process have found, kept for the graphs that were asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

MOST_GRAPHS = 8
"""Graphs for which something is remembered; those asked for longest ago are forgotten."""

_all: list[Remembered[Any]] = []


class Remembered(Generic[Item]):
    """Items by key, as many as ``MOST_GRAPHS``.

    Attributes:
        lock: to be held while an item is used: searches of several threads take turns.

    Example:
        >>> plans = Remembered[list[int]]()
        >>> plans.recall("a graph", list).append(7)
        >>> plans.recall("a graph", list), plans.known("another")
        ([7], None)
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._items: OrderedDict[Hashable, Item] = OrderedDict()
        _all.append(self)

    def __len__(self) -> int:
        return len(self._items)

    def recall(self, key: Hashable, make: Callable[[], Item]) -> Item:
        """The item of a key, made if there is none."""
        with self.lock:
            if key not in self._items:
                self._items[key] = make()
            self._items.move_to_end(key)
            while len(self._items) > MOST_GRAPHS:
                self._items.popitem(last=False)
            return self._items[key]

    def known(self, key: Hashable) -> Item | None:
        """The item of a key, None if there is none."""
        with self.lock:
            return self._items.get(key)

    def forget(self) -> None:
        """Forget every item."""
        with self.lock:
            self._items.clear()


def forget() -> None:
    """Forget every plan that was found in this process, with choices, with tiers or without."""
    for remembered in _all:
        remembered.forget()
