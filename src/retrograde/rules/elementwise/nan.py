"""What to make of numbers that are none, or almost real."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.elementwise.comparison import plain
from retrograde.rules.elementwise.masking import masked

nan_to_num_ = Primitive(
    "nan_to_num",
    lambda x, nan, posinf, neginf: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    ("x",),
    static=("nan", "posinf", "neginf"),
    result=lambda x, **_: x,
    reverse={"x": lambda g, x: _where_finite(g, x)},
    forward={"x": lambda d, x: _where_finite(d, x)},
    elementwise=True,
)


def _where_finite(t: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return masked(t, np.isfinite(x))
    return masked(np.real(t), np.isfinite(np.real(x))) + masked(np.imag(t), np.isfinite(np.imag(x))) * 1j


@spells(np.nan_to_num)
def _nan_to_num(x: Array, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    if not copy:
        raise UnsupportedError(
            "numpy.nan_to_num was asked to write into a tracked array (copy=False), which has no derivative rule; "
            "write `x = np.nan_to_num(x)`"
        )
    return nan_to_num_(x, nan=nan, posinf=posinf, neginf=neginf)


@spells(np.angle)
def _angle(z: Array, deg: bool = False) -> Array:
    angle = np.arctan2(np.imag(z), np.real(z)) if np.iscomplexobj(z) else np.arctan2(np.zeros_like(z), z)
    return angle * (180 / np.pi) if deg else angle


@spells(np.real_if_close)
def _real_if_close(a: Array, tol: float = 100) -> Array:
    """Whether it is close, its values say, and so a program does not know."""
    if not np.iscomplexobj(a):
        return a
    values = plain(a)
    if isinstance(values, Intercepting):
        raise missing_rule("numpy.real_if_close of a complex array in a program", (a,))
    return np.real(a) if np.isrealobj(np.real_if_close(values, tol)) else a
