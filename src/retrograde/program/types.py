"""What is known of a value before a program runs: dtype and rank always, sizes as far as they can be followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from retrograde.errors import UsageError


@dataclass(frozen=True, slots=True)
class Size:
    """A size that only the run knows: that of a named axis of an input, plus a constant, and never below 0.

    Two axes with equal `Size` have equal extent in every run. An axis of which nothing is known has the size None.

    Example:
        >>> print(Size("n", -2))
        n-2
    """

    name: str
    offset: int = 0

    def __str__(self) -> str:
        return self.name + (f"{self.offset:+d}" if self.offset else "")


Extent: TypeAlias = int | Size | None


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array's dtype and the extents of its axes.

    Example:
        >>> print(array_type("float64", ("n", 3, None)))
        float64[n, 3, ?]
    """

    dtype: np.dtype[Any]
    sizes: tuple[Extent, ...] = ()

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.sizes)

    @property
    def differentiable(self) -> bool:
        """Whether a value of this type can have a derivative: real or complex floating point."""
        return is_differentiable(self.dtype)

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.sizes)
        return f"{self.dtype}[{sizes}]" if self.sizes else str(self.dtype)


@dataclass(frozen=True, slots=True)
class StackType:
    """One value for each iteration of a loop, all of one type."""

    element: Type

    @property
    def differentiable(self) -> bool:
        """Whether its elements can have a derivative."""
        return self.element.differentiable

    def __str__(self) -> str:
        return f"stack of {self.element}"


@dataclass(frozen=True, slots=True)
class ScheduleType:
    """The order in which a loop and its reversal run: a value that is given with the arguments."""

    @property
    def differentiable(self) -> bool:
        """Never."""
        return False

    def __str__(self) -> str:
        return "schedule"


Type: TypeAlias = ArrayType | StackType | ScheduleType


def is_differentiable(dtype: np.dtype[Any]) -> bool:
    """Whether values of a dtype can have derivatives. Types from outside NumPy (bfloat16) have kind V or f."""
    return dtype.kind in "fc" or dtype.name == "bfloat16"


def array_type(dtype: Any, sizes: tuple[int | str | Size | None, ...] = ()) -> ArrayType:
    """An `ArrayType` as people write it: a dtype's name, and sizes as ints or names.

    Raises:
        UsageError: a size is negative, or none of int, str, `Size`, None.
    """
    return ArrayType(np.dtype(dtype), tuple(_extent(size) for size in sizes))


def _extent(size: int | str | Size | None) -> Extent:
    if isinstance(size, str):
        return Size(size)
    if isinstance(size, int) and size < 0:
        raise UsageError(
            f"a size of {size} was asked for; write an int of 0 or more, a name, or None where it is unknown"
        )
    return size


def type_of(value: Any) -> ArrayType:
    """The type of an array or a number that is there.

    Example:
        >>> print(type_of(np.ones((2, 3), np.float32)))
        float32[2, 3]
    """
    array = value if hasattr(value, "dtype") else np.asarray(value)
    return ArrayType(array.dtype, tuple(array.shape))


def broadcast_extents(*all_sizes: tuple[Extent, ...]) -> tuple[Extent, ...]:
    """The extents of arrays broadcast together; None where it takes the run to know.

    Raises:
        UsageError: two known extents do not go together.
    """
    rank = max(len(sizes) for sizes in all_sizes)
    padded = [(1,) * (rank - len(sizes)) + sizes for sizes in all_sizes]
    return tuple(_broadcast_axis(extents) for extents in zip(*padded, strict=True))


def _broadcast_axis(extents: tuple[Extent, ...]) -> Extent:
    wide = {extent for extent in extents if extent != 1}
    if len(wide) > 1:
        if all(isinstance(extent, int) for extent in wide):
            raise UsageError(
                f"axes of sizes {sorted(wide, key=str)} cannot be broadcast together; make them equal, or one of them 1"
            )
        return None
    return wide.pop() if wide else 1


def same_sizes(one: ArrayType, other: ArrayType) -> bool:
    """Whether two types certainly have the same shape in every run."""
    return one.sizes == other.sizes and None not in one.sizes
