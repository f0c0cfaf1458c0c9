"""Symbols: variables of a program under construction, in the hands of NumPy code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.model import Variable
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.types import ArrayType, Extent

if TYPE_CHECKING:
    from retrograde.program.builder import ProgramBuilder


class NotConstant(UnsupportedError):
    """A number of a program was to be one that is known while the program is built.

    Attributes:
        symbol: the number.
    """

    def __init__(self, message: str, symbol: Symbol) -> None:
        super().__init__(message)
        self.symbol = symbol


class Symbol(ArrayLike):
    """A variable of a program under construction, in the hands of NumPy code."""

    __slots__ = ("builder", "variable")
    _state = ("variable", "builder")
    kind: ClassVar[str] = "a symbol of a program"
    level: ClassVar[int] = 0  # pyright: ignore[reportIncompatibleVariableOverride]

    builder: ProgramBuilder
    variable: Variable

    def __init__(self, builder: ProgramBuilder, variable: Variable) -> None:
        self.builder = builder
        self.variable = variable

    @property
    def _array_type(self) -> ArrayType:
        if not isinstance(self.variable.type, ArrayType):
            raise UsageError(f"{self.variable!r} was used as an array; a stack can only be consumed by a loop")
        return self.variable.type

    @property
    def shape(self) -> tuple[Any, ...]:
        """The extents of the axes: ints where they are known, and integer symbols where only the run knows them."""
        return self.builder.sizes.shape_of(self.variable)

    @property
    def extents(self) -> tuple[Extent, ...]:
        """What is known of the shape, as something to compare."""
        return self._array_type.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._array_type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array_type.rank

    def __repr__(self) -> str:
        return f"symbol({self.variable!r})"

    def __bool__(self) -> bool:
        raise NotConstant(
            f"the truth of {self.variable!r} was asked for while a program is built, and only the run knows it; "
            "use np.where, or the builder's branch",
            self,
        )

    def _no_conversion(self, to: str) -> Exception:
        return NotConstant(str(super()._no_conversion(to)), self)

    def zeros(self, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Any:
        """Zeros in the same program."""
        return self.builder.zeros(shape, dtype)

    def _same_array_type(self, other: Any) -> Any:
        """As for any array-like; where only the run knows whether the shape is the same, the run checks."""
        if other.ndim == self.ndim and None in (*self.extents, *other.extents):
            other = PRIMITIVES["broadcast_to"](other, self.shape)
        return super()._same_array_type(other)

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Put an instruction into the program."""
        result = self.builder.emit(primitive, operands, static)
        if (
            isinstance(result, Symbol)
            and primitive.views is not None
            and result.ndim
            and primitive.views(*operands)
            and isinstance(operands[0], Symbol)
        ):
            result.note_view_of(operands[0], (primitive, *operands[1:]))
        return result
