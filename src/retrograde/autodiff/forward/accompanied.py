"""What goes forward through NumPy code together with a value: the common part of duals, series and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retrograde.program.array_like import ArrayLike, holds_number
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array, Primitive


class Accompanied(ArrayLike):
    """An array together with something that each operation carries on.

    Attributes:
        value: the array.
        level: that of the derivative it belongs to. All of one level are of one class.
    """

    __slots__ = ("level", "value")

    value: Array
    level: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the axes."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.value.dtype

    def __bool__(self) -> bool:
        return bool(self.value)

    def is_number(self) -> bool:
        """Whether the value is a number, which `+=` replaces and does not change."""
        return holds_number(self.value)

    def carry(
        self, primitive: Primitive, values: list[Any], moving: list[tuple[int, Any]], static: Mapping[str, Any]
    ) -> Any:
        """Evaluate an operation, and carry on what goes with its operands.

        Args:
            primitive: the operation.
            values: its operands, with values in place of what carries something.
            moving: the operands that carry something, and their positions.
            static: the static parameters.

        Returns:
            The result, or a tuple of several.
        """
        raise NotImplementedError  # pragma: no cover

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Handle an operation in which this operand is of the highest level."""
        level = self.level
        values: list[Any] = []
        moving: list[tuple[int, Any]] = []
        for position, operand in enumerate(operands):
            if isinstance(operand, Accompanied) and operand.level == level:
                values.append(operand.value)
                moving.append((position, operand))
            else:
                if isinstance(operand, Intercepting) and operand.level > level:
                    return operand.process(primitive, operands, static)
                values.append(operand)
        result = self.carry(primitive, values, moving, static)
        views = primitive.views if isinstance(result, Accompanied) and moving[0][0] == 0 else None
        if views is not None and len(result.shape) and views(*operands):
            result.note_view_of(operands[0], (primitive, *operands[1:]))
        return result
