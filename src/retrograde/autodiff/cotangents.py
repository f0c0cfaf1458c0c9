"""What every cotangent needs, whatever rule it came from: the shape and dtype of its value, and to be added up.

Complex numbers: for a real target L the gradient at z = x + iy is dL/dx + i dL/dy, the direction of steepest ascent,
and cotangents pair with tangents as Re(sum(conj(g) * d)). A real value's cotangent is the real part of what arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from retrograde.errors import UsageError
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
        return lambda g, kept: Parts((*before, g, *after))


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


class Accumulator:
    """Cotangents by key, added up as they come; a sum is added to in place once it is nobody else's."""

    __slots__ = ("_owned", "_sums")

    def __init__(self) -> None:
        self._sums: dict[Any, Array] = {}
        self._owned: set[Any] = set()

    def add(self, key: Any, cotangent: Array) -> bool:
        """Add a cotangent; says whether it is the first for its key."""
        present = self._sums.get(key)
        if present is None:
            self._sums[key] = cotangent
            return True
        if key in self._owned and type(present) is np.ndarray and type(cotangent) is np.ndarray:
            present += cotangent
        else:
            self._sums[key] = present + cotangent
            self._owned.add(key)
        return False

    def take(self, key: Any) -> Array:
        """A key's sum, which is forgotten here."""
        self._owned.discard(key)
        return self._sums.pop(key)


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
