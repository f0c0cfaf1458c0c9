"""What a `Sweep` and its `Replay` follow: rows of numbers, in chunks, made while the program runs.

A row is (kind, start, stop, slot). Chunks of rows are int64 arrays, so that a compiled loop can work through one; what
is done between two chunks (moving a snapshot to disk and back) is the schedule's own affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrograde.program.types import ArrayType, Extent, Size, StackType, Type

ADVANCE = 0
"""Run steps start to stop - 1 from the current values; in a sweep with a condition, while that holds."""
RECORD = 1
"""Run them, and keep the residuals of step k in slot + k - start."""
REVERSE = 2
"""Reverse steps stop - 1 down to start with those residuals."""
SNAPSHOT = 3
"""Store the current values in the slot."""
RESTORE = 4
"""Make what is in the slot the current values; it stays there."""
TAKE = 5
"""Make what is in the slot the current values, and give the slot back."""
DROP = 6
"""Give the slot back."""
CHECK = 7
"""Go on if the loop's condition holds for the current values; otherwise the sweep is over."""

ROW_KINDS = ("advance", "record", "reverse", "snapshot", "restore", "take", "drop", "check")

Rows = NDArray[np.int64]


class Schedule(Protocol):
    """The order in which a loop and its reversal run. Each method can be called for several loops in turn."""

    def slots(self, count: int | None) -> tuple[int, int]:
        """How many slots for snapshots and for residuals a loop of so many steps takes; None where nobody knows."""
        ...

    def room(self, count: int | None) -> int:
        """How many slots one array needs whose first are for snapshots, and whose last are for residuals."""
        ...

    def sweep(self, count: int | None, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the forward sweep. Without a count they do not end, and whoever follows them stops.

        Args:
            count: of steps.
            snapshots: the stacks, one for each kept value, whose entries are the slots.
        """
        ...

    def reversal(self, count: int, snapshots: Sequence[Any]) -> Iterator[Rows]:
        """The rows of the reversal, after a sweep of so many steps."""
        ...


_CLOSE = 4
"""By how many elements an axis of a residual may be shorter, and still share the slots of a state."""


def sharing_slots(snapshots: Sequence[Type], residuals: Sequence[Type]) -> list[tuple[int, int]]:
    """The stacks of snapshots and of residuals that can share their slots: of arrays of about the same known size.

    Returns:
        Pairs of positions; none is in two of them.
    """
    left = list(range(len(residuals)))
    pairs: list[tuple[int, int]] = []
    for at, kind in enumerate(snapshots):
        other = next((other for other in left if _has_room(kind, residuals[other])), None)
        if other is not None:
            left.remove(other)
            pairs.append((at, other))
    return pairs


def _has_room(snapshot: Type, residual: Type) -> bool:
    """Whether a slot for a state has room for a residual, and little more."""
    if not isinstance(snapshot, StackType) or not isinstance(residual, StackType):
        return False
    one, other = snapshot.element, residual.element
    if not isinstance(one, ArrayType) or not isinstance(other, ArrayType):
        return False
    if one.dtype != other.dtype or one.rank != other.rank or not one.rank:
        return False
    differences = map(_difference, one.sizes, other.sizes)
    return all(difference is not None and 0 <= difference <= _CLOSE for difference in differences)


def _difference(one: Extent, other: Extent) -> int | None:
    if isinstance(one, Size) and isinstance(other, Size):
        return one.offset - other.offset if one.name == other.name else None
    return one - other if isinstance(one, int) and isinstance(other, int) else None
