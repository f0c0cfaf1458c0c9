"""What every cotangent needs, whatever rule it came from: the shape and dtype of its value, and to be added up.

Complex numbers: for a real target L the gradient at z = x + iy is dL/dx + i dL/dy, the direction of steepest ascent,
and cotangents pair with tangents as Re(sum(conj(g) * d)). A real value's cotangent is the real part of what arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.program.ownership import is_writable
from retrograde.program.primitive import PRIMITIVES, Array


class Parts:
    """The cotangent of an operation with several results: one for each, None for a result that none came for.

    It has neither shape nor dtype, and so needs no fitting.
    """

    __slots__ = ("parts",)
    shape: ClassVar[None] = None
    dtype: ClassVar[None] = None

    def __init__(self, parts: tuple[Array | None, ...]) -> None:
        self.parts = parts

    def __add__(self, other: Parts) -> Parts:
        pairs = zip(self.parts, other.parts, strict=True)
        return Parts(tuple(y if x is None else x if y is None else x + y for x, y in pairs))

    @staticmethod
    def of(place: int, count: int) -> Callable[[Array, Any], Parts]:
        """What makes, of the cotangent of one result, that of the operation; called as a rule of the tape is."""
        before, after = (None,) * place, (None,) * (count - place - 1)
        return lambda held, kept: Parts((*before, held[0], *after))


def fit(cotangent: Array, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Array:
    """A cotangent in the shape and dtype of its value: summed over broadcast axes, its real part taken, cast."""
    if cotangent.shape != shape:
        cotangent = PRIMITIVES["sum_to"](cotangent, shape)
    if cotangent.dtype != dtype:
        cotangent = cast(cotangent, dtype)
    return cotangent


def cast(array: Array, dtype: np.dtype[Any]) -> Array:
    """An array in another dtype; of a complex one that is to be real, the real part."""
    if array.dtype.kind == "c" and dtype.kind != "c":
        array = PRIMITIVES["real"](array)
    return array if array.dtype == dtype else PRIMITIVES["astype"](array, dtype=dtype)


class Scattered:
    """A cotangent that is zero but at an index: `scatter(part, index, shape)`, without the array."""

    __slots__ = ("index", "part", "shape")

    def __init__(self, part: Array, index: Any, shape: tuple[int, ...]) -> None:
        self.part = part
        self.index = index
        self.shape = shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.part.dtype

    def dense(self) -> Array:
        """The array."""
        return PRIMITIVES["scatter"](self.part, self.index, self.shape)

    def added_to(self, total: Array, alone: bool) -> Array:
        """The sum with an array; in its memory, if nobody else holds it."""
        primitive = PRIMITIVES["add_at"]
        if alone and is_writable(total) and not isinstance(self.part, Intercepting):
            primitive = primitive.overwriting or primitive
        return primitive(total, self.index, self.part)


def sum_of_shares(present: Any, share: Any, alone: bool) -> Any:
    """The sum of two cotangents of one value; in the memory of the first, if that is nobody else's."""
    if type(share) is Scattered:
        dense = type(present) is Scattered
        return share.added_to(present.dense() if dense else present, alone or dense)
    if type(present) is Scattered:
        return present.added_to(share, False)
    if alone and type(share) is np.ndarray and is_writable(present):
        present += share
        return present
    return present + share


def seed(target: Any, given: Any, position: int) -> Array:
    """The cotangent that a backward pass starts with: what was given, or one for a scalar.

    Raises:
        UsageError: none was given and the target is no scalar, or what was given has another shape.
    """
    if given is None:
        if target.shape != ():
            raise UsageError(
                f"target {position} has shape {target.shape}, and a gradient is that of a scalar; reduce it "
                "(np.sum), or give its cotangent in output_gradients"
            )
        return target.dtype.type(1)
    shape = np.shape(given)
    if shape != target.shape:
        raise UsageError(
            f"the output gradient of target {position} has shape {shape}, and the target {target.shape}; give one of "
            "the same shape"
        )
    return cast(given if hasattr(given, "dtype") else np.asarray(given), target.dtype)
