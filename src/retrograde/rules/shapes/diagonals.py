"""Diagonals and triangles of matrices."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, Extent
from retrograde.rules.type_rules import always, like_first, of_shape


def _diagonal_type(x: ArrayType, offset: int, axis1: int, axis2: int) -> ArrayType:
    others = tuple(size for at, size in enumerate(x.sizes) if at not in (axis1, axis2))
    return ArrayType(x.dtype, (*others, _length(x.sizes[axis1], x.sizes[axis2], offset)))


def _length(rows: Extent, columns: Extent, offset: int) -> Extent:
    if isinstance(rows, int) and isinstance(columns, int):
        return max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return rows if rows == columns and not offset else None


diagonal = Primitive(
    "diagonal",
    lambda x, offset, axis1, axis2: x.diagonal(offset, axis1, axis2),
    ("x",),
    static=("offset", "axis1", "axis2"),
    result=_diagonal_type,
    reverse={
        "x": lambda g, x_shape, offset, axis1, axis2: from_diagonal(g, x_shape, offset=offset, axis1=axis1, axis2=axis2)
    },
    linear=("x",),
    views=always,
)


def _from_diagonal(x: Array, shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Array:
    out = np.zeros_like(x, shape=shape)
    view = out.diagonal(offset, axis1, axis2)
    if is_ndarray(view):
        view.flags.writeable = True
    view[...] = x
    return out


from_diagonal = Primitive(
    "from_diagonal",
    _from_diagonal,
    ("x", "shape"),
    static=("offset", "axis1", "axis2"),
    result=lambda x, shape, **_: of_shape(x, shape),
    reverse={
        "x": lambda g, offset, axis1, axis2: diagonal(g, offset=offset, axis1=axis1, axis2=axis2),
    },
    linear=("x",),
)
"""Zeros of a shape, with `x` on the diagonal of two axes."""


@spells(np.diagonal)
def _diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    rank = a.ndim
    if rank < 2:
        raise UsageError(f"the diagonal of an array of {rank} axes was asked for; it takes 2 or more")
    first, second = normalize_axis_index(axis1, rank), normalize_axis_index(axis2, rank)
    if first == second:
        raise UsageError(f"the diagonal of axes {axis1} and {axis2} was asked for, which are one; give two")
    return diagonal(a, offset=int(offset), axis1=first, axis2=second)


@spells(np.linalg.diagonal)
def _diagonal_of_matrices(x: Array, /, *, offset: int = 0) -> Array:
    return _diagonal(x, offset, -2, -1)


@spells(np.diag)
def _diag(v: Array, k: int = 0) -> Array:
    if v.ndim == 2:
        return _diagonal(v, k)
    if v.ndim != 1:
        raise UsageError(f"diag of an array of {v.ndim} axes; give a vector or a matrix (np.diagonal takes more axes)")
    extent = v.shape[0] + abs(k)
    return from_diagonal(v, (extent, extent), offset=int(k), axis1=0, axis2=1)


@spells(np.diagflat)
def _diagflat(v: Array, k: int = 0) -> Array:
    return _diag(np.reshape(v, (-1,)), k)


def _triangle(function: Callable[..., Any]) -> Primitive:
    name = function.__name__
    return Primitive(
        name,
        lambda x, k: function(x, k),
        ("x",),
        static=("k",),
        result=like_first,
        reverse={"x": lambda g, k: function(g, k)},
        linear=("x",),
    )


tril = _triangle(np.tril)

triu = _triangle(np.triu)


def _matrix(x: Array) -> Array:
    """NumPy makes of a vector a matrix, each row of which is the vector."""
    return np.broadcast_to(x, (x.shape[0], x.shape[0])) if x.ndim == 1 else x


@spells(np.tril)
def _tril(m: Array, k: int = 0) -> Array:
    return tril(_matrix(m), k=int(k))


@spells(np.triu)
def _triu(m: Array, k: int = 0) -> Array:
    return triu(_matrix(m), k=int(k))
