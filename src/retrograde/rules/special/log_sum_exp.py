"""Sums of exponentials that do not overflow: logsumexp, softmax, log_softmax.

Each keeps no exponentials: `logsumexp` reads its operand, the two others their result alone.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.arithmetic import conj
from retrograde.rules.type_rules import dtype_of

Axes = tuple[int, ...]


def _shifted(x: Array, axis: Axes) -> tuple[Array, Array]:
    """The operand less its largest real part along the axes, in an array of its own, and what was taken off."""
    x = np.asarray(x) if not hasattr(x, "dtype") else x
    top: Any = np.max(np.real(x), axis=axis, keepdims=True, initial=-np.inf)
    largest: Any = np.where(np.isfinite(top), top, top.dtype.type(0))
    return x - largest, largest


def _logsumexp(x: Array, axis: Axes) -> Array:
    shifted, largest = _shifted(x, axis)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)) + largest


def _kept_axes(x: ArrayType, axis: Axes) -> ArrayType:
    dtype = np.exp(np.zeros(1, x.dtype)).dtype
    return ArrayType(dtype, tuple(1 if at in axis else size for at, size in enumerate(x.sizes)))


logsumexp = Primitive(
    "logsumexp",
    _logsumexp,
    ("x",),
    static=("axis",),
    result=_kept_axes,
    reverse={"x": lambda g, x, axis: g * conj(softmax(x, axis=axis))},
    forward={"x": lambda d, x, axis: np.sum(d * softmax(x, axis=axis), axis=axis, keepdims=True)},
)
"""The logarithm of a sum of exponentials, over axes that stay with extent 1."""


def _weighted(x: Array, b: Array, axis: Axes) -> Array:
    shifted, largest = _shifted(np.where(b == 0.0, -np.inf, x), axis)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(b * np.exp(shifted), axis=axis, keepdims=True)) + largest


def _weighted_type(x: ArrayType, b: ArrayType, axis: Axes) -> ArrayType:
    return _kept_axes(ArrayType(dtype_of(x, b), x.sizes), axis)


weighted_logsumexp = Primitive(
    "weighted_logsumexp",
    _weighted,
    ("x", "b"),
    static=("axis",),
    result=_weighted_type,
    reverse={
        "x": lambda g, x, b, out: g * conj(b * np.exp(x - out)),
        "b": lambda g, x, out: g * conj(np.exp(x - out)),
    },
    forward={
        "x": lambda d, x, b, out, axis: np.sum(d * (b * np.exp(x - out)), axis=axis, keepdims=True),
        "b": lambda d, x, out, axis: np.sum(d * np.exp(x - out), axis=axis, keepdims=True),
    },
)
"""The logarithm of a weighted sum of exponentials. The operands have one shape."""


def _softmax(x: Array, axis: Axes) -> Array:
    exponentials = _exponential(_shifted(x, axis)[0])
    exponentials /= np.sum(exponentials, axis=axis, keepdims=True)
    return exponentials


def _exponential(own: Array) -> Array:
    return np.exp(own, out=own) if own.ndim and own.dtype.kind in "fc" else np.exp(own)


def _like_floating(x: ArrayType, axis: Axes) -> ArrayType:
    return ArrayType(np.exp(np.zeros(1, x.dtype)).dtype, x.sizes)


def _softmax_share(t: Array, out: Array, axis: Axes) -> Array:
    return out * (t - np.sum(t * out, axis=axis, keepdims=True))


softmax = Primitive(
    "softmax",
    _softmax,
    ("x",),
    static=("axis",),
    result=_like_floating,
    reverse={"x": lambda g, out, axis: _softmax_share(g, conj(out), axis)},
    forward={"x": _softmax_share},
)


def _log_softmax(x: Array, axis: Axes) -> Array:
    shifted, _ = _shifted(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


log_softmax = Primitive(
    "log_softmax",
    _log_softmax,
    ("x",),
    static=("axis",),
    result=_like_floating,
    reverse={"x": lambda g, out, axis: g - conj(np.exp(out)) * np.sum(g, axis=axis, keepdims=True)},
    forward={"x": lambda d, out, axis: d - np.sum(d * np.exp(out), axis=axis, keepdims=True)},
)
