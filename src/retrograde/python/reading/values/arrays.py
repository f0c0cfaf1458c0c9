"""Array objects under reading, and views of them: what NumPy code does to arrays, as instructions."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.kinds import is_slice, is_tuple
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, type_of
from retrograde.python.reading.signals import NeedsStatic
from retrograde.python.reading.values.fitting import cast_to, check_kind, fitting
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Cell, Heap
from retrograde.python.reading.values.indexing import index_of, is_basic, is_whole, picks_number
from retrograde.python.reading.values.numbers import kind_of
from retrograde.python.reading.values.operations import binary, opened
from retrograde.python.reading.values.slicing import sliced_type
from retrograde.python.reading.values.views import View, index_view, joined, takes_all, takes_each


class Array(Handle):
    """An array object, or a view of one: it reads and writes the cell that it shares with other views.

    Attributes:
        cell: the array object.
        path: the views that lead from it here. Two handles of one cell with equal paths are the same elements.
    """

    __slots__ = ("_read", "cell", "contiguous", "path")

    def __init__(self, heap: Heap, cell: Cell, path: tuple[View, ...] = (), contiguous: bool | None = None) -> None:
        self.heap = heap
        self.cell = cell
        self.path = path
        self.contiguous = cell.contiguous if contiguous is None else contiguous
        self._read: tuple[Any, Any, int, Any] | None = None

    # Reading.

    def read(self) -> Any:
        """What the array holds now: a symbol, or an array where it is known."""
        version = self.cell.read()
        if not self.path:
            return version
        builder = self.heap.builder
        if self._read is not None:
            seen, block, retreats, part = self._read
            if seen is version and retreats == builder.retreats and builder.is_open(block):
                return part
        part = _walk(self, self.path)
        self._read = (version, builder.open_block, builder.retreats, part)
        return part

    def operand(self) -> Any:
        """What the array holds now."""
        return self.read()

    @property
    def type(self) -> ArrayType:
        """What is known of the array before the run."""
        value = self.read()
        known = value.variable.type if isinstance(value, Symbol) else type_of(value)
        return known if isinstance(known, ArrayType) else type_of(value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.read().dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.read().ndim

    @property
    def shape(self) -> tuple[Any, ...]:
        """The extents of the axes: ints, and numbers that only the run knows."""
        wrap = self.heap.number
        return tuple(wrap(extent, int) if isinstance(extent, Symbol) else extent for extent in self.read().shape)

    @shape.setter
    def shape(self, shape: Any) -> None:
        raise UnsupportedError("the shape of an array was to be set; write `x = x.reshape(shape)`")

    @property
    def size(self) -> Any:
        """The number of elements."""
        count: Any = 1
        for extent in self.shape:
            count = count * extent
        return count

    @property
    def nbytes(self) -> Any:
        """The bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self.dtype.itemsize

    def known(self, purpose: str) -> Any:
        """The value, where it is known while the function is read."""
        value = self.read()
        if isinstance(value, Symbol):
            raise NeedsStatic(value, purpose)
        return value if purpose == "a truth value" else value.item()

    def __repr__(self) -> str:
        return f"array({self.cell!r}{''.join(f', {view.primitive.name}' for view in self.path)})"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of an array without axes")
        extent = self.shape[0]
        return extent if isinstance(extent, int) else extent.known("the length of an array that is made a sequence")

    def __iter__(self) -> Iterator[Any]:
        for row in range(len(self)):
            yield self[row]

    def __contains__(self, item: Any) -> Any:
        raise UnsupportedError("`in` was asked of an array; write `np.any(a == x)`")

    def viewed(self, view: View, *, contiguous: bool) -> Array:
        """The view by one more step."""
        base = self._base_rank() if self.path else self.ndim
        return Array(self.heap, self.cell, joined(self.path, view, base), contiguous)

    def _base_rank(self) -> int:
        return _walk(self, self.path[:-1]).ndim

    def __getitem__(self, index: Any) -> Any:
        index = index_of(self.heap, index)
        if not is_basic(index):
            return self._picked(index)
        if not picks_number(index, self.ndim):
            return self.viewed(index_view(self.heap.builder, index), contiguous=_stays_together(self, index))
        if not self.path:
            return self._picked(index)
        path = joined(self.path, index_view(self.heap.builder, index), self._base_rank())
        return self.heap.wrap(_walk(self, path))

    def _picked(self, index: Any) -> Any:
        content = self.read()
        found = content[index] if isinstance(content, Symbol) else PRIMITIVES["getitem"](content, index)
        return self.heap.wrap(found)

    # Writing.

    def write(self, value: Any) -> None:
        """Write all elements: the array takes the value's place, which has to have its shape.

        Raises:
            UsageError: the value has another shape, or a dtype that NumPy does not cast by itself.
        """
        self._put(self.path, fitting(self.symbol(), value))

    def symbol(self) -> Symbol:
        """What the array holds now, as a symbol even where it is known."""
        value = self.read()
        if isinstance(value, Symbol):
            return value
        return self.heap.builder.emit(PRIMITIVES["broadcast_to"], (value, value.shape), {})

    def _put(self, path: tuple[View, ...], value: Any) -> None:
        builder = self.heap.builder
        while path:
            value = path[-1].put(builder, _walk(self, path[:-1]), value)
            path = path[:-1]
        self.cell.write(value)

    def __setitem__(self, index: Any, value: Any) -> None:
        index = index_of(self.heap, index)
        basic = is_basic(index)
        if basic and isinstance(value, Array) and value.cell is self.cell and value.path == self._path_to(index):
            return  # `a[i] += v` ends with an assignment of the view to itself.
        before = self.read()
        self._check_cast(value, before.dtype)
        part = opened(value)
        if is_whole(index) and self._replaces(part):
            self._put(self.path, cast_to(part, before.dtype))
        elif not basic or not self.path:
            self._put(self.path, PRIMITIVES["update"](before, index, part))
        else:
            path = self._path_to(index)
            shorter = path[:-1]
            self._put(shorter, PRIMITIVES["update"](_walk(self, shorter), _index(self, path[-1]), part))

    def _path_to(self, index: Any) -> tuple[View, ...]:
        view = index_view(self.heap.builder, index)
        return joined(self.path, view, self._base_rank()) if self.path else (view,)

    def _replaces(self, part: Any) -> bool:
        """Whether a value has certainly this array's shape: nothing of the old elements is left."""
        mine = self.type.sizes
        return isinstance(part, Symbol) and part.extents == mine and None not in mine and part.ndim > 0

    def _check_cast(self, value: Any, dtype: np.dtype[Any]) -> None:
        given = value.dtype if hasattr(value, "dtype") else np.result_type(type(value)) if _is_number(value) else None
        if given is not None and given.kind == "c" and dtype.kind != "c":
            raise UsageError(
                f"complex values were to be written into an array of {dtype}, which would drop their imaginary parts; "
                "write `.real` of them, or make the array complex"
            )

    def add_at(self, index: Any, value: Any, *, negative: bool = False) -> None:
        """`a[index] += value`, or `-=`, by a basic index: as one instruction."""
        parts = index_of(self.heap, index)
        path = self._path_to(parts)
        base = _walk(self, path[:-1])
        part = opened(value)
        kind = kind_of(value)
        summed = np.result_type(base.dtype, part.dtype if kind is None else kind(0))
        if summed != base.dtype or base.dtype.kind == "b":
            element = self[index]
            self[index] = element - value if negative else element + value
            return
        if negative:
            part = -part
        self._put(path[:-1], PRIMITIVES["add_at"](base, _index(self, path[-1]), cast_to(part, base.dtype)))

    def _in_place(self, name: str, other: Any) -> Any:
        result = binary(name, self, other)
        if result is NotImplemented:
            return result
        value = opened(result)
        if isinstance(value, Symbol) and not getattr(opened(other), "ndim", 0) and value.ndim == self.ndim:
            check_kind(value.dtype, self.dtype)
            self._put(self.path, cast_to(value, self.dtype))  # The shape is certainly the same.
        else:
            self.write(value)
        return self

    def __iadd__(self, other: Any) -> Any:
        return self._in_place("add", other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place("subtract", other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place("multiply", other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place("divide", other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._in_place("floor_divide", other)

    def __imod__(self, other: Any) -> Any:
        return self._in_place("remainder", other)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place("power", other)

    def __imatmul__(self, other: Any) -> Any:
        return self._in_place("matmul", other)

    def __iand__(self, other: Any) -> Any:
        return self._in_place("bitwise_and", other)

    def __ior__(self, other: Any) -> Any:
        return self._in_place("bitwise_or", other)

    def __ixor__(self, other: Any) -> Any:
        return self._in_place("bitwise_xor", other)

    # What NumPy's arrays have besides.

    @property
    def T(self) -> Any:
        """The array with its axes in the opposite order: a view."""
        return self._called(np.transpose)

    @property
    def mT(self) -> Any:
        """The array with its last two axes swapped: a view."""
        return self._called(np.matrix_transpose)

    @property
    def real(self) -> Any:
        """The real part: of a complex array a view, of a real one the array."""
        return self._called(np.real) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part: of a complex array a view."""
        return self._called(np.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        self.imag[...] = value

    def _called(self, function: Any, *arguments: Any) -> Any:
        from retrograde.python.reading.values.calls import call

        return call(self.heap, function, (self, *arguments), {})

    def copy(self, order: str = "C") -> Array:
        """An array object of its own."""
        return self.heap.array(self.read())

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy()

    def flatten(self, order: str = "C") -> Array:
        """A copy with one axis."""
        return self.heap.array(np.ravel(self.read(), order))  # pyright: ignore

    def fill(self, value: Any) -> None:
        """Write a value into every element."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> None:
        """Sort in place."""
        self.write(np.sort(self.read(), axis, kind, order, stable=stable))

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: Any = True
    ) -> Any:
        """The array with elements of another type: a copy, unless it has it already and `copy` is false."""
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        return self.heap.array(self.read().astype(dtype, order, casting, subok))

    def tolist(self) -> Any:
        """The elements as numbers of Python, in lists."""
        return [row.tolist() for row in self] if self.ndim else self.item()

    def view(self, dtype: Any = None) -> Array:
        """The same elements under another name."""
        if dtype is not None and np.dtype(dtype) != self.dtype:
            raise UnsupportedError(
                "the bytes of an array were to be read as another dtype; write `x.astype(dtype)`, `x.real`, `x.imag`"
            )
        return self[...]

    def raveled(self) -> Array:
        """The elements in C order, as a view to write through, however the array lies in memory."""
        return self.viewed(View(PRIMITIVES["reshape"], ((-1,),)), contiguous=self.contiguous)

    @property
    def flat(self) -> Any:
        """The elements in C order, to read, to write and to go through."""
        from retrograde.python.reading.values.flat import Flat

        return Flat(self)

    def item(self, *place: Any) -> Any:
        """An element as a number of Python."""
        from retrograde.python.reading.values.builtins import python_number

        if not place:
            return python_number(self.heap, self)
        place = place[0] if len(place) == 1 and is_tuple(place[0]) else place
        return python_number(self.heap, self[place] if self.ndim == len(place) else self.flatten()[place[0]])

    def __getattr__(self, name: str) -> Any:
        from retrograde.python.reading.values.calls import method

        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return method(self, name)


def _walk(array: Array, path: tuple[View, ...]) -> Any:
    part = array.cell.read()
    for view in path:
        base, part = part, view.take(array.heap.builder, part)
        if view.index is not None and isinstance(part, Symbol) and part.variable is not base.variable:
            part.variable.type = sliced_type(array.heap, base.extents, view.index, part.variable.type)
    return part


def _index(array: Array, view: View) -> Any:
    """The index of the last step, of symbols."""
    from retrograde.python.reading.values.views import symbols

    return symbols(array.heap.builder, view.operands)[0]


def _stays_together(array: Array, index: Any) -> bool:
    """Whether a part by a basic index certainly lies in memory row by row: ints, a slice, then whole axes."""
    if not array.contiguous:
        return False
    parts = [part for part in (index if is_tuple(index) else (index,)) if part is not None and part is not Ellipsis]
    if Ellipsis in [part for part in (index if is_tuple(index) else (index,)) if part is Ellipsis]:
        return all(map(takes_all, parts))
    first = next((at for at, part in enumerate(parts) if is_slice(part)), len(parts))
    if first < len(parts) and not takes_each(parts[first]):
        return False
    return all(map(takes_all, parts[first + 1 :]))


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex))
