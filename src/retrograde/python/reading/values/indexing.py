"""Indices: what stands in brackets, as operands of instructions."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import as_tuple, is_list, is_ndarray, is_slice, is_tuple
from retrograde.program.symbol import Symbol
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap


def index_of(heap: Heap, index: Any) -> Any:
    """An index with symbols in place of handles, and arrays in place of lists."""
    if is_tuple(index):
        return tuple(_part(heap, part) for part in index)
    return _part(heap, index)


def _part(heap: Heap, part: Any) -> Any:
    if is_slice(part):
        return slice(*(_bound(bound) for bound in (part.start, part.stop, part.step)))
    if isinstance(part, Handle):
        part = part.operand()
    if isinstance(part, range):
        return np.arange(part.start, part.stop, part.step)
    if is_list(part) or is_tuple(part):
        return _of_list(heap, part)
    if isinstance(part, np.integer):
        return int(part)
    if is_ndarray(part) and not part.ndim and part.dtype.kind in "iu":
        return int(part)
    _check(part)
    return part


def _of_list(heap: Heap, part: Any) -> Any:
    from retrograde.python.reading.values.operations import opened

    return opened(part) if len(part) else np.zeros(0, np.intp)


def _bound(bound: Any) -> Any:
    if isinstance(bound, Handle):
        bound = bound.operand()
        if not isinstance(bound, Symbol):
            return int(bound)
        if bound.ndim or bound.dtype.kind not in "iu":
            raise TypeError(f"slice indices must be integers or None; found {bound.dtype} of {bound.ndim} axes")
        return bound
    return bound if bound is None else bound.__index__()


def _check(part: Any) -> None:
    if part is None or part is Ellipsis or (isinstance(part, int) and not isinstance(part, bool)):
        return
    dtype = getattr(part, "dtype", None)
    if dtype is None or dtype.kind not in "iub" or (dtype.kind == "b" and not np.ndim(part)):
        kind = f"an array of {dtype}" if dtype is not None else repr(part)
        raise UsageError(f"an index by {kind} was asked for; use ints, slices, ..., None, integer arrays and masks")


def is_basic(index: Any) -> bool:
    """Whether NumPy gives a view, or an element: no arrays, no masks."""
    return not any(getattr(part, "ndim", 0) for part in as_tuple(index))


def is_whole(index: Any) -> bool:
    """Whether an index is `...` or `:`, which is every element."""
    parts = as_tuple(index)
    return bool(parts) and all(part is Ellipsis or (is_slice(part) and _is_full(part)) for part in parts)


def _is_full(part: slice) -> bool:
    return part.start is None and part.stop is None and part.step is None


def picks_number(index: Any, rank: int) -> bool:
    """Whether a basic index picks one element as a number: an int for each axis, and nothing else."""
    parts = as_tuple(index)
    return len(parts) == rank and not any(part is None or part is Ellipsis or is_slice(part) for part in parts)
