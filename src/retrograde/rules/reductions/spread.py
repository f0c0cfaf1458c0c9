"""How far values spread: variance, standard deviation, covariance."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.elementwise.quiet import divide_by_length
from retrograde.rules.outputs import into
from retrograde.rules.reductions.axes import axes_of, count, real_dtype, spread
from retrograde.rules.type_rules import reduced


def _spread_type(x: ArrayType, axis: tuple[int, ...], keepdims: bool, ddof: float) -> ArrayType:
    kind = reduced(np.add)(x, axis, keepdims)
    dtype = real_dtype(kind.dtype) if kind.dtype.kind in "fc" else np.dtype(np.float64)
    return ArrayType(dtype, kind.sizes)


def _deviations(x: Array, axis: tuple[int, ...]) -> Array:
    return x - np.mean(x, axis=axis, keepdims=True)


def _freedom(x: Array, axis: tuple[int, ...], ddof: float) -> Any:
    return count(x, axis, x.dtype) - ddof


def _pulled(g: Array, x: Array, x_shape: tuple[Any, ...], axis: tuple[int, ...], keepdims: bool) -> Array:
    return spread(g, x_shape, axis, keepdims) * _deviations(x, axis)


def _pushed(d: Array, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.sum(np.real(conj(_deviations(x, axis)) * d), axis=axis, keepdims=keepdims)


var = Primitive(
    "var",
    lambda x, axis, keepdims, ddof: np.var(x, axis=axis, keepdims=keepdims, ddof=ddof),
    ("x",),
    static=("axis", "keepdims", "ddof"),
    result=_spread_type,
    reverse={
        "x": lambda g, x, x_shape, axis, keepdims, ddof: (
            2.0 * _pulled(g, x, x_shape, axis, keepdims) / _freedom(x, axis, ddof)
        )
    },
    forward={
        "x": lambda d, x, axis, keepdims, ddof: 2.0 * _pushed(d, x, axis, keepdims) / _freedom(x, axis, ddof),
    },
)

# Where all values are alike, this has a kink as the absolute value has, and its derivative is 0.
std = Primitive(
    "std",
    lambda x, axis, keepdims, ddof: np.std(x, axis=axis, keepdims=keepdims, ddof=ddof),
    ("x",),
    static=("axis", "keepdims", "ddof"),
    result=_spread_type,
    reverse={
        "x": lambda g, x, x_shape, out, axis, keepdims, ddof: (
            divide_by_length(_pulled(g, x, x_shape, axis, keepdims), spread(out, x_shape, axis, keepdims))
            / _freedom(x, axis, ddof)
        )
    },
    forward={
        "x": lambda d, x, out, axis, keepdims, ddof: (
            divide_by_length(_pushed(d, x, axis, keepdims), out) / _freedom(x, axis, ddof)
        )
    },
)


def _spelled(primitive: Primitive, of_variance: Callable[[Array], Array]) -> Callable[..., Array]:
    """What takes the place of NumPy's function, the primitive or, where elements are left out, made of the variance."""

    def spelled(
        a: Array,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        where: Any = True,
        mean: Any = None,
        correction: float | None = None,
    ) -> Array:
        a = a if dtype is None else np.astype(a, dtype)
        axes, ddof = axes_of(a, axis), ddof if correction is None else correction
        if where is True and mean is None:
            return into(out, primitive(a, axis=axes, keepdims=bool(keepdims), ddof=ddof))
        return into(out, of_variance(_masked(a, axes, ddof, bool(keepdims), where, mean)))

    return spelled


spells(np.var)(_spelled(var, lambda variance: variance))
spells(np.std)(_spelled(std, np.sqrt))


def _masked(a: Array, axes: tuple[int, ...], ddof: float, keepdims: bool, where: Any, mean: Any) -> Array:
    """The variance of what a mask chooses, or around a mean that was given."""
    if mean is None:
        mean = np.mean(a, axis=axes, keepdims=True, where=where)
    apart = a - mean
    squares = np.square(np.real(apart)) + np.square(np.imag(apart)) if np.iscomplexobj(apart) else np.square(apart)
    total = np.sum(squares, axis=axes, keepdims=keepdims, where=where)
    return total / np.maximum(count(a, axes, total.dtype, where, keepdims) - ddof, 0)


@spells(np.cov)
def _cov(
    m: Array,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Array:
    """As NumPy reckons it: rows are variables, columns observations, which weights may count."""
    rows = _all_rows(m, y, rowvar, dtype)
    if ddof is None:
        ddof = 0 if bias else 1
    given = [np.reshape(weights, (1, -1)) for weights in (fweights, aweights) if weights is not None]
    weights: Any = given[0] * given[-1] if len(given) == 2 else given[0] if given else None
    total: Any = rows.shape[1] if weights is None else np.sum(weights)
    apart = rows - np.average(rows, axis=1, weights=weights, keepdims=True)
    weighted = apart if weights is None else apart * weights
    freedom = total - ddof
    if ddof != 0 and aweights is not None:
        freedom = total - ddof * np.sum(weights * given[-1]) / total
    out = np.matmul(apart, np.transpose(conj(weighted))) / freedom
    return np.reshape(out, ()) if all(isinstance(extent, int) and extent == 1 for extent in out.shape) else out


def _all_rows(m: Any, y: Any, rowvar: bool, dtype: Any) -> Array:
    rows = _as_rows(m, rowvar)
    if y is not None:
        rows = np.concatenate((rows, _as_rows(y, rowvar)), axis=0)
    return np.astype(rows, np.result_type(rows.dtype, np.float64) if dtype is None else dtype)


def _as_rows(m: Any, rowvar: bool) -> Array:
    m = m if hasattr(m, "dtype") else np.asarray(m)
    if m.ndim < 2:
        return np.reshape(m, (1, -1))
    return m if rowvar else np.transpose(m)


@spells(np.corrcoef)
def _corrcoef(x: Array, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    deviation = np.std(_all_rows(x, y, rowvar, dtype), axis=1, ddof=1)
    covariance = np.cov(x, y, rowvar, dtype=dtype)
    if not covariance.ndim:
        return covariance / covariance
    return covariance / deviation[:, None] / deviation[None, :]
