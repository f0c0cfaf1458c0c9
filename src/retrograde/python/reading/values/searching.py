"""NumPy's functions that search, count and compare, where only the run knows the values."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import PRIMITIVES
from retrograde.python.reading.frames import Unset
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.calls import call, replaces
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.operations import opened


def _when_unknown(function: Any) -> Any:
    """Say that a function takes the place of one of NumPy's where an argument is under reading."""

    def declare(replacement: Any) -> Any:
        def either(heap: Heap, *arguments: Any, **options: Any) -> Any:
            if not any(isinstance(opened_or_none(value), _unknown()) for value in (*arguments, *options.values())):
                known = [_plain(value) for value in arguments]
                return heap.wrap(function(*known, **{name: _plain(value) for name, value in options.items()}))
            return replacement(heap, *arguments, **options)

        replaces(function)(either)
        return replacement

    return declare


def _unknown() -> type:
    from retrograde.program.symbol import Symbol

    return Symbol


def opened_or_none(value: Any) -> Any:
    """What an argument holds; None of what holds no numbers."""
    if isinstance(value, (Handle, list, tuple)):
        try:
            return opened(value)
        except (UnsupportedError, ValueError, TypeError):
            return None
    return None


def _plain(value: Any) -> Any:
    return opened(value) if isinstance(value, Array) else value


def _emit(heap: Heap, name: str, *operands: Any, **static: Any) -> Any:
    return heap.wrap(heap.builder.emit(PRIMITIVES[name], tuple(map(opened, operands)), static))


