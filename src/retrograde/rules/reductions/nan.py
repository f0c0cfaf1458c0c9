"""Reductions that leave NaN out. A NaN gets no derivative."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.primitive import Array
from retrograde.program.spelling import spells


def _numbers(a: Array, where: Any) -> Array:
    """Where a mask chooses a number that is one."""
    numbers = np.logical_not(np.isnan(a))
    return numbers if where is True else np.logical_and(numbers, where)


def _without_nan(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the numbers chosen by its own `where`."""

    def chosen(a: Array, axis: Any = None, dtype: Any = None, out: Any = None, *rest: Any, **options: Any) -> Array:
        options["where"] = _numbers(a, options.get("where", True))
        return function(np.where(options["where"], a, 0.0), axis, dtype, out, *rest, **options)

    return chosen


spells(np.nanmean)(_without_nan(np.mean))
spells(np.nanvar)(_without_nan(np.var))
spells(np.nanstd)(_without_nan(np.std))


@spells(np.nansum)
def _nansum(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    return np.sum(np.where(np.isnan(a), 0.0, a), axis, dtype, out, keepdims, initial or 0, where)


@spells(np.nanprod)
def _nanprod(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    return np.prod(np.where(np.isnan(a), 1.0, a), axis, dtype, out, keepdims, 1 if initial is None else initial, where)


@spells(np.nancumsum)
def _nancumsum(a: Array, axis: Any = None, dtype: Any = None, out: Any = None) -> Array:
    return np.cumsum(np.where(np.isnan(a), 0.0, a), axis, dtype, out)


@spells(np.nancumprod)
def _nancumprod(a: Array, axis: Any = None, dtype: Any = None, out: Any = None) -> Array:
    return np.cumprod(np.where(np.isnan(a), 1.0, a), axis, dtype, out)


def _extremum(function: Callable[..., Any], least: float) -> Callable[..., Any]:
    def chosen(
        a: Array, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Array:
        """NaN becomes infinity, which is never chosen; where there is nothing else, the result is NaN."""
        missing = np.isnan(a)
        options = {} if initial is None else {"initial": initial, "where": where}
        found = function(np.where(missing, least, a), axis, out, keepdims, **options)
        if initial is not None:
            return found
        return np.where(np.all(missing, axis=axis, keepdims=keepdims), np.nan, found)

    return chosen


spells(np.nanmax)(_extremum(np.max, -np.inf))
spells(np.nanmin)(_extremum(np.min, np.inf))
