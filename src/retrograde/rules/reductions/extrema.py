"""The largest and the smallest, and where they are. Of several that are alike, each gets an equal part."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.masking import masked
from retrograde.rules.elementwise.quiet import divide_by_length
from retrograde.rules.outputs import into
from retrograde.rules.reductions.axes import axes_of, real_dtype, spread
from retrograde.rules.type_rules import reduced


def _chosen(x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return x == spread(out, np.shape(x), axis, keepdims)


def _number(chosen: Array, dtype: np.dtype[Any], axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.sum(chosen, axis=axis, dtype=real_dtype(dtype), keepdims=keepdims)


def _to_chosen(g: Array, x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    chosen = _chosen(x, out, axis, keepdims)
    part = divide_by_length(g, _number(chosen, g.dtype, axis, keepdims))
    return masked(spread(part, np.shape(x), axis, keepdims), chosen)


def _of_chosen(d: Array, x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    chosen = _chosen(x, out, axis, keepdims)
    total = np.sum(masked(d, chosen), axis=axis, keepdims=keepdims)
    return divide_by_length(total, _number(chosen, d.dtype, axis, keepdims))


def _extremum(name: str, ufunc: np.ufunc) -> Primitive:
    return Primitive(
        name,
        lambda x, axis, keepdims: ufunc.reduce(x, axis=axis, keepdims=keepdims),
        ("x",),
        static=("axis", "keepdims"),
        result=reduced(ufunc),
        reverse={"x": lambda g, x, out, axis, keepdims: _to_chosen(g, x, out, axis, keepdims)},
        forward={"x": lambda d, x, out, axis, keepdims: _of_chosen(d, x, out, axis, keepdims)},
    )


max_ = _extremum("max", np.maximum)
min_ = _extremum("min", np.minimum)


def _spell(primitive: Primitive, larger: Callable[..., Array]) -> Callable[..., Array]:
    def extremum(
        a: Array, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Array:
        if where is not True and initial is not None:
            a = np.where(where, a, initial)
        elif where is not True:
            raise ValueError("a largest or smallest element `where` a mask is true needs `initial`")
        found = primitive(a, axis=axes_of(a, axis), keepdims=bool(keepdims))
        return into(out, found if initial is None else larger(found, initial))

    return extremum


spells(np.max, np.amax)(_spell(max_, np.maximum))
spells(np.min, np.amin)(_spell(min_, np.minimum))


@spells(np.ptp)
def _ptp(a: Array, axis: Any = None, out: Any = None, keepdims: bool = False) -> Array:
    return into(out, np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims))


def _place_type(x: ArrayType, axis: int | None, keepdims: bool) -> ArrayType:
    axes = range(x.rank) if axis is None else (axis,)
    sizes = ((1 if at in axes else size) for at, size in enumerate(x.sizes) if keepdims or at not in axes)
    return ArrayType(np.dtype(np.intp), tuple(sizes))


def _place(function: Callable[..., Any]) -> Primitive:
    primitive = Primitive(
        function.__name__,
        lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims),
        ("x",),
        static=("axis", "keepdims"),
        result=_place_type,
    )

    @spells(function)
    def _(a: Array, axis: int | None = None, out: Any = None, keepdims: bool = False) -> Array:
        axis = None if axis is None else normalize_axis_index(axis, a.ndim)
        return into(out, primitive(a, axis=axis, keepdims=bool(keepdims)))

    return primitive


argmax = _place(np.argmax)
argmin = _place(np.argmin)
nanargmax = _place(np.nanargmax)
nanargmin = _place(np.nanargmin)
