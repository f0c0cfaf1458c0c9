"""NumPy's functions that make arrays: of sizes and values that only the run may know."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.kinds import is_list, is_ndarray, is_slice, is_tuple
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.calls import replaces
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.numbers import Number, kind_of
from retrograde.python.reading.values.operations import opened

_FEW = 64
"""Arrays of so many elements that are known while a function is read become constants of the program."""


def extents_of(shape: Any) -> tuple[Any, ...]:
    """A shape as an operand: ints and symbols."""
    if isinstance(shape, Array) or is_ndarray(shape):
        shape = tuple(shape)
    parts = shape if is_tuple(shape) or is_list(shape) else (shape,)
    return tuple(_extent(part) for part in parts)


def _extent(part: Any) -> Any:
    if isinstance(part, Handle):
        part = part.operand()
        if isinstance(part, Symbol):
            if part.dtype.kind not in "iu":
                raise TypeError(f"a size of an array has to be an int; found {part.dtype}")
            return part
    return part.__index__()


def filled(heap: Heap, shape: tuple[Any, ...], value: Any, dtype: Any = None) -> Array:
    """An array of a shape, each element of which is a number; of a row, each row of which is it."""
    part = opened(value)
    dtype = np.dtype(dtype) if dtype is not None else _natural(value, part)
    _refuse_strange(dtype)
    if isinstance(part, Symbol):
        part = part if part.dtype == dtype else part.astype(dtype)
    else:
        part = np.asarray(part, dtype)
    return heap.array(heap.builder.emit(PRIMITIVES["broadcast_to"], (part, shape), {}))


def _natural(value: Any, part: Any) -> np.dtype[Any]:
    return part.dtype if hasattr(part, "dtype") else np.asarray(value).dtype


def _refuse_strange(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biufc":
        raise UnsupportedError(
            f"an array of dtype {dtype} was asked for; programs hold booleans, integers, and real and complex floats"
        )


@replaces(np.zeros, np.empty, np.ndarray)
def _zeros(heap: Heap, shape: Any, dtype: Any = float, order: str = "C", **others: Any) -> Array:
    dtype = np.dtype(float if dtype is None else dtype)
    return filled(heap, extents_of(shape), np.zeros((), dtype), dtype)


@replaces(np.ones)
def _ones(heap: Heap, shape: Any, dtype: Any = None, order: str = "C", **others: Any) -> Array:
    return filled(heap, extents_of(shape), 1, float if dtype is None else dtype)


@replaces(np.full)
def _full(heap: Heap, shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **others: Any) -> Array:
    return filled(heap, extents_of(shape), fill_value, dtype)


def _like(heap: Heap, a: Any, value: Any, dtype: Any, shape: Any) -> Array:
    array = opened(a)
    if not hasattr(array, "dtype"):
        array = np.asarray(array)
    extents = array.shape if shape is None else extents_of(shape)
    return filled(heap, tuple(extents), value, array.dtype if dtype is None else dtype)


@replaces(np.zeros_like, np.empty_like)
def _zeros_like(
    heap: Heap, a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **others: Any
) -> Array:
    return _like(heap, a, 0, dtype, shape)


@replaces(np.ones_like)
def _ones_like(
    heap: Heap, a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **others: Any
) -> Array:
    return _like(heap, a, 1, dtype, shape)


@replaces(np.full_like)
def _full_like(
    heap: Heap,
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **others: Any,
) -> Array:
    return _like(heap, a, fill_value, dtype, shape)


@replaces(np.eye)
def _eye(heap: Heap, N: Any, M: Any = None, k: int = 0, dtype: Any = float, order: str = "C", **others: Any) -> Array:
    shape = (_extent(N), _extent(N if M is None else M))
    return heap.array(heap.builder.emit(PRIMITIVES["eye"], (shape,), {"k": int(k), "dtype": np.dtype(dtype)}))


@replaces(np.identity)
def _identity(heap: Heap, n: Any, dtype: Any = None, **others: Any) -> Array:
    return _eye(heap, n, dtype=float if dtype is None else dtype)


@replaces(np.arange)
def _arange(heap: Heap, *bounds: Any, dtype: Any = None, **others: Any) -> Array:
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    start, stop, step = others.get("start", start), others.get("stop", stop), others.get("step", step)
    if not any(isinstance(part, Handle) for part in (start, stop, step)):
        made: Any = np.arange(start, stop, step, dtype)  # pyright: ignore
        if made.size <= _FEW:
            return heap.array(made)
    length = _steps(heap, start, stop, step)
    kind = np.result_type(*(_element(part) for part in (start, stop, step))) if dtype is None else np.dtype(dtype)
    _refuse_strange(kind)
    counted = np.dtype(np.int64) if kind.kind in "iu" else kind
    turns = heap.builder.emit(PRIMITIVES["arange"], ((_extent(length),),), {"dtype": counted})
    made = heap.array(turns)
    if kind.kind == "f":
        step = start + step - start
    made = made if _is(step, 1) else made * step
    made = made if _is(start, 0) else start + made
    return made if made.dtype == kind else made.astype(kind)


def _steps(heap: Heap, start: Any, stop: Any, step: Any) -> Any:
    """How many elements a range has."""
    if all(kind_of(part) is int for part in (start, stop, step)):
        if _is(step, 1):
            return stop if _is(start, 0) else stop - start
        return -((start - stop) // step)
    from retrograde.python.reading.values.calls import call

    return call(heap, int, (call(heap, np.ceil, ((stop - start) / step,)),))


def _is(part: Any, value: int) -> bool:
    return not isinstance(part, Handle) and part == value


def _element(part: Any) -> np.dtype[Any]:
    return part.dtype if isinstance(part, Handle) else np.asarray(part).dtype


@replaces(np.linspace)
def _linspace(
    heap: Heap,
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    **others: Any,
) -> Any:
    parts = (start, stop, num)
    if not any(isinstance(part, Handle) for part in parts) and num <= _FEW:
        return heap.wrap(np.linspace(start, stop, num, endpoint, retstep, dtype, axis))  # pyright: ignore
    if any(isinstance(part, Array) and part.ndim for part in parts) or axis:
        raise UnsupportedError("np.linspace between arrays was asked for; write `a + (b - a) * t[:, None]`")
    start, stop = start * 1.0, stop * 1.0
    gaps = num - 1 if endpoint else num
    step = (stop - start) / gaps
    turns = heap.builder.emit(PRIMITIVES["arange"], ((_extent(num),),), {"dtype": np.dtype(float)})
    made = heap.array(turns) * step + start
    if endpoint:
        made[-1:] = stop
    made = made if dtype is None else made.astype(dtype)
    return (made, step) if retstep else made


@replaces(np.indices)
def _indices(heap: Heap, dimensions: Any, dtype: Any = int, sparse: bool = False) -> Any:
    extents = tuple(dimensions)
    counted = [
        _arange(heap, extent, dtype=dtype)[tuple(slice(None) if at == axis else None for at in range(len(extents)))]
        for axis, extent in enumerate(extents)
    ]
    if sparse:
        return tuple(counted)
    shape = extents_of(extents)
    whole = [heap.builder.emit(PRIMITIVES["broadcast_to"], (part.read(), shape), {}) for part in counted]
    return heap.array(np.stack(whole))


@replaces(np.r_)
def _joined_rows(heap: Heap, *parts: Any) -> Array:
    return _joined(heap, [_piece(heap, part, "np.r_") for part in parts], 0)


@replaces(np.c_)
def _joined_columns(heap: Heap, *parts: Any) -> Array:
    pieces = [_piece(heap, part, "np.c_") for part in parts]
    return _joined(heap, [piece[:, None] if piece.ndim == 1 else piece for piece in pieces], -1)


def _joined(heap: Heap, pieces: list[Array], axis: int) -> Array:
    return heap.array(np.concatenate([piece.operand() for piece in pieces], axis))


def _piece(heap: Heap, part: Any, name: str) -> Array:
    """One of the things between the brackets of `np.r_` or `np.c_`."""
    if isinstance(part, str):
        raise UnsupportedError(f"{name} was asked to join as {part!r} says; write np.concatenate(..., axis=...)")
    if is_slice(part):
        if isinstance(part.step, complex):
            return as_array(heap, _linspace(heap, part.start, part.stop, int(abs(part.step))))
        part = _arange(heap, 0 if part.start is None else part.start, part.stop, 1 if part.step is None else part.step)
    made = as_array(heap, part)
    return made if made.ndim else made[None]


@replaces(np.fromiter)
def _fromiter(heap: Heap, iter: Any, dtype: Any, count: Any = -1, **others: Any) -> Array:
    made = as_array(heap, iter if isinstance(iter, Handle) else list(iter), dtype)
    return made if _is(count, -1) else made[:count]


@replaces(np.iscomplexobj)
def _iscomplexobj(heap: Heap, x: Any) -> bool:
    return as_array(heap, x).dtype.kind == "c"


@replaces(np.isrealobj)
def _isrealobj(heap: Heap, x: Any) -> bool:
    return not _iscomplexobj(heap, x)


def as_array(heap: Heap, value: Any, dtype: Any = None) -> Array:
    """A value as an array object of its own."""
    part = opened(value)
    if not isinstance(part, Symbol):
        part = np.asarray(part)
    if dtype is not None and part.dtype != np.dtype(dtype):
        part = part.astype(np.dtype(dtype))
    _refuse_strange(part.dtype)
    return heap.array(part)


@replaces(np.array)
def _array(heap: Heap, object: Any, dtype: Any = None, *, copy: Any = True, ndmin: int = 0, **others: Any) -> Array:
    if copy is not True and isinstance(object, Array):
        made = _asarray(heap, object, dtype)
    else:
        made = as_array(heap, object, dtype)
    missing = ndmin - made.ndim
    return made[(None,) * missing] if missing > 0 else made


@replaces(np.asarray, np.asanyarray)
def _asarray(heap: Heap, a: Any, dtype: Any = None, order: Any = None, **others: Any) -> Array:
    if isinstance(a, Array) and dtype in (None, a.dtype):
        return a
    return as_array(heap, a, dtype)


@replaces(np.ascontiguousarray)
def _ascontiguousarray(heap: Heap, a: Any, dtype: Any = None, **others: Any) -> Array:
    if isinstance(a, Array) and dtype in (None, a.dtype) and a.ndim:
        if a.contiguous:
            return a
        made = heap.array(a.read())
        made.cell.share_with(a.cell)
        return made
    made = as_array(heap, a, dtype)
    return made if made.ndim else made.reshape(1)


@replaces(np.copy)
def _copy(heap: Heap, a: Any, order: str = "K", subok: bool = False) -> Array:
    return as_array(heap, a)


@replaces(np.shape)
def _shape(heap: Heap, a: Any) -> Any:
    return a.shape if isinstance(a, (Array, Number)) else as_array(heap, a).shape


@replaces(np.ndim)
def _ndim(heap: Heap, a: Any) -> int:
    return a.ndim if isinstance(a, Handle) else as_array(heap, a).ndim


@replaces(np.size)
def _size(heap: Heap, a: Any, axis: Any = None) -> Any:
    shape = _shape(heap, a)
    if axis is not None:
        return shape[axis]
    count: Any = 1
    for extent in shape:
        count = count * extent
    return count


@replaces(np.isscalar)
def _isscalar(heap: Heap, element: Any) -> bool:
    return isinstance(element, Number) or (not isinstance(element, Handle) and np.isscalar(element))


def _scalar_type(kind: type) -> None:
    def convert(heap: Heap, value: Any = 0) -> Any:
        if not isinstance(value, Handle):
            return kind(value)
        made = opened(value).astype(np.dtype(kind))
        return heap.wrap(made)

    replaces(kind)(convert)


for _kind in (np.bool, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float16):
    _scalar_type(_kind)
for _kind in (np.float32, np.float64, np.complex64, np.complex128):
    _scalar_type(_kind)
