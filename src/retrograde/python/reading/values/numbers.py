"""Numbers under reading: those of Python, which are weak beside arrays, and those of NumPy."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.symbol import Symbol
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap

KINDS: tuple[type, ...] = (bool, int, float, complex)
"""The types of Python's numbers, each of which the next one holds."""

DTYPES: dict[type, np.dtype[Any]] = {
    bool: np.dtype(np.bool),
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}
"""How a program holds a number of Python."""


class Number(Handle):
    """A number that only the run knows. It cannot be changed: `+=` puts another one behind a name.

    Attributes:
        symbol: its symbol in the program.
        kind: of a number of Python its type; None of a number of NumPy, which has its part in promotion.
    """

    __slots__ = ("kind", "symbol")

    def __init__(self, heap: Heap, symbol: Symbol, kind: type | None = None) -> None:
        self.heap = heap
        self.symbol = symbol
        self.kind = kind

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type as the program holds it."""
        return self.symbol.dtype

    @property
    def ndim(self) -> int:
        """A number has no axes."""
        return 0

    @property
    def shape(self) -> tuple[()]:
        """A number has no axes."""
        return ()

    @property
    def size(self) -> int:
        """A number is one element."""
        return 1

    @property
    def T(self) -> Number:
        """The number."""
        return self

    @property
    def real(self) -> Any:
        """The real part."""
        return self.heap.number(np.real(self.symbol), self._part()) if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return self.heap.number(np.imag(self.symbol), self._part())

    def _part(self) -> type | None:
        return float if self.kind is complex else self.kind

    def conjugate(self) -> Number:
        """The complex conjugate."""
        return self.heap.number(np.conjugate(self.symbol), self.kind) if self.dtype.kind == "c" else self

    conj = conjugate

    def item(self) -> Number:
        """The number as one of Python."""
        return as_python(self)

    tolist = item

    def copy(self) -> Number:
        """The number."""
        return self

    def is_integer(self) -> Any:
        """Whether it is a whole number."""
        return self == self // 1

    def bit_length(self) -> Any:
        """Of an integer of Python, the bits that it takes."""
        if self.kind is not int:
            raise AttributeError(f"a number of {self.dtype} has no attribute 'bit_length'")
        powers = 1 << np.arange(63)
        return self.heap.number(np.sum(np.abs(self.symbol) >= powers), int)

    def operand(self) -> Symbol:
        """Its symbol."""
        return self.symbol

    def __repr__(self) -> str:
        return f"number({self.symbol.variable!r})"

    def __getattr__(self, name: str) -> Any:
        from retrograde.python.reading.values.calls import method

        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return method(self, name)


def kind_of(value: Any) -> type | None:
    """Of a number of Python, known or not, its type; None of anything else."""
    if isinstance(value, Number):
        return value.kind
    # numpy.float64 is a float for Python, and none for promotion.
    return type(value) if type(value) in KINDS else None


def wider(*kinds: type) -> type:
    """The type that holds numbers of all these types."""
    return max(kinds, key=KINDS.index)


def cast(value: Any, kind: type) -> Any:
    """The operand for a number of Python in another of its types: a symbol, or a number that is known."""
    if not isinstance(value, Number):
        return kind(value)
    symbol = value.symbol
    return symbol if symbol.dtype == DTYPES[kind] else np.astype(symbol, DTYPES[kind])  # pyright: ignore


def converted(value: Number, kind: type) -> Number:
    """A number as one of Python, of a type: what `int(x)` and `float(x)` make."""
    return value.heap.number(cast(value, kind), kind)


def as_python(value: Number) -> Number:
    """A number of NumPy as the number of Python that `item` makes of it."""
    kinds: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
    return converted(value, kinds[value.dtype.kind])
