"""What `a.flat` gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.handle import Value


class Flat(Value):
    """The elements in C order: reading makes copies, writing writes into the array."""

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self.heap = array.heap
        self._array = array

    def __len__(self) -> int:
        return len(self._array.raveled())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._array.raveled())

    def __getitem__(self, index: Any) -> Any:
        part = self._array.raveled()[index]
        return part.copy()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._array.raveled()[index] = value
