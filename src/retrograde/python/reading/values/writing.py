"""NumPy's functions that write into an array, as writes by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.calls import call, replaces
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap


def _target(value: Any, name: str) -> Array:
    if isinstance(value, Array):
        return value
    raise TypeError(f"np.{name} was to write into a {type(value).__name__}; give it an array")


@replaces(np.copyto)
def _copyto(heap: Heap, dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    dst = _target(dst, "copyto")
    if hasattr(src, "dtype") and not np.can_cast(src.dtype, dst.dtype, casting):
        raise UsageError(
            f"copyto of {src.dtype} to {dst.dtype} by casting={casting!r}, which forbids it; use astype, or another "
            "casting"
        )
    dst[...] = src if where is True else call(heap, np.where, (where, src, dst))


@replaces(np.fill_diagonal)
def _fill_diagonal(heap: Heap, a: Any, val: Any, wrap: bool = False) -> None:
    a = _target(a, "fill_diagonal")
    if wrap or a.ndim != 2:
        raise UnsupportedError(
            "fill_diagonal with wrap, or of an array that is no matrix, is not known to programs; write "
            "`a[i, i] = v` with i = np.arange(n)"
        )
    rows, columns = a.shape
    sizes = a.type.sizes
    count = rows if sizes[0] == sizes[1] and sizes[0] is not None else call(heap, min, (rows, columns))
    places = call(heap, np.arange, (count,))
    a[places, places] = val


@replaces(np.put)
def _put(heap: Heap, a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    if mode != "raise":
        raise UnsupportedError(f"np.put with mode={mode!r} is not known to programs; write `a.flat[ind % a.size] = v`")
    _target(a, "put").raveled()[ind] = v


@replaces(np.putmask)
def _putmask(heap: Heap, a: Any, mask: Any, values: Any) -> None:
    a = _target(a, "putmask")
    if getattr(values, "ndim", np.ndim(values) if not isinstance(values, Handle) else 0):
        raise UnsupportedError("np.putmask with an array of values is not known to programs; write np.where")
    a[mask] = values


@replaces(np.place)
def _place(heap: Heap, arr: Any, mask: Any, vals: Any) -> None:
    raise UnsupportedError("np.place is not known to programs; write `a[mask] = values`")
