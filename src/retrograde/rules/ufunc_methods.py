"""What else can be asked of a ufunc: its options, and `reduce`, `accumulate`, `outer` and `at`."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.elementwise.comparison import plain
from retrograde.rules.indexing.items import add_at
from retrograde.rules.outputs import into
from retrograde.rules.reductions.axes import axes_of
from retrograde.rules.special.log_sum_exp import logsumexp


def _log_of_sum(array: Array, axis: Any = None, keepdims: bool = False) -> Array:
    axes = axes_of(array, axis)
    out = logsumexp(array, axis=axes)
    return out if keepdims else np.reshape(out, tuple(out.shape[at] for at in range(out.ndim) if at not in axes))


_REDUCED: dict[Any, Callable[..., Array]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
    np.logaddexp: _log_of_sum,
}


@spells(np.ufunc.__call__)
def _call(ufunc: np.ufunc, *inputs: Any, out: Any = None, where: Any = True, dtype: Any = None, **others: Any) -> Any:
    """A ufunc with options: `dtype` casts what goes in, `out` is written, where `where` is true."""
    if ufunc.signature is not None and "axis" in others:
        axis = others.pop("axis")
        inputs = tuple(np.moveaxis(x, axis, -1) for x in inputs)
    if others.keys() - {"casting", "order", "subok"} or ufunc.nout > 1:
        options = {"out": out, "dtype": dtype, **others}
        asked = ", ".join(name for name, value in options.items() if value is not None)
        raise missing_rule(f"numpy.{ufunc.__name__} with {asked}", inputs)
    target: Any = _only(out)
    if where is not True and target is None:
        raise UnsupportedError(
            f"numpy.{ufunc.__name__} was called with where=, and what it gives elsewhere is not defined; give an `out` "
            "that is tracked, or write np.where(mask, f(x), 0.0)"
        )
    result = ufunc(*(inputs if dtype is None else _cast(ufunc, inputs, np.dtype(dtype))))
    return into(target, result if where is True else np.where(where, result, target))


def _cast(ufunc: np.ufunc, inputs: tuple[Any, ...], dtype: np.dtype[Any]) -> list[Any]:
    """The inputs in the dtypes of the loop that makes this dtype."""
    given = tuple(x.dtype if hasattr(x, "dtype") else type(x) for x in inputs)
    wanted = ufunc.resolve_dtypes((*given, None), signature=(*(None,) * ufunc.nin, dtype), casting="same_kind")
    return [np.astype(x, to) if hasattr(x, "dtype") else x for x, to in zip(inputs, wanted, strict=False)]


def _only(out: Any) -> Any:
    """NumPy hands on what was given as `out` in a tuple."""
    return out[0] if isinstance(out, tuple) else out


@spells(np.ufunc.reduce)
def _reduce(ufunc: np.ufunc, array: Array, axis: Any = 0, dtype: Any = None, out: Any = None, **options: Any) -> Array:
    function = _REDUCED.get(ufunc)
    if function is None:
        raise missing_rule(f"numpy.{ufunc.__name__}.reduce", (array,))
    if dtype is not None:
        array = np.astype(array, dtype)
    return into(_only(out), function(array, axis=axis, **options))


@spells(np.ufunc.accumulate)
def _accumulate(ufunc: np.ufunc, array: Array, axis: int = 0, dtype: Any = None, out: Any = None) -> Array:
    if dtype is not None:
        array = np.astype(array, dtype)
    if ufunc in (np.maximum, np.minimum):
        result = _running(ufunc, array, normalize_axis_index(axis, array.ndim))
    elif ufunc in (np.add, np.multiply):
        result = (np.cumsum if ufunc is np.add else np.cumprod)(array, axis=axis)
    else:
        raise missing_rule(f"numpy.{ufunc.__name__}.accumulate", (array,))
    return into(_only(out), result)


def _running(ufunc: np.ufunc, array: Array, axis: int) -> Array:
    """The largest or smallest so far. Of those that are alike, the last one counts."""
    values = plain(array)
    if isinstance(values, Intercepting):
        raise missing_rule(f"numpy.{ufunc.__name__}.accumulate in a program", (array,))
    turns = np.arange(array.shape[axis]).reshape((-1,) + (1,) * (array.ndim - axis - 1))
    places = np.maximum.accumulate(np.where(values == ufunc.accumulate(values, axis=axis), turns, 0), axis=axis)
    grid = list(np.ogrid[tuple(map(slice, array.shape))])
    return array[(*grid[:axis], places, *grid[axis + 1 :])]


@spells(np.ufunc.outer)
def _outer(ufunc: np.ufunc, a: Array, b: Array, **options: Any) -> Array:
    a, b = (x if hasattr(x, "dtype") else np.asarray(x) for x in (a, b))
    if a.ndim:
        a = np.reshape(a, (*a.shape, *(1,) * b.ndim))
    return ufunc(a, b, **options)


@spells(np.ufunc.at)
def _at(ufunc: np.ufunc, a: Array, indices: Any, b: Any = None) -> None:
    """`a[indices] += b`, each index counted as often as it is named."""
    if not isinstance(a, ArrayLike):
        into(a, b)
    if ufunc not in (np.add, np.subtract):
        raise missing_rule(f"numpy.{ufunc.__name__}.at", (a, b))
    b = b if hasattr(b, "dtype") else np.asarray(b, a.dtype)
    a[...] = add_at(a, np.asarray(indices) if isinstance(indices, list) else indices, b if ufunc is np.add else -b)
