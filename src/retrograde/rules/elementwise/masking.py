"""An array where a condition holds, and 0 elsewhere: what derivatives of choices are made of."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.type_rules import dtype_of, sizes_of

_BITS: dict[int, Any] = {2: np.int16, 4: np.int32, 8: np.int64}
_LARGE = 2048


def masked_bits(x: Any, condition: Any) -> Any:
    """`np.where(condition, x, 0)` without a branch for each element: ten times faster for irregular conditions.

    The bits of an element, and those of -1 (where the condition holds) or 0. Unlike a product it makes 0 of infinity.
    """
    if (
        type(x) is not np.ndarray
        or x.size < _LARGE
        or x.dtype.kind not in "fc"
        or x.dtype.itemsize not in _BITS
        or type(condition) is not np.ndarray
        or condition.dtype != np.bool
        or condition.shape != x.shape
    ):
        return np.where(condition, x, x.dtype.type(0) if hasattr(x, "dtype") else 0.0)
    bits = _BITS[x.dtype.itemsize]
    mask = np.negative(condition.view(np.int8), dtype=bits)
    return np.bitwise_and(x.view(bits), mask, out=mask).view(x.dtype)


def _type(x: Any, condition: Any) -> ArrayType:
    return ArrayType(dtype_of(x), broadcast_extents(sizes_of(x), sizes_of(condition)))


masked = Primitive(
    "masked",
    masked_bits,
    ("x", "condition"),
    result=_type,
    reverse={"x": lambda g, condition: masked(g, condition)},
    linear=("x",),
    elementwise=True,
)
"""`x` where a condition holds, and 0 elsewhere, infinite or not."""
