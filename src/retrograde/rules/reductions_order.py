"""Order statistics: medians, quantiles, percentiles. They depend on the one or two values that they are made of."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.axes import axes_of, count
from retrograde.rules.outputs import into


def _sorted_first(a: Array, axes: tuple[int, ...], name: str) -> tuple[Array, int]:
    """The array sorted along axes taken together, which come first; and how many elements those hold."""
    kept = tuple(at for at in range(a.ndim) if at not in axes)
    many = count(a, axes, np.dtype(np.int64))
    if not isinstance(many, int):
        raise missing_rule(f"{name} along an axis whose size only the run knows", (a,))
    first = np.reshape(np.transpose(a, (*axes, *kept)), (many, *(a.shape[at] for at in kept)))
    return np.sort(first, axis=0), many


def _in_place_of_axes(out: Array, a: Array, axes: tuple[int, ...], keepdims: bool, leading: tuple[int, ...]) -> Array:
    if not keepdims:
        return out
    return np.reshape(out, (*leading, *(1 if at in axes else a.shape[at] for at in range(a.ndim))))


def _or_nan(out: Array, largest: Array) -> Array:
    """NaN where there is one among the values: it is sorted to the end."""
    return np.where(np.isnan(largest), largest, out)


@spells(np.median)
def _median(
    a: Array, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    axes = axes_of(a, axis)
    values, many = _sorted_first(a, axes, "numpy.median")
    half = many // 2
    middle = values[half] if many % 2 else np.mean(values[half - 1 : half + 1], axis=0)
    return into(out, _in_place_of_axes(_or_nan(middle, values[-1]), a, axes, keepdims, ()))


@spells(np.quantile)
def _quantile(
    a: Array,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: bool = False,
) -> Array:
    """NumPy's quantile of 0, 1, 2, … says which two sorted values to take, and how far it is from one to the other."""
    if np.iscomplexobj(a):
        raise TypeError("quantiles of complex numbers were asked for, which have no order; take those of a real part")
    axes = axes_of(a, axis)
    values, many = _sorted_first(a, axes, "numpy.quantile")
    place: Any = np.quantile(np.arange(many, dtype=np.float64), q, method=method)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, many - 1)
    part: Any = place - lower
    part = float(part) if type(q) in (int, float) else np.reshape(part, np.shape(part) + (1,) * (values.ndim - 1))
    low, high = values[lower], values[upper]
    apart = high - low
    found = np.where(part >= 0.5, high - apart * (1 - part), low + apart * part)
    return into(out, _in_place_of_axes(_or_nan(found, values[-1]), a, axes, keepdims, np.shape(q)))


@spells(np.percentile)
def _percentile(
    a: Array,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: bool = False,
) -> Array:
    return _quantile(
        a, q / 100 if type(q) in (int, float) else np.true_divide(q, 100), axis, out, False, method, keepdims
    )
