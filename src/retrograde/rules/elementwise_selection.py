"""Choices between several arrays, and what to make of numbers that are none."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.comparison import plain
from retrograde.rules.elementwise import where


@spells(np.where)
def _where(condition: Any, *choices: Any) -> Any:
    return where(condition, *choices) if choices else np.nonzero(condition)


@spells(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError(
            f"select was given {len(condlist)} conditions and {len(choicelist)} choices; give as many of each, and one "
            "at least"
        )
    out = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = np.where(condition, choice, out)
    return out


@spells(np.piecewise)
def _piecewise(x: Array, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Array:
    """Each function gets the elements for which its condition is true; of several, the last one counts."""
    conditions = np.asarray(plain(condlist), bool)
    if conditions.ndim == x.ndim:
        conditions = conditions[None]
    if len(funclist) == len(conditions) + 1:
        conditions = np.concatenate((conditions, ~np.any(conditions, axis=0, keepdims=True)))
    elif len(funclist) != len(conditions):
        raise ValueError(
            f"piecewise was given {len(conditions)} conditions and {len(funclist)} functions; give as many, or one "
            "function more for everything else"
        )
    out = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not isinstance(function, Callable):
            out[condition] = function
        elif condition.any():
            out[condition] = function(x[condition], *args, **kw)
    return out


nan_to_num_ = Primitive(
    "nan_to_num",
    lambda x, nan, posinf, neginf: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    ("x",),
    static=("nan", "posinf", "neginf"),
    result=lambda x, **_: x,
    reverse={"x": lambda g, x: _where_finite(g, x)},
    forward={"x": lambda d, x: _where_finite(d, x)},
)


def _where_finite(t: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return np.where(np.isfinite(x), t, 0.0)
    return np.where(np.isfinite(np.real(x)), np.real(t), 0.0) + np.where(np.isfinite(np.imag(x)), np.imag(t), 0.0) * 1j


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
