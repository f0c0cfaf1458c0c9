"""Elementwise primitives: the result's element depends on the operands' elements at the same place.

At a kink the derivative is the mean of those on its two sides: where `maximum` has a tie, each operand gets half.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive, Rule, RuleFunction
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.type_rules import always, broadcast_extents, dtype_of, like_first, of_ufunc, sizes_of


def conj(x: Array) -> Array:
    """The complex conjugate, and a real array as it is: NumPy's makes a copy."""
    kind: str = x.dtype.kind if hasattr(x, "dtype") else np.min_scalar_type(x).kind
    return np.conjugate(x) if kind == "c" else x


def _ufunc(ufunc: np.ufunc, operands: tuple[str, ...], **rules: Any) -> Primitive:
    primitive = Primitive(ufunc.__name__, ufunc, operands, result=of_ufunc(ufunc), **rules)
    return spells(ufunc)(primitive)


def _analytic(ufunc: np.ufunc, derivative: RuleFunction) -> Primitive:
    """A function of one operand by its derivative, which reads the operand `x` or the result `out`."""
    code: Any = derivative.__code__
    reads: tuple[str, ...] = code.co_varnames[:1]
    return _ufunc(
        ufunc,
        ("x",),
        reverse={"x": Rule(lambda g, at: g * conj(derivative(at)), reads)},
        forward={"x": Rule(lambda d, at: d * derivative(at), reads)},
    )


add = _ufunc(
    np.add,
    ("x", "y"),
    reverse={"x": lambda g: g, "y": lambda g: g},
    forward={"x": lambda d: d, "y": lambda d: d},
)

subtract = _ufunc(
    np.subtract,
    ("x", "y"),
    reverse={"x": lambda g: g, "y": lambda g: -g},
    forward={"x": lambda d: d, "y": lambda d: -d},
)

multiply = _ufunc(
    np.multiply,
    ("x", "y"),
    reverse={"x": lambda g, y: g * conj(y), "y": lambda g, x: g * conj(x)},
    linear=("x", "y"),
)

divide = _ufunc(
    np.divide,
    ("x", "y"),
    reverse={"x": lambda g, y: g / conj(y), "y": lambda g, y, out: -g * conj(out / y)},
    forward={"y": lambda d, y, out: -d * (out / y)},
    linear=("x",),
)

negative = _ufunc(np.negative, ("x",), reverse={"x": lambda g: -g}, linear=("x",))

positive = _ufunc(np.positive, ("x",), reverse={"x": lambda g: g}, linear=("x",))

sin = _analytic(np.sin, lambda x: np.cos(x))

cos = _analytic(np.cos, lambda x: -np.sin(x))

exp = _analytic(np.exp, lambda out: out)

tanh = _analytic(np.tanh, lambda out: 1.0 - out * out)

# Antilinear: linear over the reals, which is what a derivative needs.
conjugate = _ufunc(np.conjugate, ("x",), reverse={"x": lambda g: np.conjugate(g)}, linear=("x",))


def _where_larger(t: Array, one: Array, other: Array) -> Array:
    return np.where(one == other, 0.5 * t, np.where(one > other, t, 0.0))


maximum = _ufunc(
    np.maximum,
    ("x", "y"),
    reverse={"x": lambda g, x, y: _where_larger(g, x, y), "y": lambda g, x, y: _where_larger(g, y, x)},
    forward={"x": lambda d, x, y: _where_larger(d, x, y), "y": lambda d, x, y: _where_larger(d, y, x)},
)


def _where_type(condition: Any, x: Any, y: Any) -> ArrayType:
    return ArrayType(dtype_of(x, y), broadcast_extents(*(sizes_of(operand) for operand in (condition, x, y))))


where = spells(np.where)(
    Primitive(
        "where",
        np.where,
        ("condition", "x", "y"),
        result=_where_type,
        reverse={
            "x": lambda g, condition: np.where(condition, g, 0.0),
            "y": lambda g, condition: np.where(condition, 0.0, g),
        },
        forward={
            "x": lambda d, condition: np.where(condition, d, 0.0),
            "y": lambda d, condition: np.where(condition, 0.0, d),
        },
    )
)


def _real_type(x: ArrayType) -> ArrayType:
    return ArrayType(np.real(np.zeros((), x.dtype)).dtype, x.sizes)


real = spells(np.real)(
    Primitive(
        "real",
        np.real,
        ("x",),
        result=_real_type,
        reverse={"x": lambda g: g},
        linear=("x",),
        views=always,
    )
)

imag = spells(np.imag)(
    Primitive(
        "imag",
        np.imag,
        ("x",),
        result=_real_type,
        reverse={"x": lambda g: g * 1j},
        linear=("x",),
        views=always,
    )
)

astype = Primitive(
    "astype",
    lambda x, dtype: np.asarray(x).astype(dtype) if isinstance(x, (int, float, complex)) else x.astype(dtype),
    ("x",),
    static=("dtype",),
    result=lambda x, dtype: ArrayType(dtype, sizes_of(x)),
    reverse={"x": lambda g: g},
    linear=("x",),
)


@spells(np.astype)
def _astype(x: Array, dtype: Any) -> Array:
    dtype = np.dtype(dtype)
    if np.iscomplexobj(x) and dtype.kind == "f":
        x = np.real(x)
    return astype(x, dtype=dtype)


@spells(np.iscomplexobj)
def _iscomplexobj(x: Array) -> bool:
    return x.dtype.kind == "c"


stop_gradient = Primitive("stop_gradient", lambda x: x, ("x",), result=like_first)
"""Its operand, as a constant to every derivative."""
