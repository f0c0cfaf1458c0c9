"""An array that a tape with a budget holds: it may be dropped, and is computed again where it is read."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff.budgeted.cell import TINY_BYTES, Cell
from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import Intercepting
from retrograde.program.kinds import is_ndarray, is_slice
from retrograde.program.primitive import Primitive
from retrograde.program.spelling import SPELLINGS
from retrograde.rules.type_rules import of_ufunc


class Handle:
    """A reference to a cell that is counted."""

    __slots__ = ("cell",)

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        cell.root.handles += 1

    def __del__(self) -> None:
        root = self.cell.root
        root.pool.release(root)


def _as_numbers(name: str) -> Callable[..., Any]:
    """An operator of arrays that, between numbers, rounds as NumPy's numbers do; its functions may round otherwise."""
    general = getattr(ArrayLike, name)
    of_numbers = getattr(operator, name.replace("__r", "__", 1))

    def method(self: Held, *others: Any) -> Any:
        if not self.is_number() or not all(map(_is_number, others)):
            return general(self, *others)
        operands = (*others, self) if name.startswith("__r") else (self, *others)
        value = of_numbers(*map(plain, operands))
        return Held(self.cell.pool.constant(value)) if isinstance(value, np.generic) else value

    return method


class Native:
    """A ufunc of NumPy itself, which rounds as it does on plain arrays; what takes its place may round otherwise."""

    __slots__ = ("evaluate", "name", "outputs", "result", "views")

    def __init__(self, ufunc: np.ufunc) -> None:
        self.name = ufunc.__name__
        self.evaluate = ufunc
        self.result = of_ufunc(ufunc)
        self.outputs: tuple[str, ...] = ()
        self.views: None = None


class Held(ArrayLike):
    """What stands for a plain array on a tape with a budget.

    It is inside of tracked arrays, and what comparisons of these give. It has no derivative: whatever NumPy does with
    arrays it can do with this one, on the array itself.

    Attributes:
        handle: what keeps the array, or what it is computed from.
    """

    __slots__ = ("handle",)
    _state = ("handle",)
    kind: ClassVar[str] = "an array that a tape with a budget holds"

    handle: Handle
    level = 0

    def __init__(self, cell: Cell) -> None:
        self.handle = Handle(cell)

    @property
    def cell(self) -> Cell:
        """Where the array is, or how it is computed."""
        return self.handle.cell

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the axes."""
        return self.cell.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.cell.dtype

    def is_number(self) -> bool:
        """Whether it is a NumPy number, which `+=` replaces and does not change."""
        return self.cell.is_number

    def numpy(self) -> Any:
        """The array, which must not be written: the tape may read it again."""
        value = self.cell.pool.value_of(self.cell)
        if not is_ndarray(value):
            return value
        view = value.view()
        view.flags.writeable = False
        return view

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Held:
        """Zeros in the same pool."""
        return Held(self.cell.pool.zeros(shape, dtype))

    def process(self, primitive: Any, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Evaluate an operation on what is inside, where there is room for it."""
        others = [operand for operand in operands if isinstance(operand, Intercepting) and operand.level > self.level]
        if others:
            return max(others, key=lambda operand: operand.level).process(primitive, operands, static)
        pool = self.cell.pool
        inside: list[Any] = []
        for operand in operands:
            if type(operand) is Held and (cell := operand.cell).pool is pool:
                inside.append(cell)
            elif is_ndarray(value := plain(operand)) and value.nbytes > TINY_BYTES:
                inside.append(pool.constant(value))
            else:
                inside.append(value.copy() if is_ndarray(value) and value.flags.writeable else value)
        out = pool.run(primitive, tuple(inside), static)
        if primitive.outputs:
            return tuple(map(_outside, out))
        result = _outside(out)
        is_view = primitive.views is not None and primitive.views(*operands)
        if is_view and type(result) is Held and type(operands[0]) is Held and result.shape:
            result.note_view_of(operands[0], (primitive, *operands[1:]))
        return result

    def __repr__(self) -> str:
        return repr(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    __add__, __radd__ = _as_numbers("__add__"), _as_numbers("__radd__")
    __sub__, __rsub__ = _as_numbers("__sub__"), _as_numbers("__rsub__")
    __mul__, __rmul__ = _as_numbers("__mul__"), _as_numbers("__rmul__")
    __truediv__, __rtruediv__ = _as_numbers("__truediv__"), _as_numbers("__rtruediv__")
    __pow__, __rpow__ = _as_numbers("__pow__"), _as_numbers("__rpow__")

    def __and__(self, other: Any) -> Any:
        return np.bitwise_and(self, other)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __rand__(self, other: Any) -> Any:
        return np.bitwise_and(other, self)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __or__(self, other: Any) -> Any:
        return np.bitwise_or(self, other)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __ror__(self, other: Any) -> Any:
        return np.bitwise_or(other, self)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __xor__(self, other: Any) -> Any:
        return np.bitwise_xor(self, other)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __rxor__(self, other: Any) -> Any:
        return np.bitwise_xor(other, self)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __invert__(self) -> Any:
        return np.invert(self)  # pyright: ignore[reportArgumentType, reportCallIssue]

    # Whatever has no derivative rule needs none here.

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        array = np.asarray(self.numpy())
        return array.astype(dtype) if copy or dtype not in (None, array.dtype) else array

    def __float__(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        return float(self.numpy())

    def __complex__(self) -> complex:  # pyright: ignore[reportIncompatibleMethodOverride]
        return complex(self.numpy())

    def __int__(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return int(self.numpy())

    def __index__(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.numpy().__index__()

    def __reduce__(self) -> Any:
        return self.numpy().__reduce__()

    def __getattr__(self, name: str) -> Any:
        self._complain_if_locked()
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.numpy(), name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if _has_others((inputs, options)):
            return super().__array_ufunc__(ufunc, method, *inputs, **options)
        if method == "__call__" and not options and ufunc.nout == 1:
            spelled = SPELLINGS.get(ufunc)
            if isinstance(spelled, Primitive) or ufunc.signature is None:
                return self.process(spelled if isinstance(spelled, Primitive) else Native(ufunc), inputs, {})
            if spelled is not None:
                return spelled(*inputs)
        return getattr(ufunc, method)(*plain(inputs), **plain(options))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function in SPELLINGS:
            try:
                return super().__array_function__(function, types, arguments, options)
            except UnsupportedError:
                if _has_others((arguments, options)):
                    raise
        elif _has_others((arguments, options)):
            return super().__array_function__(function, types, arguments, options)
        return function(*plain(arguments), **plain(options))


def plain(value: Any) -> Any:
    """A value, or a structure of such, with plain arrays in place of what a tape with a budget holds."""
    if type(value) is Held:
        return value.numpy()
    if type(value) in (tuple, list):
        return type(value)(map(plain, value))
    if type(value) is dict:
        return {name: plain(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if is_slice(value):
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


def _is_number(value: Any) -> bool:
    return value.is_number() if type(value) is Held else isinstance(value, (np.generic, int, float, complex))


def _outside(result: Any) -> Any:
    return Held(result) if type(result) is Cell else result


def _has_others(value: Any) -> bool:
    """Whether there is a tracked array or a dual among values."""
    if isinstance(value, Intercepting):
        return type(value) is not Held
    if type(value) in (tuple, list):
        return any(map(_has_others, value))
    return type(value) is dict and any(map(_has_others, value.values()))  # pyright: ignore[reportUnknownArgumentType]
