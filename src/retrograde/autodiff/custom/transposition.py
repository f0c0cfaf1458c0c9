"""The transpose of a linear function: one reverse pass, once it is certain that the function is linear.

A rule is linear in what it carries. So a reverse rule can be made of a forward one, and a forward one of a reverse
one, exactly, by transposing it. (Two reverse passes for a forward derivative: Christianson 1992, "Automatic Hessians
by reverse accumulation"; Townsend 2017.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff.tape.gradient_tape import GradientTape, stop_gradient
from retrograde.autodiff.tape.tracked import TrackedArray
from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike, holds_number
from retrograde.program.dispatch import Intercepting, apply, new_level
from retrograde.program.primitive import Array, Primitive
from retrograde.program.symbol import Symbol


class Carried(ArrayLike):
    """What a rule carries, a tangent or a cotangent: an array on which only linear operations are allowed.

    Attributes:
        value: the array inside.
        level: of the transposition it belongs to.
        rule: what is being transposed, and what to do if that is not linear: a beginning and an end of an error.
    """

    __slots__ = ("level", "rule", "value")
    _state = ("value", "level", "rule")
    kind: ClassVar[str] = "what a custom rule carries"

    value: Any
    level: int
    rule: tuple[str, str]

    def __init__(self, value: Array, level: int, rule: tuple[str, str]) -> None:
        self.value = value
        self.level = level
        self.rule = rule

    @property
    def shape(self) -> tuple[Any, ...]:
        """The extents of the axes."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.value.dtype

    def __repr__(self) -> str:
        return f"carried({self.value!r})"

    def __bool__(self) -> bool:
        raise self._nonlinear("a branch on its values")

    def is_number(self) -> bool:
        """Whether the value is a number, which `+=` replaces and does not change."""
        return holds_number(self.value)

    def zeros(self, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Any:
        """Zeros, into which what is carried can be written."""
        return Carried(np.zeros_like(self.value, dtype=dtype, shape=shape), self.level, self.rule)

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Apply an operation that is linear in what is carried."""
        carried: list[str] = []
        values: list[Any] = []
        for name, operand in zip(primitive.names(len(operands)), operands, strict=True):
            if isinstance(operand, Carried) and operand.level == self.level:
                carried.append(name)
                values.append(operand.value)
            elif isinstance(operand, Intercepting) and operand.level > self.level:
                return operand.process(primitive, operands, static)
            else:
                values.append(operand)
        if not _is_linear(primitive, carried):
            raise self._nonlinear(f"`{primitive.name}` of it")
        out = apply(primitive, tuple(values), static)
        if primitive.outputs:
            return tuple(Carried(result, self.level, self.rule) for result in out)
        return Carried(out, self.level, self.rule)

    def _nonlinear(self, found: str) -> UnsupportedError:
        asked, remedy = self.rule
        return UnsupportedError(f"{asked}, which takes that it is linear, and it has {found}; {remedy}")


def _is_linear(primitive: Primitive, carried: Sequence[str]) -> bool:
    """Whether the result is linear in these operands together: no derivative by one reads one, or the result."""
    if set(carried) <= set(primitive.linear) and (primitive.variadic or len(carried) == 1):
        return True
    values = {"out", *primitive.outputs, *carried}
    rules = [primitive.reverse.get(name) for name in carried]
    return all(rule is not None and values.isdisjoint(rule.reads) for rule in rules)


class Transpose:
    """A linear function of arrays, applied to zeros and recorded, to be transposed any number of times.

    Args:
        function: takes a list of arrays and returns a list, in which None stands for zero.
        templates: arrays of the shapes and dtypes that it takes.
        rule: what is being transposed, and what to do if that is not linear.

    Attributes:
        results: what the function returned, as tracked arrays, plain ones (which are zero), and None.

    Raises:
        UnsupportedError: the function is not linear, or is to be part of a program.
    """

    def __init__(
        self, function: Callable[[list[Array]], Sequence[Any]], templates: Sequence[Array], rule: tuple[str, str]
    ) -> None:
        if any(isinstance(stop_gradient(template), Symbol) for template in templates):
            raise UnsupportedError(f"{rule[0]}, and programs do not transpose rules; {rule[1]}")
        self._tape = GradientTape(persistent=True)
        with self._tape:
            self._sources = [self._tape.watch(zeros_like(template)) for template in templates]
            level = new_level()
            returned = function([Carried(source, level, rule) for source in self._sources])
        self.results = [result.value if isinstance(result, Carried) else result for result in returned]
        for result in self.results:
            plain = 0.0 if result is None else np.asarray(stop_gradient(result))
            if np.any(np.isfinite(plain) & (plain != 0)):
                raise UnsupportedError(
                    f"{rule[0]}, which takes that it is linear, and of 0 it makes {plain}; {rule[1]}"
                )

    def __call__(self, cotangents: Sequence[Any]) -> list[Array]:
        """What the transpose makes of an array (or None, for zero) for each result: an array for each argument."""
        reached = [
            (result, cotangent)
            for result, cotangent in zip(self.results, cotangents, strict=True)
            if cotangent is not None and isinstance(result, TrackedArray) and result.node.tape is self._tape
        ]
        targets = [result for result, _ in reached]
        return self._tape.gradient(targets, self._sources, [given for _, given in reached], unconnected="zero")


def zeros_like(template: Array) -> Array:
    """Plain zeros of the shape, dtype and kind of an array."""
    return np.zeros_like(stop_gradient(template))[()]