@_when_unknown(np.isclose)
def _isclose(heap: Heap, a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    near = abs(a - b) <= atol + rtol * abs(b)
    close = near & call(heap, np.isfinite, (b,)) | (a == b)
    return close | (call(heap, np.isnan, (a,)) & call(heap, np.isnan, (b,))) if equal_nan else close


@_when_unknown(np.allclose)
def _allclose(heap: Heap, a: Any, b: Any, *others: Any, **options: Any) -> Any:
    return heap.number(call(heap, np.all, (_isclose(heap, a, b, *others, **options),)).symbol, bool)


@_when_unknown(np.array_equal)
def _array_equal(heap: Heap, a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    if np.ndim(opened(a1)) != np.ndim(opened(a2)):
        return False
    equal = a1 == a2
    if equal_nan:
        equal = equal | (call(heap, np.isnan, (a1,)) & call(heap, np.isnan, (a2,)))
    return heap.number(call(heap, np.all, (equal,)).symbol, bool)


@_when_unknown(np.isin)
def _isin(
    heap: Heap, element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, **others: Any
) -> Any:
    one, tests = _as_array(heap, element), _as_array(heap, test_elements)
    found = call(heap, np.any, (one[..., None] == tests.raveled(),), {"axis": -1})
    return ~found if invert else found


def _as_array(heap: Heap, value: Any) -> Array:
    return value if isinstance(value, Array) else call(heap, np.array, (value,))


@_when_unknown(np.digitize)
def _digitize(heap: Heap, x: Any, bins: Any, right: bool = False) -> Any:
    return _emit(heap, "digitize", x, bins, right=bool(right))


@_when_unknown(np.lexsort)
def _lexsort(heap: Heap, keys: Any, axis: int = -1) -> Any:
    parts = list(keys)
    return _emit(heap, "lexsort", *parts, axis=axis)


@_when_unknown(np.unique)
def _unique(
    heap: Heap,
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    ar = _as_array(heap, ar)
    places, inverse, counts = _emit(heap, "unique_places", ar, axis=axis, equal_nan=bool(equal_nan))
    picked = call(heap, np.take, (ar, places), {"axis": axis})
    asked = ((places, return_index), (inverse, return_inverse), (counts, return_counts))
    extra = tuple(found for found, wanted in asked if wanted)
    return (picked, *extra) if extra else picked


@_when_unknown(np.bincount)
def _bincount(heap: Heap, x: Any, /, weights: Any = None, minlength: Any = 0) -> Any:
    """Linear in the weights: each is added to the element that its integer names."""
    x = _as_array(heap, x)
    length = call(heap, max, (call(heap, np.max, (x,)).item() + 1, minlength))
    counts = call(heap, np.zeros, (length, int if weights is None else float))
    call(heap, np.add.at, (counts, x, 1 if weights is None else weights))
    return counts


@_when_unknown(np.histogram)
def _histogram(
    heap: Heap, a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> Any:
    a = _as_array(heap, a)
    even = not isinstance(bins, (Array, list, tuple, np.ndarray))
    edges = _even_edges(heap, a, bins, range) if even else _as_array(heap, bins)
    if weights is None:
        counts = _emit(heap, "histogram_counts", a, edges, even=even)
    else:
        counts = (_even_sums if even else _sums)(heap, a.raveled(), edges, _as_array(heap, weights).raveled())
    if density:
        counts = counts / call(heap, np.diff, (edges,)) / counts.sum()
    return counts, edges


def _even_edges(heap: Heap, a: Array, bins: Any, range: Any) -> Any:
    if not isinstance(bins, (int, Handle)):
        raise UnsupportedError(f"histogram with bins={bins!r} is not known to programs; give a number or the edges")
    if range is not None:
        low, high = range
        return call(heap, np.linspace, (low, high, bins + 1))
    low, high = a.min(), a.max()
    same = low == high
    low, high = (
        heap.number(call(heap, np.where, (same, end + shift, end)).read()) for end, shift in ((low, -0.5), (high, 0.5))
    )
    return call(heap, np.linspace, (low, high, bins + 1))


def _even_sums(heap: Heap, a: Array, edges: Any, weights: Any) -> Any:
    """The sums of the weights between edges, in the order of the elements, as NumPy takes them for even ones."""
    bins = edges.shape[0] - 1
    places = call(heap, np.searchsorted, (edges, a), {"side": "right"}) - 1
    places = call(heap, np.where, (a == edges[-1], bins - 1, places))
    inside = (a >= edges[0]) & (a <= edges[-1])
    sums = call(heap, np.zeros, (bins,), {"dtype": weights.dtype})
    call(heap, np.add.at, (sums, places[inside], weights[inside]))
    return sums


def _sums(heap: Heap, a: Array, edges: Any, weights: Any) -> Any:
    """The sums of the weights between edges: differences of running sums, as NumPy takes them for uneven ones."""
    order = call(heap, np.argsort, (a,))
    ordered, weights = a[order], weights[order]
    zero = call(heap, np.zeros, (1,), {"dtype": weights.dtype})
    running = call(heap, np.concatenate, ((zero, weights.cumsum()),))
    first = call(heap, np.searchsorted, (ordered, edges[:-1], "left"))
    last = call(heap, np.searchsorted, (ordered, edges[-1:], "right"))
    return call(heap, np.diff, (running[call(heap, np.concatenate, ((first, last),))],))


def _accumulate(ufunc: np.ufunc, *, largest: bool) -> None:
    @_when_unknown(ufunc.accumulate)
    def accumulated(heap: Heap, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        array = _as_array(heap, array)
        at = normalize_axis_index(axis, array.ndim)
        places = _emit(heap, "extreme_places", array, largest=largest, axis=at)
        result = call(heap, np.take_along_axis, (array, places), {"axis": at})
        if out is None:
            return result
        out[...] = result
        return out


_accumulate(np.maximum, largest=True)
_accumulate(np.minimum, largest=False)


@_when_unknown(np.repeat)
def _repeat(heap: Heap, a: Any, repeats: Any, axis: int | None = None) -> Any:
    a = _as_array(heap, a)
    if not isinstance(repeats, Array) or not repeats.ndim:
        from retrograde.python.reading.values.calls import called

        return called(heap, np.repeat, (a, repeats), {"axis": axis})
    places = _emit(heap, "repeat_places", repeats)
    return call(heap, np.take, (a, places), {"axis": axis})


@_when_unknown(np.unravel_index)
def _unravel_index(heap: Heap, indices: Any, shape: Any, order: str = "C") -> Any:
    parts: list[Any] = []
    for extent in reversed(tuple(shape)[1:]):
        parts.append(indices % extent)
        indices = indices // extent
    return (indices, *reversed(parts))


@_when_unknown(np.ravel_multi_index)
def _ravel_multi_index(heap: Heap, multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    parts = tuple(multi_index)
    place = parts[0]
    for part, extent in zip(parts[1:], tuple(dims)[1:], strict=True):
        place = place * extent + part
    return place


@_when_unknown(np.piecewise)
def _piecewise(heap: Heap, x: Any, condlist: Any, funclist: Any, *arguments: Any, **options: Any) -> Any:
    x = _as_array(heap, x)
    conditions = list(condlist)
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        taken = conditions[0]
        for condition in conditions[1:]:
            taken = taken | condition
        conditions.append(~taken)
    made = call(heap, np.zeros_like, (x,))
    for condition, function in zip(conditions, functions, strict=True):
        made[condition] = function(x[condition], *arguments, **options) if callable(function) else function
    return made


@_when_unknown(np.fft.fftfreq)
def _fftfreq(heap: Heap, n: Any, d: Any = 1.0, **others: Any) -> Any:
    turns = call(heap, np.arange, (n,))
    middle = (n - 1) // 2 + 1
    return (turns - n * (turns >= middle)) * (1.0 / (n * d))


@_when_unknown(np.fft.rfftfreq)
def _rfftfreq(heap: Heap, n: Any, d: Any = 1.0, **others: Any) -> Any:
    return call(heap, np.arange, (n // 2 + 1,)) * (1.0 / (n * d))


@_when_unknown(np.linalg.lstsq)
def _lstsq(heap: Heap, a: Any, b: Any, rcond: Any = None) -> Any:
    """The residuals are there or not by the rank, which only the run knows."""
    a, b = _as_array(heap, a), _as_array(heap, b)
    columns = b if b.ndim > 1 else b[:, None]
    found = _emit(heap, "lstsq", a, columns, rcond=rcond)
    values = call(heap, np.linalg.svdvals, (a,))
    eps = np.finfo(values.dtype).eps
    cutoff = eps * call(heap, max, a.shape) if rcond is None else rcond
    rank = call(heap, int, (call(heap, np.sum, (values > values[:1] * cutoff,)),))
    unknown = Unset("as the residuals of np.linalg.lstsq; write them out: `np.sum((b - a @ x) ** 2, axis=0)`")
    return found if b.ndim > 1 else found[:, 0], unknown, rank, values


def _refuse(function: Any, remedy: str) -> None:
    def refused(heap: Heap, *arguments: Any, **options: Any) -> Any:
        raise UnsupportedError(f"np.{function.__name__} is not known to programs; {remedy}")

    replaces(function)(refused)


_refuse(np.frompyfunc, "write the function with NumPy's operations, or loop over the elements")
_refuse(np.nditer, "loop over range(a.shape[0]), or over the array")
_refuse(np.may_share_memory, "it asks where arrays lie in memory")
_refuse(np.shares_memory, "it asks where arrays lie in memory")
