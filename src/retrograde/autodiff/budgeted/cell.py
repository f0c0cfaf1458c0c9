"""A cell: an array that may be dropped, and how it is computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from retrograde.autodiff.budgeted.pool import Pool


TINY_BYTES = 256
"""Up to this size, keeping a value takes less than keeping account of it."""

RECORD_BYTES = 1300
"""What Python's objects for one recorded operation take: the tape's, and those here."""

_NOBODY: list[Any] = []


class Step:
    """How arrays were computed: a function with its operands.

    Attributes:
        name: of the operation.
        evaluate: what computes the results.
        operands: cells, and what else it takes.
        static: keyword arguments of `evaluate`.
        several: whether it gives a tuple of results.
        cost: an estimate, in bytes that are moved.
        room_bytes: what it takes while it runs: results that are arrays of their own, and workspace.
    """

    __slots__ = ("cost", "evaluate", "name", "operands", "room_bytes", "several", "static")

    def __init__(
        self, name: str, evaluate: Callable[..., Any], operands: tuple[Any, ...], static: Any, cost: int, several: bool
    ) -> None:
        self.name = name
        self.evaluate = evaluate
        self.operands = operands
        self.static = static
        self.several = several
        self.cost = cost
        self.room_bytes = 0

    def roots(self) -> Iterator[Cell]:
        """The cells with the memory that it reads."""
        for operand in self.operands:
            if type(operand) is Cell:
                yield operand.root


class Cell:
    """One array of a tape with a budget.

    A cell that is a view of another has no value of its own: the view is taken where it is read. All that concerns
    memory is with the other cell, its root; a cell that is no view is its own.

    Attributes:
        pool: where it belongs.
        root: itself, or the cell that it is a view of; None when it is over with the cell.
        step, place: what computes it, and which of the results it is; None where it can not be computed again.
        value: the array, or None while it is dropped.
        shape, dtype: of the array.
        is_number: whether it is a NumPy number and no array.
        data_bytes: what it takes while it is there.
        handles: how many `Held` refer to it or to its views.
        pins: how many operations under way need it to stay.
        due: of its pins, those for operations that are still to run in a recomputation.
        dependents: cells that are computed from it; one that reads it twice is there twice.
        index: when it was made.
        last_read: when it was last read, on the pool's clock.
        arrivals: how often it was computed.
        record_bytes: what its record takes, whether the array is there or not.
        mark: of an array that this pool has not computed, what tells whether its owner wrote it; None of others.
    """

    __slots__ = (
        "arrivals",
        "data_bytes",
        "dependents",
        "dtype",
        "due",
        "handles",
        "index",
        "is_number",
        "last_read",
        "mark",
        "pins",
        "place",
        "pool",
        "record_bytes",
        "root",
        "shape",
        "step",
        "value",
    )

    def __init__(self, pool: Pool, value: Any, index: int) -> None:
        self.pool = pool
        self.root: Any = self
        self.step: Step | None = None
        self.place = 0
        self.value: Any = value
        self.shape: tuple[int, ...] = value.shape
        self.dtype: np.dtype[Any] = value.dtype
        self.is_number = isinstance(value, np.generic)
        self.data_bytes = 0
        self.handles = 0
        self.pins = 0
        self.due = 0
        self.dependents: list[Cell] = _NOBODY
        self.record_bytes = 0
        self.mark: int | None = None
        self.index = index
        self.last_read = 0
        self.arrivals = 0

    def __del__(self) -> None:
        if self.record_bytes:
            self.pool.account.held_bytes -= self.record_bytes

    def end(self) -> list[Cell]:
        """Let go of everything, itself included; says what it was computed from."""
        before = list(self.step.roots()) if self.step is not None else []
        for cell in before:
            cell.remove_dependent(self)
        self.step = None
        # Without this it would wait for the garbage collector.
        self.root = None
        return before

    def add_dependent(self, cell: Cell) -> None:
        """Take note of a cell that is computed from it."""
        if self.dependents is _NOBODY:
            self.dependents = [cell]
        else:
            self.dependents.append(cell)

    def remove_dependent(self, cell: Cell) -> None:
        """Forget one; mostly it is the latest."""
        if self.dependents[-1] is cell:
            self.dependents.pop()
        else:
            self.dependents.remove(cell)
