"""A dual: a value and its tangent, carried forward together through NumPy code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff.forward.accompanied import Accompanied
from retrograde.autodiff.forward.pushing import push_forward
from retrograde.program.dispatch import apply
from retrograde.program.primitive import Array, Primitive


class Dual(Accompanied):
    """An array with a tangent of the same shape and dtype.

    Attributes:
        value: the array.
        tangent: its derivative in the direction that is followed; a batch of them, for several directions at once.
        level: that of the derivative it belongs to.
    """

    __slots__ = ("tangent",)
    _state = ("value", "tangent", "level")
    kind: ClassVar[str] = "a dual (a value with its tangent)"

    tangent: Array

    def __init__(self, value: Array, tangent: Array, level: int) -> None:
        self.value = value
        self.tangent = tangent
        self.level = level

    def __repr__(self) -> str:
        return f"dual({self.value!r}, {self.tangent!r})"

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Dual:
        """Zeros with a zero tangent, into which duals can be written."""
        value = np.zeros_like(self.value, dtype=dtype, shape=shape)
        return Dual(value, np.zeros_like(self.tangent, dtype=dtype, shape=shape), self.level)

    def carry(
        self, primitive: Primitive, values: list[Any], moving: list[tuple[int, Any]], static: Mapping[str, Any]
    ) -> Any:
        """Evaluate an operation on the values, and its derivative on the tangents."""
        out = apply(primitive, tuple(values), static)
        given = [(position, operand.tangent) for position, operand in moving]
        tangents = push_forward(primitive, given, values, out, static)
        if tangents is None:
            return out
        level = self.level
        if primitive.outputs:
            pairs = zip(out, tangents, strict=True)
            return tuple(result if d is None else Dual(result, d, level) for result, d in pairs)
        return out if tangents[0] is None else Dual(out, tangents[0], level)
