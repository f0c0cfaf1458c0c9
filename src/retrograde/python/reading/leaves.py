"""What a reading is for: the kind of each array, number and constant that it was made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.program.kinds import OTHER_MEANING, is_ndarray, other_meaning
from retrograde.program.types import Size

Sizes: TypeAlias = dict[str, int]


@dataclass(frozen=True, slots=True)
class ArrayKind:
    """An array of a dtype and rank; a size is a number, or a name that several axes may have.

    Attributes:
        contiguous: whether its elements stand in C order, which decides what a reshape of it shares.
    """

    dtype: np.dtype[Any]
    sizes: tuple[int | Size, ...]
    contiguous: bool

    def fits(self, value: Any, sizes: Sizes) -> bool:
        """Whether a value is such an array; the sizes that names stand for are noted, and compared."""
        if not is_array(value) or value.dtype != self.dtype or is_contiguous(value) != self.contiguous:
            return False
        shape = value.shape
        if len(shape) != len(self.sizes):
            return False
        for size, extent in zip(self.sizes, shape, strict=True):
            if isinstance(size, Size):
                extent -= size.offset
                if sizes.setdefault(size.name, extent) != extent:
                    return False
            elif size != extent:
                return False
        return True


@dataclass(frozen=True, slots=True)
class NumberKind:
    """A number that only the run knows, of a Python or NumPy type; an integer may be known to be a size."""

    type: type
    size: Size | None = None

    def fits(self, value: Any, sizes: Sizes) -> bool:
        """Whether a value is such a number."""
        if value.__class__ is not self.type:
            return isinstance(value, Intercepting) and self.size is None and self._is_tracked(value)
        if self.size is None:
            return True
        value -= self.size.offset
        return sizes.setdefault(self.size.name, value) == value

    def _is_tracked(self, value: Any) -> bool:
        return not value.ndim and value.dtype == np.dtype(self.type)


@dataclass(frozen=True, slots=True)
class ConstantKind:
    """What reading made use of as it is: a string, a flag, a function, an integer that had to be known."""

    value: Any

    def fits(self, value: Any, sizes: Sizes) -> bool:
        """Whether a value is the same."""
        if value is self.value:
            return True
        return value.__class__ is self.value.__class__ and isinstance(value, _COMPARABLE) and value == self.value


_COMPARABLE = (int, float, complex, str, bytes, tuple, frozenset, np.generic, np.dtype, range, slice)


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """An object of some class, whose attributes are looked up one by one."""

    type: type

    def fits(self, value: Any, sizes: Sizes) -> bool:
        """Whether a value is of that class."""
        return value.__class__ is self.type


@dataclass(frozen=True, slots=True)
class LengthKind:
    """A container of a class and a length; what is in it is looked up one by one."""

    type: type
    keys: tuple[Any, ...]

    def fits(self, value: Any, sizes: Sizes) -> bool:
        """Whether a value is such a container."""
        return value.__class__ is self.type and keys_of(value) == self.keys


@dataclass(frozen=True, slots=True)
class GeneratorKind:
    """A random generator, whose state is an input: its draws are the program's, and leave the caller's as it is.

    Attributes:
        bits: the name of its bit generator.
    """

    bits: str

    def fits(self, value: Any, sizes: Sizes) -> bool:
        """Whether a value is such a generator."""
        return isinstance(value, np.random.Generator) and type(value.bit_generator).__name__ == self.bits


def keys_of(container: Any) -> tuple[Any, ...]:
    """What the items of a tuple, list or dict are called."""
    return tuple(container) if isinstance(container, dict) else tuple(range(len(container)))  # pyright: ignore


Kind: TypeAlias = GeneratorKind | ArrayKind | NumberKind | ConstantKind | ObjectKind | LengthKind


@dataclass(frozen=True, slots=True)
class Leaf:
    """Something that a reading was made with.

    Attributes:
        label: what a person would write for it.
        kind: what it has to be for the reading to fit.
        fetch: where it is found, given the leaves of the arguments in order.
        input: the input of the program that it is; None if it is none.
    """

    label: str
    kind: Kind
    fetch: Callable[[Sequence[Any]], Any]
    input: str | None = None


def is_array(value: Any) -> bool:
    """Whether a value is an array, plain or tracked, and no number."""
    return is_ndarray(value) or (isinstance(value, Intercepting) and hasattr(value, "shape"))


def is_contiguous(value: Any) -> bool:
    """Whether an array's elements stand in C order."""
    return bool(value.flags.c_contiguous) if is_ndarray(value) else True


def check_array(value: Any, label: str) -> None:
    """Refuse arrays whose elements or operations are not those of numbers.

    Raises:
        UnsupportedError: elements are objects, strings, dates or records.
        UsageError: the array is a masked one, or a matrix.
    """
    if isinstance(value, OTHER_MEANING):
        raise other_meaning(value)
    if value.dtype.kind not in "biufc":
        raise UnsupportedError(
            f"{label} is an array of {value.dtype}; a program computes with booleans, integers, floating and complex "
            "numbers: convert it before the call (`x.astype(np.float64)`, or codes for names)"
        )
    if value.dtype.byteorder not in "=|":
        raise UsageError(
            f"{label} is an array of {value.dtype} in the byte order of another machine; convert it before the call: "
            "`x.astype(x.dtype.newbyteorder('='))`"
        )
