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
from retrograde.rules.elementwise.masking import masked, masked_bits
from retrograde.rules.nn.normal import normal_cdf, normal_density
from retrograde.rules.type_rules import dtype_of, like_first


def _activation(name: str, evaluate: Any, share: Any) -> Primitive:
    """One by its share of a tangent; the share of a cotangent is the same."""
    rules = {"x": share}
    own = _same_dtype(evaluate)
    return Primitive(name, own, ("x",), result=like_first, reverse=rules, forward=rules, elementwise=True)


def _same_dtype(evaluate: Any) -> Any:
    """Dtypes from outside NumPy, such as bfloat16, become others beside Python numbers."""

    def own(x: Array, **static: Any) -> Array:
        out = evaluate(x, **static)
        return out if out.dtype == x.dtype else out.astype(x.dtype)

    return own


relu = _activation("relu", lambda x: np.maximum(x, x.dtype.type(0)), lambda t, out: masked(t, out > 0.0))


gelu = _activation("gelu", lambda x: x * normal_cdf(x), lambda t, x: t * (normal_cdf(x) + x * normal_density(x)))

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


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-x))


sigmoid = _activation("sigmoid", _sigmoid, lambda t, out: t * (out * (1.0 - out)))
"""`expit` for networks: of any floating dtype, faster, and 0 where that is below the smallest normal number."""


def _silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    return s * (1.0 + x * (1.0 - s))


silu = _activation("silu", lambda x: x * _sigmoid(x), lambda t, x: t * _silu_slope(x))


def _log_of_one_plus_exp(x: Array) -> Array:
    """log(1 + exp(-|x|)), which is between 0 and log(2)."""
    return np.log1p(np.exp(-np.abs(x)))


softplus = _activation(
    "softplus", lambda x: np.maximum(x, x.dtype.type(0)) + _log_of_one_plus_exp(x), lambda t, x: t * sigmoid(x)
)

log_sigmoid = _activation(
    "log_sigmoid", lambda x: np.minimum(x, x.dtype.type(0)) - _log_of_one_plus_exp(x), lambda t, x: t * sigmoid(-x)
)


def _mish(x: Array) -> Array:
    """x·tanh(log(1 + exp(x))) in one exponential: tanh of a logarithm is a quotient.

    With s = exp(-|x|) it is (2s + 1) / (2s + 1 + 2s²) where x is positive, else 1 and s² change places.
    """
    small = np.exp(-np.abs(x))
    square = small * small
    one = square + masked_bits(1.0 - square, x > 0.0)
    over = 2.0 * small + one
    return x * (over / (over + 2.0 * (1.0 + square - one)))


def _mish_slope(x: Array) -> Array:
    bend = np.tanh(softplus(x))
    return bend + x * (1.0 - bend * bend) * sigmoid(x)


mish = _activation("mish", _mish, lambda t, x: t * _mish_slope(x))


def _elu(x: Array, alpha: float) -> Array:
    zero = x.dtype.type(0)
    return np.maximum(x, zero) + alpha * np.expm1(np.minimum(x, zero))


def _elu_share(t: Array, out: Array, alpha: float) -> Array:
    return masked(t, out > 0.0) + masked(t * (out + alpha), out <= 0.0)


elu = Primitive(
    "elu",
    _same_dtype(_elu),
    ("x",),
    static=("alpha",),
    result=lambda x, alpha: x,
    reverse={"x": _elu_share},
    forward={"x": _elu_share},
    elementwise=True,
)


def _logistic_loss(x: Array, z: Array) -> Array:
    return np.maximum(x, x.dtype.type(0)) - x * z + _log_of_one_plus_exp(x)


def _logistic_slope(x: Array, z: Array) -> Array:
    """sigmoid(x) - z, without the cancellation where they nearly agree."""
    return (1.0 - z) * sigmoid(x) - z * sigmoid(-x)


logistic_loss = Primitive(
    "logistic_loss",
    _logistic_loss,
    ("x", "z"),
    result=lambda x, z: ArrayType(dtype_of(x, z), x.sizes),
    reverse={"x": lambda g, x, z: g * _logistic_slope(x, z), "z": lambda g, x: -g * x},
    forward={"x": lambda d, x, z: d * _logistic_slope(x, z), "z": lambda d, x: -d * x},
    elementwise=True,
)
"""-z·log(sigmoid(x)) - (1-z)·log(sigmoid(-x)), of operands of one shape."""
