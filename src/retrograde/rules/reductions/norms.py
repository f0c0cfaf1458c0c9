"""Norms of vectors and matrices."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.elementwise.quiet import divide_by_length
from retrograde.rules.reductions.axes import axes_of, real_dtype, spread, widened
from retrograde.rules.type_rules import reduced


def _norm_type(x: ArrayType, axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    kind = reduced(np.add)(x, axis, keepdims)
    return ArrayType(real_dtype(kind.dtype), kind.sizes)


def _norm(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    if len(axis) == x.ndim:
        return np.reshape(np.linalg.norm(np.reshape(x, (-1,))), (1,) * x.ndim if keepdims else ())[()]
    return np.linalg.norm(x, axis=axis if len(axis) == 2 else axis[0], keepdims=keepdims)


def _direction(x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return divide_by_length(x, widened(out, np.shape(x), axis, keepdims))


# In the point 0 its derivative is 0, the mean of those in all directions.
norm = Primitive(
    "norm",
    _norm,
    ("x",),
    static=("axis", "keepdims"),
    result=_norm_type,
    reverse={
        "x": lambda g, x, x_shape, out, axis, keepdims: (
            spread(g, x_shape, axis, keepdims) * _direction(x, out, axis, keepdims)
        )
    },
    forward={
        "x": lambda d, x, out, axis, keepdims: np.sum(
            np.real(conj(_direction(x, out, axis, keepdims)) * d), axis=axis, keepdims=keepdims
        )
    },
)
"""The root of the sum of squares along one or two axes, or all."""


@spells(np.linalg.norm)
def _linalg_norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    axes, keepdims = axes_of(x, axis), bool(keepdims)
    if ord is None and (axis is None or len(axes) <= 2):
        return norm(x, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError(f"a norm of order {ord!r} over {len(axes)} axes was asked for; NumPy has those of one axis or two")


def _vector_norm(x: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    if ord == 2:
        return norm(x, axis=axes, keepdims=keepdims)
    if ord == 0:
        return np.astype(np.sum(x != 0, axis=axes, keepdims=keepdims), real_dtype(x.dtype))
    size = np.absolute(x)
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(size, axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"a norm of order {ord!r} was asked for of vectors; give a number")
    if ord == 1:
        return np.sum(size, axis=axes, keepdims=keepdims)
    return np.sum(size**ord, axis=axes, keepdims=keepdims) ** np.reciprocal(ord, dtype=size.dtype)


def _matrix_norm(x: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    rows, columns = axes
    if ord in (None, "fro", "f"):
        return norm(x, axis=axes, keepdims=keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = np.sum(np.absolute(x), axis=first, keepdims=True)
        out = (np.max if ord > 0 else np.min)(sums, axis=second, keepdims=True)
    elif ord in (2, -2, "nuc"):
        kept = tuple(at for at in range(x.ndim) if at not in axes)
        values = np.linalg.svd(np.transpose(x, (*kept, rows, columns)), compute_uv=False)
        found = {2: np.max, -2: np.min, "nuc": np.sum}[ord](values, axis=-1)
        return widened(found, x.shape, axes, False) if keepdims else found
    else:
        raise ValueError(f"a norm of order {ord!r} was asked for of matrices, which NumPy does not have")
    return out if keepdims else np.reshape(out, tuple(x.shape[at] for at in range(x.ndim) if at not in axes))


@spells(np.linalg.vector_norm)
def _linalg_vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    return _vector_norm(x, ord, axes_of(x, axis), bool(keepdims))


@spells(np.linalg.matrix_norm)
def _linalg_matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    return _matrix_norm(x, ord, axes_of(x, (-2, -1)), bool(keepdims))
