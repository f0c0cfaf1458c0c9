"""Order statistics: medians, quantiles, percentiles. They depend on the one or two values that they are made of."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.elementwise.comparison import plain
from retrograde.rules.outputs import into
from retrograde.rules.reductions.axes import axes_of, count
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_values


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


def _between(low: Array, high: Array, part: Any) -> Array:
    """What lies a part of the way from one array to another, reckoned from the nearer one."""
    apart = high - low
    return np.where(part >= 0.5, high - apart * (1 - part), low + apart * part)


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
    a = as_array(a)
    axes = axes_of(a, axis)
    values, many = _sorted_first(_real(a), axes, "numpy.quantile")
    place = _place(many, q, method)
    lower = np.floor(plain(place)).astype(np.int64)
    upper = np.minimum(lower + 1, many - 1)
    part = place - lower
    part = float(part) if type(q) in (int, float) else np.reshape(part, np.shape(part) + (1,) * (values.ndim - 1))
    found = _between(values[lower], values[upper], part)
    return into(out, _in_place_of_axes(_or_nan(found, values[-1]), a, axes, keepdims, np.shape(q)))


def _real(a: Array) -> Array:
    if np.iscomplexobj(a):
        raise TypeError("quantiles of complex numbers were asked for, which have no order; take those of a real part")
    return a


def _place(many: int, q: Array, method: Any) -> Any:
    """The places of quantiles among sorted values. NumPy's quantiles of 0, 1, 2, … are these places."""
    if not isinstance(q, Intercepting):
        return np.quantile(np.arange(many, dtype=np.float64), q, method=method)
    if method != "linear":
        raise missing_rule(f"numpy.quantile with method={method!r} and a tracked q", (q,))
    return np.multiply(q, many - 1)  # pyright: ignore[reportArgumentType, reportCallIssue]


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
    return _quantile(a, _hundredth(q), axis, out, False, method, keepdims)


def _hundredth(q: Any) -> Any:
    return q / 100 if type(q) in (int, float) else np.true_divide(q, 100)


@spells(np.nanquantile)
def _nanquantile(
    a: Array,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: bool = False,
) -> Array:
    """Among the sorted values NaN comes last, so that the numbers of each row have places of their own."""
    axes = axes_of(a, axis)
    values, _ = _sorted_first(_real(a), axes, "numpy.nanquantile")
    numbers = np.sum(np.logical_not(np.isnan(known_values(values, "nanquantile"))), axis=0)
    if isinstance(q, Intercepting):
        raise missing_rule("numpy.nanquantile with a tracked q", (q,))
    wanted = np.atleast_1d(q)
    places = np.zeros((len(wanted), *numbers.shape))
    for number in np.unique(numbers[numbers > 0]):
        places[:, numbers == number] = _place(int(number), wanted, method)[:, None]
    lower = np.floor(places).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(numbers - 1, 0))
    part = (places - lower).astype(values.dtype if type(q) in (int, float) else np.float64)
    found = _between(np.take_along_axis(values, lower, 0), np.take_along_axis(values, upper, 0), part)
    return into(out, _in_place_of_axes(found if np.ndim(q) else found[0], a, axes, keepdims, np.shape(q)))


@spells(np.nanpercentile)
def _nanpercentile(
    a: Array,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: bool = False,
) -> Array:
    return _nanquantile(a, _hundredth(q), axis, out, False, method, keepdims)


@spells(np.nanmedian)
def _nanmedian(
    a: Array, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    return _nanquantile(a, 0.5, axis, out, False, "linear", keepdims)
