"""The elements of an argument's arrays as coordinates in a row, and unit directions along them in batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.autodiff.arguments import Call
from retrograde.autodiff.derivatives.sweeps import BATCH_BYTES, ends_of, total, units
from retrograde.autodiff.forward.linear_graph import Slot, Tangents
from retrograde.program.primitive import Array


class Coordinates:
    """The coordinates of a call.

    Attributes:
        count: how many there are.
        slots: for each array of the argument its slot.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.slots = [Slot(leaf) for leaf in call.leaves]
        self.count = total(self.slots)

    def parts(self) -> list[range]:
        """The coordinates in parts, so small that a batch of directions takes some megabytes."""
        width = max(1, BATCH_BYTES // max(1, 8 * self.count))
        return [range(at, min(at + width, self.count)) for at in range(0, self.count, width)]

    def directions(self, part: range, level: int) -> list[Any]:
        """For each array the unit directions of a part; None where they do not move it."""
        found: Tangents = units(self.slots, part, level)
        return [found.get(slot) for slot in self.slots]

    def split(self, vector: Array) -> Any:
        """A vector with an element for each coordinate, in the form of the argument."""
        pieces = zip(ends_of(self.slots), self.slots, strict=True)
        leaves = [np.reshape(vector[int(end) - slot.size : int(end)], slot.shape)[()] for end, slot in pieces]
        return self._call.rebuilt(
            [
                leaf if leaf.dtype == slot.dtype else leaf.astype(slot.dtype)
                for leaf, slot in zip(leaves, self.slots, strict=True)
            ]
        )

    def join(self, leaves: list[Any]) -> Array:
        """The vector of the elements of arrays, one for each of the argument."""
        rows = [np.reshape(leaf, (slot.size,)) for leaf, slot in zip(leaves, self.slots, strict=True)]
        return rows[0] if len(rows) == 1 else np.concatenate(rows)
