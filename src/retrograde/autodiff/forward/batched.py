"""Many arrays of one shape, which NumPy code takes for one: how directions go through rules together.

A rule is linear in its tangent or cotangent. Given a `Batched` one, it does for all directions at once what it would do
for each, and knows nothing of it: the axis of the directions is in front and hidden. How a primitive goes past that
axis is known for families of primitives (`batching.py`); where it is not, each direction goes through by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.kinds import is_slice, is_tuple
from retrograde.program.model import map_operand
from retrograde.program.primitive import PRIMITIVES, Array, Primitive


class Batched(ArrayLike):
    """An array for each of several directions, all of one shape.

    Attributes:
        stack: the arrays, along a first axis that `shape` does not have.
        level: that of the derivative it belongs to.
        units: whether they are all unit vectors, in order, so that the stack is an identity.
    """

    __slots__ = ("level", "stack", "units")
    _state = ("stack", "level", "units")
    kind: ClassVar[str] = "a batch of arrays"

    stack: Array
    level: int

    def __init__(self, stack: Array, level: int, units: bool = False) -> None:
        self.stack = stack
        self.level = level
        self.units = units

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the axes of each array."""
        return self.stack.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.stack.dtype

    def __repr__(self) -> str:
        return f"batched({self.stack!r})"

    def __bool__(self) -> NoReturn:
        raise UnsupportedError(
            "a tangent or cotangent was to decide a branch; rules are linear in it: write np.where, or branch on rank "
            "and dtype only"
        )

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Batched:
        """Zeros in every direction, into which batches can be written."""
        return Batched(np.zeros_like(self.stack, dtype=dtype, shape=(len(self.stack), *shape)), self.level)

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Apply an operation to every array of the batch."""
        from retrograde.autodiff.forward.batching import of_units, together

        level = self.level
        values: list[Any] = []
        places: list[int] = []
        for place, operand in enumerate(operands):
            if isinstance(operand, Batched) and operand.level == level:
                values.append(operand.stack)
                places.append(place)
            else:
                if isinstance(operand, Intercepting) and operand.level > level:
                    return operand.process(primitive, operands, static)
                values.append(operand)
        if len(places) == 1 and operands[places[0]].units and (found := of_units(primitive, values, places[0], static)):
            return Batched(found[0], level)
        if any(_has_batch(operand, level) for operand in operands if is_tuple(operand) or is_slice(operand)):
            made = None
        else:
            made = together(primitive, values, places, len(self.stack), static)
        if made is None:
            made = self._one_by_one(primitive, operands, static)
        if primitive.outputs:
            return tuple(Batched(stack, level) for stack in made)
        if not hasattr(made, "dtype"):
            return made
        result = Batched(made, level)
        if primitive.views is not None and result.shape and primitive.views(*operands) and 0 in places:
            result.note_view_of(operands[0], (primitive, *operands[1:]))
        return result

    def _one_by_one(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        def at(turn: int) -> Any:
            return map_operand(lambda part: part.stack[turn] if _has_batch(part, self.level) else part, operands)

        results = [apply(primitive, at(turn), static) for turn in range(len(self.stack))]
        return tuple(map(stacked, zip(*results, strict=True))) if primitive.outputs else stacked(results)


def stacked(arrays: Any) -> Array:
    """Arrays of one shape along a new first axis; of any kind that has rules."""
    if any(isinstance(array, Intercepting) for array in arrays):
        rows = [PRIMITIVES["reshape"](array, (1, *np.shape(array))) for array in arrays]
        return PRIMITIVES["concatenate"](*rows, axis=0)
    return np.stack(arrays)


def unbatched(array: Any, level: int, count: int) -> Array:
    """The stack of a batch of a level; what is the same in all directions is repeated."""
    if isinstance(array, Batched) and array.level == level:
        return array.stack
    return PRIMITIVES["broadcast_to"](array, (count, *np.shape(array)))


def _has_batch(part: Any, level: int) -> bool:
    if is_tuple(part):
        return any(_has_batch(item, level) for item in part)
    if is_slice(part):
        return any(_has_batch(item, level) for item in (part.start, part.stop, part.step))
    return isinstance(part, Batched) and part.level == level
