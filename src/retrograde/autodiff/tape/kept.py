"""Residuals that are not simply there: what stands for a value until the backward pass reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy import ndarray

from retrograde.errors import UsageError

_SAMPLES = 256
_FULL_BYTES = 2048


class Later:
    """Stands for a residual."""

    __slots__ = ()

    def value(self, done: dict[Any, Any]) -> Any:
        """The residual. What several make together is in `done`."""
        raise NotImplementedError  # pragma: no cover


class Borrowed(Later):
    """A plain array that a rule reads. It is the caller's, who might write it before the rule does read it."""

    __slots__ = ("array", "mark")

    def __init__(self, array: Any) -> None:
        self.array = array
        self.mark = mark_of(array)

    def value(self, done: dict[Any, Any]) -> Any:
        """The array.

        Raises:
            UsageError: it looks another than it did.
        """
        check_unwritten(self.array, self.mark)
        return self.array


def mark_of(array: Any) -> int:
    """What tells whether an array was written: a hash of its elements, of a large one's every n-th."""
    if array.nbytes > _FULL_BYTES:
        step = max(1, array.size // _SAMPLES)
        array = array.reshape(-1)[::step] if array.flags.c_contiguous else array.flat[::step]
    return hash(array.tobytes())


def check_unwritten(array: Any, mark: int) -> None:
    """See that an array looks as it did when it was marked.

    Raises:
        UsageError: it does not.
    """
    if mark_of(array) != mark:
        raise UsageError(
            f"a plain array ({array.dtype} of shape {array.shape}) took part in a recording, and was written before "
            "the gradient: what depends on its first values cannot be computed any more. Make a new array for the new "
            "values, or hand the operation a copy (`x * b.copy()`)"
        )


class Residuals:
    """The residuals of an operation, some of which are not simply there."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Any, ...]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def restore(self) -> tuple[Any, ...]:
        """The residuals as the rules read them."""
        done: dict[Any, Any] = {}
        return tuple(item.value(done) if isinstance(item, Later) else item for item in self.items)


def borrowed(kept: tuple[Any, ...], places: tuple[int, ...]) -> Any:
    """Residuals of which those at some places are the caller's: arrays among them are marked, indices copied."""
    items = list(kept)
    for at in places:
        item = items[at]
        if type(item) is ndarray and item.flags.writeable:
            items[at] = Borrowed(item)
        elif type(item) is tuple and ndarray in map(type, item):  # pyright: ignore[reportUnknownArgumentType]
            items[at] = tuple(part.copy() if type(part) is ndarray else part for part in item)  # pyright: ignore
    return residuals_of(items)


def residuals_of(items: list[Any]) -> Any:
    """A tuple where every item is simply there."""
    return Residuals(tuple(items)) if any(isinstance(item, Later) for item in items) else tuple(items)
