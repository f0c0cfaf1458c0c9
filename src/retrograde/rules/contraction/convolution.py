"""Convolution and correlation of two vectors."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, Extent
from retrograde.rules.contraction.matmul import as_array
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.type_rules import dtype_of

convolve = Primitive(
    "convolve",
    lambda x, y: np.convolve(x, y),
    ("x", "y"),
    result=lambda x, y: ArrayType(dtype_of(x, y), (_length(x.sizes[0], y.sizes[0], 1),)),
    reverse={"x": lambda g, y: correlate(g, y), "y": lambda g, x: correlate(g, x)},
    linear=("x", "y"),
)
"""The whole convolution of two vectors."""

correlate = Primitive(
    "correlate",
    lambda x, y: np.correlate(x, y),
    ("x", "y"),
    result=lambda x, y: ArrayType(dtype_of(x, y), (_length(x.sizes[0], y.sizes[0], -1),)),
    reverse={"x": lambda g, y: convolve(g, y), "y": lambda g, x: correlate(x, g)},
    linear=("x", "y"),
)
"""Element k is the sum of `x[k + j] * conj(y[j])`, where `y` is inside of `x`, which is the longer one."""


def _length(x: Extent, y: Extent, sign: int) -> Extent:
    return x + sign * (y - 1) if isinstance(x, int) and isinstance(y, int) else None


@spells(np.convolve)
def _convolve(a: Array, v: Array, mode: str = "full") -> Array:
    a, v = _vector(a), _vector(v)
    mode = _mode(mode)
    if mode == "full":
        return convolve(a, v)
    one, other = _lengths(a, v, mode)
    if one < other:
        a, v, one, other = v, a, other, one
    return correlate(a, conj(v[::-1])) if mode == "valid" else _middle(convolve(a, v), one, other)


@spells(np.correlate)
def _correlate(a: Array, v: Array, mode: str = "valid") -> Array:
    a, v = _vector(a), _vector(v)
    mode = _mode(mode)
    if mode == "full":
        return convolve(a, conj(v[::-1]))
    one, other = _lengths(a, v, mode)
    if one < other:
        return conj(_correlate(v, a, mode))[::-1]
    return correlate(a, v) if mode == "valid" else _middle(convolve(a, conj(v[::-1])), one, other)


def _vector(x: Any) -> Array:
    x = as_array(x)
    if x.ndim > 1:
        raise UsageError(f"convolution of an array with {x.ndim} axes; numpy's takes vectors")
    return x if x.ndim else np.reshape(x, (1,))


def _mode(mode: Any) -> str:
    names = [name for name in ("full", "same", "valid") if isinstance(mode, str) and mode and name.startswith(mode)]
    if not names:
        raise UsageError(f'mode {mode!r} of a convolution was asked for; it is "full", "same" or "valid"')
    return names[0]


def _lengths(a: Array, v: Array, mode: str) -> tuple[int, int]:
    lengths = a.shape[0], v.shape[0]
    if not all(isinstance(length, int) for length in lengths):
        raise UnsupportedError(
            f"a convolution with mode {mode!r} has to know which operand is the longer one, and only the run knows; "
            'give the sizes when the program is built, or take a part of mode "full"'
        )
    return lengths


def _middle(full: Array, longer: int, shorter: int) -> Array:
    start = shorter - 1 - shorter // 2
    return full[start : start + longer]
