"""How two elements become one: sums, products, the larger and the smaller, and what each begins with."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.python.nests.parts.model import Constant, Scalar, Spelled

COMBINE: dict[str, str] = {
    "+": "({0} + {1})",
    "*": "({0} * {1})",
    "max": "({0} if {0} >= {1} or {0} != {0} else {1})",
    "min": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "or": "({0} or {1})",
    "and": "({0} and {1})",
}
"""How what is there and what comes are combined into one."""


def combined(by: str, present: Scalar, coming: Scalar) -> Scalar:
    """Two scalars of one dtype combined."""
    return Spelled(COMBINE[by], (present, coming), present.dtype, 1, by in ("max", "min"))


def start_of(by: str, dtype: np.dtype[Any]) -> Constant:
    """What a combination begins with."""
    if by in ("max", "min"):
        if dtype.kind == "f":
            return Constant(dtype.type(-np.inf if by == "max" else np.inf), dtype)
        if dtype.kind == "b":
            return Constant(by == "min", dtype)
        limits = np.iinfo(dtype)
        return Constant(limits.min if by == "max" else limits.max, dtype)
    return Constant(dtype.type({"+": 0, "*": 1, "or": False, "and": True}[by]), dtype)
