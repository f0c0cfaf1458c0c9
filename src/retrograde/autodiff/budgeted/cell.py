"""A cell: an array that may be dropped, and how it is computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from retrograde.autodiff.budgeted.pool import Pool


TINY_BYTES = 256
"""Up to this size, keeping a value takes less than keeping account of it."""


class Step:
    """How arrays were computed: a function with its operands.

    Attributes:
        name: of the operation.
        evaluate: what computes the results.
        operands: cells, and what else it takes.
        static: keyword arguments of `evaluate`.
        several: whether it gives a tuple of results.
        cost: an estimate, in bytes that are moved.
        result_bytes: of all results together, as far as they are arrays of their own.
    """

    __slots__ = ("cost", "evaluate", "name", "operands", "result_bytes", "several", "static")

    def __init__(
        self, name: str, evaluate: Callable[..., Any], operands: tuple[Any, ...], static: Any, several: bool
    ) -> None:
        self.name = name
        self.evaluate = evaluate
        self.operands = operands
        self.static = static
        self.several = several
        self.cost = 0
        self.result_bytes = 0

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
        root: itself, or the cell that it is a view of.
        step, place: what computes it, and which of the results it is; None where it can not be computed again.
        value: the array, or None while it is dropped.
        shape, dtype: of the array.
        is_number: whether it is a NumPy number and no array.
        data_bytes: what it takes while it is there.
        handles: how many `Held` refer to it or to its views.
        pins: how many operations under way need it to stay.
        dependents: cells that are computed from it.
        index: when it was made.
        last_read: when it was last read, on the pool's clock.
        arrivals: how often it was computed.
    """

    __slots__ = (
        "arrivals",
        "data_bytes",
        "dependents",
        "dtype",
        "handles",
        "index",
        "is_number",
        "last_read",
        "pins",
        "place",
        "pool",
        "root",
        "shape",
        "step",
        "value",
    )

    def __init__(self, pool: Pool, value: Any, index: int) -> None:
        self.pool = pool
        self.root = self
        self.step: Step | None = None
        self.place = 0
        self.value: Any = value
        self.shape: tuple[int, ...] = value.shape
        self.dtype: np.dtype[Any] = value.dtype
        self.is_number = isinstance(value, np.generic)
        self.data_bytes = 0
        self.handles = 0
        self.pins = 0
        self.dependents: set[Cell] = set()
        self.index = index
        self.last_read = 0
        self.arrivals = 0

    @property
    def is_dropped(self) -> bool:
        """Whether it would have to be computed."""
        return self.value is None
