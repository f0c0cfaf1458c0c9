"""An array that a tape with a budget holds: it may be dropped, and is computed again where it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff.budgeted.cell import Cell
from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import Intercepting
from retrograde.program.in_place import slot
from retrograde.program.kinds import is_ndarray, is_slice
from retrograde.program.primitive import Primitive
from retrograde.program.spelling import SPELLINGS


class Held(ArrayLike):
    """What stands for a plain array on a tape with a budget.

    It is inside of tracked arrays, and what comparisons of these give. It has no derivative: whatever NumPy does with
    arrays it can do with this one, on the array itself.

    Attributes:
        cell: where the array is, or how it is computed.
    """

    __slots__ = ("_cell",)
    _state = ("cell",)
    kind: ClassVar[str] = "an array that a tape with a budget holds"

    _cell: Cell
    level = 0

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @property
    def cell(self) -> Cell:
        """Where the array is, or how it is computed."""
        self._complain_if_locked()
        return self._cell

    @cell.setter
    def cell(self, cell: Cell) -> None:
        cell.root.handles += 1
        self._let_go()
        self._cell = cell

    @cell.deleter
    def cell(self) -> None:
        self._let_go()
        del self._cell

    def __del__(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        cell: Cell | None = slot(self, "_cell", None)
        if cell is not None:
            cell.pool.release(cell.root)

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

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Evaluate an operation on what is inside, where there is room for it."""
        others = [operand for operand in operands if isinstance(operand, Intercepting) and operand.level > self.level]
        if others:
            return max(others, key=lambda operand: operand.level).process(primitive, operands, static)
        pool = self.cell.pool
        inside: list[Any] = []
        for operand in operands:
            if type(operand) is Held:
                cell = operand.cell
                inside.append(cell if cell.pool is pool else pool.constant(operand.numpy()))
            elif is_ndarray(operand) and operand.nbytes > 256:
                inside.append(pool.constant(operand))
            else:
                inside.append(plain(operand))
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

    # Whatever has no derivative rule needs none here.

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        array = np.asarray(self.numpy())
        return array.astype(dtype) if copy or dtype not in (None, array.dtype) else array

    def __float__(self) -> float:
        return float(self.numpy())

    def __complex__(self) -> complex:
        return complex(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __index__(self) -> int:
        return self.numpy().__index__()

    def __reduce__(self) -> Any:
        return self.numpy().__reduce__()

    def __getattr__(self, name: str) -> Any:
        self._complain_if_locked()
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.numpy(), name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        spelled = method == "__call__" and not options and ufunc in SPELLINGS
        if spelled or _has_others((inputs, options)):
            return super().__array_ufunc__(ufunc, method, *inputs, **options)
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


def _outside(result: Any) -> Any:
    return Held(result) if type(result) is Cell else result


def _has_others(value: Any) -> bool:
    """Whether there is a tracked array or a dual among values."""
    if isinstance(value, Intercepting):
        return type(value) is not Held
    if type(value) in (tuple, list):
        return any(map(_has_others, value))
    return type(value) is dict and any(map(_has_others, value.values()))  # pyright: ignore[reportUnknownArgumentType]
