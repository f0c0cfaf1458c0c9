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
    rules["reverse"] = {operand: _blockwise(rule) for operand, rule in rules.get("reverse", {}).items()}
    primitive = Primitive(ufunc.__name__, ufunc, operands, result=of_ufunc(ufunc), **rules)
    return spells(ufunc)(primitive)


_BLOCK = 12_288
"""So many elements at a time: what is made of them stays in the cache, and is no new memory."""


def _blockwise(rule: RuleFunction | Rule) -> Rule:
    """A rule that works element by element, with a form that does so in the cotangent's memory, block by block."""
    rule = rule if isinstance(rule, Rule) else Rule(rule)
    function = rule.function

    def overwriting(g: Array, *reads: Array) -> Array:
        if g.size <= _BLOCK or not g.flags.c_contiguous or not all(_fits(read, g.shape) for read in reads):
            return function(g, *reads)
        out = g.reshape(-1)
        flat = [read.reshape(-1) if np.ndim(read) else read for read in reads]
        for start in range(0, g.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            out[block] = function(out[block], *(read[block] if np.ndim(read) else read for read in flat))
        return g

    return rule if rule.overwriting else Rule(function, rule.reads, overwriting=overwriting)


def _fits(read: Array, shape: tuple[int, ...]) -> bool:
    """Whether what a rule reads can be taken block by block, and its share is real if the cotangent is."""
    if type(read) is not np.ndarray:
        return isinstance(read, (float, int, np.floating, np.integer))
    return read.dtype.kind != "c" and (not read.ndim or (read.shape == shape and read.flags.c_contiguous))


def analytic(ufunc: np.ufunc, derivative: RuleFunction, times: Callable[..., Array] = np.multiply) -> Primitive:
    """A function of one operand by its derivative, which reads the operand `x` or the result `out`.

    Where the derivative can be infinite, `times` is `multiply_or_zero`.
    """
    reads = _reads(derivative)
    return elementwise(
        ufunc,
        ("x",),
        reverse={"x": Rule(lambda g, at: times(g, conj(derivative(at))), reads)},
        forward={"x": Rule(lambda d, at: times(d, derivative(at)), reads)},
    )


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
