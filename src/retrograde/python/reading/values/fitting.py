"""What is written into arrays in place: of their shape, and of a dtype that NumPy casts to theirs."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol


def fitting(target: Symbol, value: Any) -> Any:
    """A value that is to replace all elements: of the target's dtype and shape."""
    if not isinstance(value, Symbol):
        value = np.asarray(value)
        check_kind(value.dtype, target.dtype)
        return PRIMITIVES["broadcast_to"](value.astype(target.dtype), target.shape)
    if value.ndim < target.ndim:
        value = PRIMITIVES["broadcast_to"](value, target.shape)
    return target._same_array_type(value)  # pyright: ignore[reportPrivateUsage]


def check_kind(given: np.dtype[Any], dtype: np.dtype[Any]) -> None:
    """Refuse to write one dtype into another in place, where NumPy does.

    Raises:
        UsageError: it does.
    """
    if not np.can_cast(given, dtype, "same_kind"):
        raise UsageError(
            f"a {dtype} array was to be changed in place by a {given} one; write `x = x + y` to make a new array"
        )


def cast_to(part: Any, dtype: np.dtype[Any]) -> Any:
    """A value in a dtype; numbers of Python are cast by the write."""
    if isinstance(part, Symbol) or is_ndarray(part):
        return part if part.dtype == dtype else np.astype(part, dtype)  # pyright: ignore
    return part
