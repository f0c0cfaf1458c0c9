"""Which values are the negative of another, bit for bit: `a - b` reads better than `a + -b`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from retrograde.python.lowering.model import Apply, Expression


def negated(value: Expression) -> Expression | None:
    """What a value is the negative of: `x` of `-x`, `x * c` of `-x * c`, 2.0 of -2.0; else None."""
    if isinstance(value, Apply):
        return _of_result(value)
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.complexfloating))
    number: Any = value  # pyright: ignore[reportUnknownVariableType]
    return -number if is_number and number < 0 else None


def _of_result(value: Apply) -> Expression | None:
    name = value.primitive.name
    if name == "negative":
        return value.operands[0]
    # The sign of a complex zero depends on the order.
    if name not in ("multiply", "divide") or value.type.dtype.kind != "f":
        return None
    left, right = value.operands
    opposite = negated(left)
    return None if opposite is None else replace(value, operands=(opposite, right))
