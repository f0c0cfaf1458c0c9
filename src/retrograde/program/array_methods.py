"""The methods of arrays, each by way of the NumPy function of the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from retrograde.program.primitive import PRIMITIVES
from retrograde.program.spelling import call_function


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes what the function takes behind its first argument."""

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        return call_function(function, (self, *arguments), options)

    method.__name__ = function.__name__
    method.__doc__ = f"As `numpy.{function.__name__}`."
    return method


class ArrayMethods:
    """The methods of NumPy's arrays whose arguments are those of a function."""

    __slots__ = ()

    level: int

    all = _method(np.all)
    any = _method(np.any)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    clip = _method(np.clip)
    conj = conjugate = _method(np.conjugate)
    cumprod = _method(np.cumprod)
    cumsum = _method(np.cumsum)
    dot = _method(np.dot)
    max = _method(np.max)
    mean = _method(np.mean)
    min = _method(np.min)
    prod = _method(np.prod)
    round = _method(np.round)
    std = _method(np.std)
    sum = _method(np.sum)
    var = _method(np.var)

    argpartition = _method(np.argpartition)
    argsort = _method(np.argsort)
    choose = _method(np.choose)
    diagonal = _method(np.diagonal)
    nonzero = _method(np.nonzero)
    put = _method(np.put)
    ravel = _method(np.ravel)
    repeat = _method(np.repeat)
    searchsorted = _method(np.searchsorted)
    squeeze = _method(np.squeeze)
    swapaxes = _method(np.swapaxes)
    take = _method(np.take)

    @property
    def mT(self) -> Any:
        """The array with its last two axes swapped."""
        return call_function(np.matrix_transpose, (self,), {})

    @property
    def flat(self) -> FlatView:
        """The elements in C order, to read, to write and to go through."""
        return FlatView(self)

    def flatten(self, order: str = "C") -> Any:
        """A copy with one axis."""
        return call_function(np.ravel, (self, order), {}).copy()

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        """As `numpy.compress`."""
        return call_function(np.compress, (condition, self, axis, out), {})

    def fill(self, value: Any) -> None:
        """Write a value into every element."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> None:
        """Sort in place, as NumPy's arrays do; `numpy.sort` gives a sorted copy."""
        self.replace(call_function(np.sort, (self, axis, kind, order), {"stable": stable}))

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
        """Partition in place, as NumPy's arrays do; `numpy.partition` gives a copy."""
        self.replace(call_function(np.partition, (self, kth, axis, kind, order), {}))

    def item(self, *place: Any) -> NoReturn:
        """Refused: a Python number has no derivative."""
        raise self._no_conversion("a Python number")

    def tolist(self) -> NoReturn:
        """Refused: Python numbers have no derivatives."""
        raise self._no_conversion("a list of Python numbers")

    def __format__(self, form: str) -> str:
        # A symbol, which is of level 0, has no value yet.
        return format(PRIMITIVES["stop_gradient"](self) if form and self.level else str(self), form)

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> Any:
        """The bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def size(self) -> Any:
        """The number of elements."""
        raise NotImplementedError  # pragma: no cover

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        raise NotImplementedError  # pragma: no cover

    def __setitem__(self, index: Any, value: Any) -> None:
        raise NotImplementedError  # pragma: no cover

    def replace(self, result: Any) -> None:
        """Take over another array's state, as if every element had been written."""
        raise NotImplementedError  # pragma: no cover

    def _no_conversion(self, to: str) -> Exception:
        raise NotImplementedError  # pragma: no cover


class FlatView:
    """The elements of an array in C order, as `x.flat` gives them: what is written here is written into the array."""

    __slots__ = ("_array",)

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return self._array.size

    def __iter__(self) -> Iterator[Any]:
        return iter(call_function(np.ravel, (self._array,), {}))

    def __getitem__(self, index: Any) -> Any:
        part = call_function(np.ravel, (self._array,), {})[index]
        return part.copy() if part.ndim else part

    def __setitem__(self, index: Any, value: Any) -> None:
        places: Any = np.arange(int(self._array.size))[index]
        call_function(np.put, (self._array, places, value), {})
