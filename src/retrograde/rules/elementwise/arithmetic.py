"""Arithmetic, choice and conversion, element by element."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive, Rule
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj, elementwise
from retrograde.rules.elementwise.masking import masked
from retrograde.rules.elementwise.quiet import divide_or_zero, multiply_or_zero
from retrograde.rules.type_rules import always, broadcast_extents, dtype_of, like_first, sizes_of

add = elementwise(
    np.add,
    ("x", "y"),
    reverse={"x": lambda g: g, "y": lambda g: g},
    forward={"x": lambda d: d, "y": lambda d: d},
)

subtract = elementwise(
    np.subtract,
    ("x", "y"),
    reverse={"x": lambda g: g, "y": Rule(lambda g: -g, overwriting=lambda g: np.negative(g, out=g))},
    forward={"x": lambda d: d, "y": lambda d: -d},
)

multiply = elementwise(
    np.multiply,
    ("x", "y"),
    reverse={
        "x": Rule(lambda g, y: g * conj(y), overwriting=lambda g, y: np.multiply(g, conj(y), out=g)),
        "y": Rule(lambda g, x: g * conj(x), overwriting=lambda g, x: np.multiply(g, conj(x), out=g)),
    },
    linear=("x", "y"),
)


def _by_the_divisor(g: Array, x: Array, y: Array) -> Array:
    return -divide_or_zero(divide_or_zero(g, conj(y)) * conj(x), conj(y))


def _by_the_divisor_in_place(g: Array, x: Array, y: Array) -> Array:
    if not np.all(y):
        return _by_the_divisor(g, x, y)
    np.divide(g, conj(y), out=g)
    np.multiply(g, conj(x), out=g)
    np.divide(g, conj(y), out=g)
    return np.negative(g, out=g)


divide = elementwise(
    np.divide,
    ("x", "y"),
    reverse={
        "x": lambda g, y: divide_or_zero(g, conj(y)),
        "y": Rule(
            _by_the_divisor,
            overwriting=_by_the_divisor_in_place,
            instead=lambda g, y, out: -multiply_or_zero(divide_or_zero(g, conj(y)), conj(out)),
        ),
    },
    forward={
        "x": lambda d, y: divide_or_zero(d, y),
        "y": lambda d, x, y: -divide_or_zero(divide_or_zero(d, y) * x, y),
    },
)

negative = elementwise(
    np.negative, ("x",), reverse={"x": Rule(lambda g: -g, overwriting=lambda g: np.negative(g, out=g))}, linear=("x",)
)

positive = elementwise(np.positive, ("x",), reverse={"x": lambda g: g}, linear=("x",))

# Antilinear: linear over the reals, which is what a derivative needs.
conjugate = elementwise(np.conjugate, ("x",), reverse={"x": lambda g: np.conjugate(g)}, linear=("x",))


def _where_type(condition: Any, x: Any, y: Any) -> ArrayType:
    return ArrayType(dtype_of(x, y), broadcast_extents(*(sizes_of(operand) for operand in (condition, x, y))))


where = Primitive(
    "where",
    np.where,
    ("condition", "x", "y"),
    result=_where_type,
    reverse={
        "x": lambda g, condition: masked(g, condition),
        "y": lambda g, condition: masked(g, np.logical_not(condition)),
    },
    forward={
        "x": lambda d, condition: masked(d, condition),
        "y": lambda d, condition: masked(d, np.logical_not(condition)),
    },
    elementwise=True,
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
        elementwise=True,
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
        elementwise=True,
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
    elementwise=True,
)


@spells(np.astype)
def _astype(x: Array, dtype: Any, /, *, copy: bool = True) -> Array:
    dtype = np.dtype(dtype)
    if np.iscomplexobj(x) and dtype.kind == "f":
        x = np.real(x)
    return astype(x, dtype=dtype)


stop_gradient = Primitive("stop_gradient", lambda x: x, ("x",), result=like_first, elementwise=True)
"""Its operand, as a constant to every derivative."""
