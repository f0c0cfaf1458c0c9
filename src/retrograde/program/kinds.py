"""What an operand is: the tests that structures of operands need, in a form that type checkers follow."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np


def is_tuple(value: Any) -> TypeGuard[tuple[Any, ...]]:
    """Whether a value is a tuple: a shape, or an index of several parts."""
    return isinstance(value, tuple)


def is_slice(value: Any) -> TypeGuard[slice[Any, Any, Any]]:
    """Whether a value is a slice."""
    return isinstance(value, slice)


def is_ndarray(value: Any) -> TypeGuard[np.ndarray[Any, np.dtype[Any]]]:
    """Whether a value is a plain NumPy array."""
    return isinstance(value, np.ndarray)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A tuple as it is, and anything else in a tuple."""
    return value if is_tuple(value) else (value,)
