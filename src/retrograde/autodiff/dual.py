"""A dual: a value and its tangent, carried forward together through NumPy code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff.cotangents import cast
from retrograde.autodiff.recipes import reading
from retrograde.program.array_like import ArrayLike, holds_number
from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.primitive import PRIMITIVES, Array, Primitive
from retrograde.program.types import is_differentiable


class Dual(ArrayLike):
    """An array with a tangent of the same shape and dtype.

    Attributes:
        value: the array.
        tangent: its derivative in the direction that is followed.
        level: that of the derivative it belongs to.
    """

    __slots__ = ("level", "tangent", "value")
    _state = ("value", "tangent", "level")
    kind: ClassVar[str] = "a dual (a value with its tangent)"

    value: Array
    tangent: Array
    level: int

    def __init__(self, value: Array, tangent: Array, level: int) -> None:
        self.value = value
        self.tangent = tangent
        self.level = level

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the axes."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.value.dtype

    def __repr__(self) -> str:
        return f"dual({self.value!r}, {self.tangent!r})"

    def __bool__(self) -> bool:
        return bool(self.value)

    def is_number(self) -> bool:
        """Whether the value is a number, which `+=` replaces and does not change."""
        return holds_number(self.value)

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Dual:
        """Zeros with a zero tangent, into which duals can be written."""
        value = np.zeros_like(self.value, dtype=dtype, shape=shape)
        return Dual(value, np.zeros_like(self.tangent, dtype=dtype, shape=shape), self.level)

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Evaluate an operation on the values, and its derivative on the tangents."""
        level = self.level
        values: list[Any] = []
        moving: list[tuple[int, Array]] = []
        for position, operand in enumerate(operands):
            if isinstance(operand, Dual) and operand.level == level:
                values.append(operand.value)
                moving.append((position, operand.tangent))
            elif isinstance(operand, Intercepting) and operand.level > level:
                return operand.process(primitive, operands, static)
            else:
                values.append(operand)
        out = apply(primitive, tuple(values), static)
        if primitive.variadic:
            given = dict(moving)
            moving = [(0, tuple(given.get(at, np.zeros_like(value)) for at, value in enumerate(values)))]
        pushes = [(push, d) for position, d in moving if (push := _push_of(primitive, position)) is not None]
        if not pushes:
            return out
        shares = [push(d, values, out, static) for push, d in pushes]
        if primitive.outputs:
            return tuple(self._with(result, parts) for result, *parts in zip(out, *shares, strict=True))
        result = self._with(out, shares)
        if (
            isinstance(result, Dual)
            and primitive.views is not None
            and len(out.shape)
            and primitive.views(*operands)
            and isinstance(operands[0], Dual)
        ):
            result.note_view_of(operands[0], (primitive, *operands[1:]))
        return result

    def _with(self, out: Array, shares: list[Array]) -> Any:
        """A result with the sum of its tangent's shares, if it can have one."""
        if not is_differentiable(out.dtype):
            return out
        return Dual(out, sum_of(fit_up(share, out.shape, out.dtype) for share in shares), self.level)


def sum_of(tangents: Any) -> Array:
    """The sum of one tangent or more."""
    first, *others = tangents
    for other in others:
        first = first + other
    return first


def fit_up(tangent: Array, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Array:
    """A tangent in the shape and dtype of the result: broadcast as the operand was, its real part taken, cast."""
    if tangent.shape != shape:
        tangent = PRIMITIVES["broadcast_to"](tangent, shape)
    return tangent if tangent.dtype == dtype else cast(tangent, dtype)


def _push_of(primitive: Primitive, position: int) -> Callable[..., Array] | None:
    key = ("forward", position)
    if key not in primitive.recipes:
        rule = primitive.forward.get(primitive.operands[position])
        push = None
        if rule is not None:
            arguments = "".join(f", {reading(primitive, name)}" for name in rule.reads)
            names: dict[str, Any] = {"rule": rule.function, "shape": np.shape}
            push = eval(f"lambda d, operands, out, static: rule(d{arguments})", names)
        primitive.recipes[key] = push
    return primitive.recipes[key]
