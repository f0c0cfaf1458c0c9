"""The face that tracked arrays, duals and symbols share: NumPy's operators, methods, protocols, and writes in place.

A subclass says what an operation does (`process`), what it knows of itself (`shape`, `dtype`), and what its state is
(`_state`, the names of its slots that a write replaces).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, Self

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.array_methods import ArrayMethods
from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.in_place import WritesInPlace, array_without_axes, without_lists
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.spelling import SPELLINGS, call_function, call_ufunc

_NOTHING: dict[str, Any] = {}


class ArrayLike(WritesInPlace, ArrayMethods, Intercepting):
    """Behaves as a NumPy array in the code of a user or of a rule, and is none."""

    __slots__ = ()

    __hash__ = object.__hash__

    @property
    def shape(self) -> tuple[Any, ...]:
        """The extents of the axes: ints, or symbols where a program is under construction."""
        raise NotImplementedError  # pragma: no cover

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        raise NotImplementedError  # pragma: no cover

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def is_number(self) -> bool:
        """Whether NumPy's array would be a number, which `+=` replaces and does not change."""
        return not self.ndim

    @property
    def extents(self) -> tuple[Any, ...]:
        """What is known of the shape, as something to compare."""
        return self.shape

    @property
    def size(self) -> Any:
        """The number of elements."""
        count: Any = 1
        for extent in self.shape:
            count = count * extent
        return count

    @property
    def real(self) -> Any:
        """The real part."""
        return SPELLINGS[np.real](self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return SPELLINGS[np.imag](self)

    def zeros(self, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Any:
        """Zeros of the kind of this array: what `numpy.zeros_like` makes of it."""
        raise NotImplementedError  # pragma: no cover

    # Operators go straight to the primitive.

    def __add__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["add"], (self, other), _NOTHING)

    def __radd__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["add"], (other, self), _NOTHING)

    def __sub__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["subtract"], (self, other), _NOTHING)

    def __rsub__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["subtract"], (other, self), _NOTHING)

    def __mul__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["multiply"], (self, other), _NOTHING)

    def __rmul__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["multiply"], (other, self), _NOTHING)

    def __truediv__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["divide"], (self, other), _NOTHING)

    def __rtruediv__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["divide"], (other, self), _NOTHING)

    def __mod__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["remainder"], (self, other), _NOTHING)

    def __rmod__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["remainder"], (other, self), _NOTHING)

    def __floordiv__(self, other: Any) -> Any:
        return apply(PRIMITIVES["floor_divide"], (self, other), _NOTHING)

    def __rfloordiv__(self, other: Any) -> Any:
        return apply(PRIMITIVES["floor_divide"], (other, self), _NOTHING)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any) -> Any:
        return SPELLINGS[ArrayLike.__pow__](self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.process(PRIMITIVES["power"], (other, self), _NOTHING)

    def __abs__(self) -> Any:
        return self.process(PRIMITIVES["absolute"], (self,), _NOTHING)

    def __round__(self, digits: int | None = None) -> Any:
        return call_function(np.round, (self, digits or 0), {})

    def __neg__(self) -> Any:
        return self.process(PRIMITIVES["negative"], (self,), _NOTHING)

    def __pos__(self) -> Any:
        return self.process(PRIMITIVES["positive"], (self,), _NOTHING)

    def __matmul__(self, other: Any) -> Any:
        return SPELLINGS[np.matmul](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return SPELLINGS[np.matmul](other, self)

    def __lt__(self, other: Any) -> Any:
        return apply(PRIMITIVES["less"], (self, other), _NOTHING)

    def __le__(self, other: Any) -> Any:
        return apply(PRIMITIVES["less_equal"], (self, other), _NOTHING)

    def __gt__(self, other: Any) -> Any:
        return apply(PRIMITIVES["greater"], (self, other), _NOTHING)

    def __ge__(self, other: Any) -> Any:
        return apply(PRIMITIVES["greater_equal"], (self, other), _NOTHING)

    def __eq__(self, other: object) -> Any:
        return apply(PRIMITIVES["equal"], (self, other), _NOTHING)

    def __ne__(self, other: object) -> Any:
        return apply(PRIMITIVES["not_equal"], (self, other), _NOTHING)

    def __and__(self, other: Any) -> Any:
        return apply(PRIMITIVES["bitwise_and"], (self, other), _NOTHING)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return apply(PRIMITIVES["bitwise_or"], (self, other), _NOTHING)

    __ror__ = __or__

    def __xor__(self, other: Any) -> Any:
        return apply(PRIMITIVES["bitwise_xor"], (self, other), _NOTHING)

    __rxor__ = __xor__

    def __lshift__(self, other: Any) -> Any:
        return apply(PRIMITIVES["left_shift"], (self, other), _NOTHING)

    def __rlshift__(self, other: Any) -> Any:
        return apply(PRIMITIVES["left_shift"], (other, self), _NOTHING)

    def __rshift__(self, other: Any) -> Any:
        return apply(PRIMITIVES["right_shift"], (self, other), _NOTHING)

    def __rrshift__(self, other: Any) -> Any:
        return apply(PRIMITIVES["right_shift"], (other, self), _NOTHING)

    def __invert__(self) -> Any:
        return apply(PRIMITIVES["invert"], (self,), _NOTHING)

    def __getitem__(self, index: Any) -> Any:
        return self.process(PRIMITIVES["getitem"], (self, without_lists(index)), _NOTHING)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        for row in range(len(self)):
            yield self[row]

    # Methods whose arguments are not those of a NumPy function; the others are in `array_methods`.

    @property
    def T(self) -> Any:
        """The array with its axes in the opposite order."""
        return SPELLINGS[np.transpose](self)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """As `numpy.reshape`; the shape as one tuple or as several arguments."""
        return SPELLINGS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order, copy=copy)

    def transpose(self, *axes: Any) -> Any:
        """As `numpy.transpose`; the axes as one tuple or as several arguments."""
        return SPELLINGS[np.transpose](self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: Any = True
    ) -> Any:
        """As `numpy.ndarray.astype`; the order of the elements in memory is up to NumPy."""
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"Cannot cast array data from {self.dtype} to {np.dtype(dtype)} according to {casting!r}")
        return SPELLINGS[np.astype](self, dtype)

    def copy(self) -> Any:
        """An array of its own, that can be written without writing this one."""
        return +self if self.ndim or self.is_number() else array_without_axes(+self)

    # NumPy's protocols.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return call_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        return call_function(function, arguments, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise self._no_conversion("a NumPy array")

    def __float__(self) -> NoReturn:
        raise self._no_conversion("a float")

    def __complex__(self) -> NoReturn:
        raise self._no_conversion("a complex")

    def __int__(self) -> NoReturn:
        raise self._no_conversion("an int")

    def __index__(self) -> NoReturn:
        raise self._no_conversion("an index")

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> NoReturn:
        raise self._no_conversion("bytes (a pickle)")

    def _no_conversion(self, to: str) -> Exception:
        return UnsupportedError(
            f"{self.kind} was to become {to}, which would drop its derivative without a word; "
            "rg.stop_gradient(x) gives its plain value. Functions of SciPy that convert are in rg.special and "
            "rg.linalg. To make an array of tracked values, write np.stack([...]), np.concatenate([...]), or "
            "np.array([...], like=x) where x is a tracked one; to fill an array, make it with np.zeros_like of a "
            "tracked one, or pass it to tape.watch"
        )

    def __getattr__(self, name: str) -> Any:
        self._complain_if_locked()
        if not name.startswith("_") and hasattr(np.ndarray, name):
            raise AttributeError(
                f"the array method {name!r} is not known to {self.kind}; call a NumPy function that has a derivative "
                "rule instead (docs/rules.md lists them)"
            )
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _same_array_type(self, other: Any) -> Self:
        """A result that is to take this array's place: of this dtype, and refused where the shape differs."""
        if other.extents != self.extents:
            raise UsageError(
                f"an array of shape {self.extents} was to be changed in place to one of shape {other.extents}; "
                "write `x = x + y` to make a new array"
            )
        if other.dtype == self.dtype:
            return other
        if not np.can_cast(other.dtype, self.dtype, "same_kind"):
            raise UsageError(
                f"a {self.dtype} array was to be changed in place by a {other.dtype} one; write `x = x + y` to make a "
                "new array"
            )
        return other.astype(self.dtype)


def holds_number(value: Any) -> bool:
    """Whether what is inside an array-like is a number, and not an array without axes."""
    return value.is_number() if isinstance(value, ArrayLike) else isinstance(value, (np.generic, int, float, complex))
