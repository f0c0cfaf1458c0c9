"""What attempts to read a function find out: what has to be known, and which sizes go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from retrograde.program.types import Extent, Size

LEAST_SIZE = 2
"""Sizes below it are taken as they are: they decide what is broadcast, and what is empty."""

_LETTERS = "nmkpqrstabcdefghijlouvwxyz"


@dataclass(eq=False, slots=True)
class Assumptions:
    """What earlier attempts found has to be known while the function is read.

    Attributes:
        inputs: numbers among the inputs whose value is taken as it is in this call.
        sizes: sizes that are taken as they are in this call.
        names: what the sizes that are not are called.
        ties: sizes that are taken to be another one plus a constant: which one, and the constant.
        peeled: loops whose first iteration is read by itself.
        growing: by loop the lists to which each iteration appends one element, and what the elements are.
        unrolled: loops whose body is read once for each iteration.
        reasons: why they are.
    """

    inputs: set[str] = field(default_factory=set[str])
    sizes: set[int] = field(default_factory=set[int])
    names: dict[int, str] = field(default_factory=dict[int, str])
    ties: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    peeled: set[Any] = field(default_factory=set[Any])
    growing: dict[Any, dict[str, Any]] = field(default_factory=dict[Any, dict[str, Any]])
    unrolled: set[Any] = field(default_factory=set[Any])
    reasons: dict[Any, Any] = field(default_factory=dict[Any, Any])

    def is_fixed(self, extent: int) -> bool:
        """Whether a size is taken as it is."""
        base, _ = self.ties.get(extent, (extent, 0))
        return base < LEAST_SIZE or base in self.sizes or extent in self.sizes

    def size_of(self, extent: int, taken: set[str]) -> int | Size:
        """What is known of an axis that has some size in this call; new names are none of those taken."""
        if self.is_fixed(extent):
            return extent
        base, offset = self.ties.get(extent, (extent, 0))
        if base not in self.names:
            used = {*self.names.values(), *taken}
            self.names[base] = next(letter for letter in _letters() if letter not in used)
        return Size(self.names[base], offset)

    def value_of(self, extent: Extent, numbers: Mapping[str, int]) -> int | None:
        """How much a size is in this call, given the integers among the inputs; None if only the run knows."""
        if not isinstance(extent, Size):
            return extent
        found = numbers.get(extent.name)
        for value, name in self.names.items():
            if name == extent.name:
                found = value
        return None if found is None else found + extent.offset

    def grows(self, loop: Any, name: str, leaf: Any) -> bool:
        """Note a list to which a loop appends; whether that is news."""
        known = self.growing.setdefault(loop, {})
        if loop in self.unrolled or name in known:
            return False
        known[name] = leaf
        return True

    def tie(self, one: Size, other: Size, difference: int) -> bool:
        """Take a size to be another one plus a constant; whether that is news."""
        values = {name: value for value, name in self.names.items()}
        small, large = values.get(one.name), values.get(other.name)
        if small is None or large is None:
            return False
        if difference < 0:
            small, large, difference = large, small, -difference
        if large in self.ties or small in self.ties or large - small != difference or not difference:
            return False
        self.ties[large] = (small, difference)
        return True


def _letters() -> Iterator[str]:
    yield from _LETTERS
    yield from (f"{letter}{number}" for number in range(1, 100) for letter in _LETTERS)
