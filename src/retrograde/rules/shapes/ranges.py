"""Arrays made of nothing but their shape. They have no derivative."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.program.types import ArrayType, Extent


def _of_shape(shape: tuple[Extent, ...], dtype: np.dtype[Any], **_: Any) -> ArrayType:
    return ArrayType(dtype, tuple(shape))


arange = Primitive(
    "arange",
    lambda shape, dtype: np.arange(max(0, shape[0]), dtype=dtype),
    ("shape",),
    static=("dtype",),
    result=_of_shape,
)
"""0, 1, 2, … in an array of a shape with one axis."""

eye = Primitive(
    "eye",
    lambda shape, k, dtype: np.eye(max(0, shape[0]), max(0, shape[1]), k, dtype),
    ("shape",),
    static=("k", "dtype"),
    result=_of_shape,
)
"""A matrix of a shape with ones on a diagonal."""
