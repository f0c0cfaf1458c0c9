"""How the elementwise families declare their primitives: ufuncs with their rules."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive, Rule, RuleFunction
from retrograde.program.spelling import spells
from retrograde.rules.type_rules import of_ufunc


def conj(x: Array) -> Array:
    """The complex conjugate, and a real array as it is: NumPy's makes a copy."""
    kind: str = x.dtype.kind if hasattr(x, "dtype") else np.min_scalar_type(x).kind
    return np.conjugate(x) if kind == "c" else x


def elementwise(ufunc: np.ufunc, operands: tuple[str, ...], **rules: Any) -> Primitive:
    """The primitive of a ufunc, which is its spelling, too."""
    primitive = Primitive(ufunc.__name__, ufunc, operands, result=of_ufunc(ufunc), **rules)
    return spells(ufunc)(primitive)


def analytic(ufunc: np.ufunc, derivative: RuleFunction, times: Callable[..., Array] = np.multiply) -> Primitive:
    """A function of one operand by its derivative, which reads the operand `x` or the result `out`.

    Where the derivative can be infinite, `times` is `multiply_or_zero`.
    """
    reads = _reads(derivative)
    overwriting: Any = (lambda g, at: _multiplied(g, at, derivative)) if times is np.multiply else None
    return elementwise(
        ufunc,
        ("x",),
        reverse={"x": Rule(lambda g, at: times(g, conj(derivative(at))), reads, overwriting=overwriting)},
        forward={"x": Rule(lambda d, at: times(d, derivative(at)), reads)},
    )


_BLOCK = 12_288
"""So many elements at a time: what is made of them stays in the cache, and is no new memory."""


def _multiplied(g: Array, at: Array, derivative: RuleFunction) -> Array:
    """A cotangent times a derivative, in the cotangent's memory, block by block."""
    if g.size <= _BLOCK or at.shape != g.shape or not (g.flags.c_contiguous and at.flags.c_contiguous):
        return np.multiply(g, conj(derivative(at)), out=g)
    flat, flat_at = g.reshape(-1), at.reshape(-1)
    for start in range(0, g.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        np.multiply(part, conj(derivative(flat_at[start : start + _BLOCK])), out=part)
    return g


def analytic_quotient(ufunc: np.ufunc, inverse: RuleFunction, over: Callable[..., Array]) -> Primitive:
    """A function of one operand by one over its derivative, which reads the operand `x` or the result `out`."""
    reads = _reads(inverse)
    return elementwise(
        ufunc,
        ("x",),
        reverse={"x": Rule(lambda g, at: over(g, conj(inverse(at))), reads)},
        forward={"x": Rule(lambda d, at: over(d, inverse(at)), reads)},
    )


def _reads(function: RuleFunction) -> tuple[str, ...]:
    code: Any = function.__code__
    return code.co_varnames[:1]
