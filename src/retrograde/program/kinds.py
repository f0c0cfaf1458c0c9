"""What an operand is: the tests that structures of operands need, in a form that type checkers follow."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np

from retrograde.errors import UsageError

OTHER_MEANING = (np.ma.MaskedArray, np.matrix)
"""Subclasses of NumPy's arrays for which an operation is another one."""


def other_meaning(array: Any) -> UsageError:
    """The error for an array of a subclass whose operations mean something else."""
    remedy = (
        "fill what is masked (`x.filled(0.0)`), and choose with np.where"
        if isinstance(array, np.ma.MaskedArray)
        else "take its plain array, `np.asarray(x)`"
    )
    name: str = type(array).__name__  # pyright: ignore[reportUnknownArgumentType]
    return UsageError(f"a {name} was to be differentiated, whose operations are not those of NumPy's arrays; {remedy}")


def is_tuple(value: Any) -> TypeGuard[tuple[Any, ...]]:
    """Whether a value is a tuple: a shape, or an index of several parts."""
    return isinstance(value, tuple)


def is_slice(value: Any) -> TypeGuard[slice[Any, Any, Any]]:
    """Whether a value is a slice."""
    return isinstance(value, slice)


def is_ndarray(value: Any) -> TypeGuard[np.ndarray[Any, np.dtype[Any]]]:
    """Whether a value is a plain NumPy array."""
    return isinstance(value, np.ndarray)


def is_inexact(value: Any) -> TypeGuard[np.inexact[Any]]:
    """Whether a value is a NumPy number that is real or complex floating point."""
    return isinstance(value, np.inexact)


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether a value is an integer of Python's or NumPy's, and no truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value is a list."""
    return isinstance(value, list)


def as_extents(value: Any) -> tuple[Any, ...]:
    """A shape, or anything else that NumPy takes for each axis, as a tuple; of a single value the tuple of it."""
    return tuple(value) if is_tuple(value) or is_list(value) or is_ndarray(value) else (value,)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A tuple as it is, and anything else in a tuple."""
    return value if is_tuple(value) else (value,)
