"""Polynomials as NumPy's functions take them: coefficients, the highest power first."""

# The arrays are anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.linalg.solving import lstsq
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_shape


@spells(np.polyval)
def _polyval(p: Any, x: Any) -> Array:
    """By Horner's rule, as NumPy does it."""
    p, x = as_array(p), as_array(x)
    y: Any = np.zeros_like(x)
    for at in range(known_shape(p, "polyval")[0]):
        y = y * x + p[at]
    return y


@spells(np.polyadd)
def _polyadd(a1: Any, a2: Any) -> Array:
    a1, a2 = (np.atleast_1d(as_array(a)) for a in (a1, a2))
    longest = max(len(a1), len(a2))
    one, other = (np.pad(a, (longest - len(a), 0)) if len(a) < longest else a for a in (a1, a2))
    return one + other


@spells(np.polysub)
def _polysub(a1: Any, a2: Any) -> Array:
    return np.polyadd(a1, -as_array(a2))


@spells(np.polyder)
def _polyder(p: Any, m: int = 1) -> Array:
    if m < 0:
        raise UsageError(f"the derivative of order {m} of a polynomial was asked for; orders begin at 0")
    p = as_array(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@spells(np.polyint)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    if m < 0:
        raise UsageError(f"the integral of order {m} of a polynomial was asked for; orders begin at 0")
    p, constants = as_array(p), np.atleast_1d(as_array(0.0 if k is None else k))
    for turn in range(m):
        constant = constants[turn if len(constants) > 1 else 0]
        p = np.concatenate((p / np.arange(len(p), 0, -1), np.reshape(constant, (1,))))
    return p


@spells(np.polyfit)
def _polyfit(
    x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Array:
    """Least squares on powers that are scaled to have columns of length 1, as in NumPy."""
    if full or cov is not False or np.ndim(deg):
        raise missing_rule("numpy.polyfit with full, cov or several degrees", (x, y))
    x, y = as_array(x) + 0.0, as_array(y) + 0.0
    powers = np.vander(x, deg + 1)
    if w is not None:
        w = as_array(w)
        powers, y = powers * w[:, None], y * (w[:, None] if y.ndim == 2 else w)
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    cut = float(len(x) * np.finfo(x.dtype).eps) if rcond is None else rcond
    found = lstsq(powers / scale, y if y.ndim > 1 else y[:, None], rcond=float(cut))
    found = found if y.ndim > 1 else found[:, 0]
    return found / (scale[:, None] if found.ndim == 2 else scale)
