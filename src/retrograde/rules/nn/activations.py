"""Activations that keep one array: their operand, or their result where that says enough.

Written out of other functions, each would keep what every step reads. At its kink `relu` has the derivative 0.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.special.declare import scipy_special
from retrograde.rules.special.entropies import expit
from retrograde.rules.special.error_functions import ndtr
from retrograde.rules.type_rules import dtype_of, like_first


def _activation(name: str, evaluate: Any, share: Any) -> Primitive:
    """One that is its own kind of array, by its share of a tangent; the share of a cotangent is the same."""
    rules = {"x": share}
    return Primitive(name, evaluate, ("x",), result=like_first, reverse=rules, forward=rules, elementwise=True)


def _at_own_precision(name: str, x: Array) -> Array:
    """A function of scipy.special, which knows no half precision, in the dtype of its operand."""
    out = getattr(scipy_special(), name)(x if x.dtype.itemsize > 2 else x.astype(np.float32))
    return out if out.dtype == x.dtype else out.astype(x.dtype)


relu = _activation("relu", lambda x: np.maximum(x, x.dtype.type(0)), lambda t, out: np.where(out > 0.0, t, 0.0))


gelu = _activation(
    "gelu",
    lambda x: x * _at_own_precision("ndtr", x),
    lambda t, x: t * (ndtr(x) + x * (np.exp(-0.5 * x * x) * (1.0 / sqrt(2.0 * pi)))),
)

_SCALE = sqrt(2.0 / pi)
_CUBIC = 0.044715


def _gelu_tanh_slope(x: Array) -> Array:
    square = x * x
    bend = np.tanh(x * (_SCALE + (_SCALE * _CUBIC) * square))
    return 0.5 * (1.0 + bend) + 0.5 * x * (1.0 - bend * bend) * (_SCALE + (3.0 * _SCALE * _CUBIC) * square)


gelu_tanh = _activation(
    "gelu_tanh",
    lambda x: 0.5 * x * (1.0 + np.tanh(_SCALE * (x + _CUBIC * (x * x * x)))),
    lambda t, x: t * _gelu_tanh_slope(x),
)


def _silu_slope(x: Array) -> Array:
    s = expit(x)
    return s * (1.0 + x * (1.0 - s))


silu = _activation("silu", lambda x: x * _at_own_precision("expit", x), lambda t, x: t * _silu_slope(x))

softplus = _activation("softplus", lambda x: np.logaddexp(x, x.dtype.type(0)), lambda t, x: t * expit(x))


def _mish_slope(x: Array) -> Array:
    bend = np.tanh(softplus(x))
    return bend + x * (1.0 - bend * bend) * expit(x)


mish = _activation("mish", lambda x: x * np.tanh(np.logaddexp(x, x.dtype.type(0))), lambda t, x: t * _mish_slope(x))


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, x.dtype.type(0))))


def _elu_share(t: Array, out: Array, alpha: float) -> Array:
    return t * np.where(out > 0.0, 1.0, out + alpha)


elu = Primitive(
    "elu",
    _elu,
    ("x",),
    static=("alpha",),
    result=lambda x, alpha: x,
    reverse={"x": _elu_share},
    forward={"x": _elu_share},
    elementwise=True,
)


def _logistic_loss(x: Array, z: Array) -> Array:
    return np.maximum(x, x.dtype.type(0)) - x * z + np.log1p(np.exp(-np.abs(x)))


def _logistic_slope(x: Array, z: Array) -> Array:
    """expit(x) - z, without the cancellation where they nearly agree."""
    return (1.0 - z) * expit(x) - z * expit(-x)


logistic_loss = Primitive(
    "logistic_loss",
    _logistic_loss,
    ("x", "z"),
    result=lambda x, z: ArrayType(dtype_of(x, z), x.sizes),
    reverse={"x": lambda g, x, z: g * _logistic_slope(x, z), "z": lambda g, x: -g * x},
    forward={"x": lambda d, x, z: d * _logistic_slope(x, z), "z": lambda d, x: -d * x},
    elementwise=True,
)
"""-z·log(expit(x)) - (1-z)·log(expit(-x)), of operands of one shape."""
