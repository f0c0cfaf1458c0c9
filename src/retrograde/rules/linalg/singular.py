"""Singular values and vectors, and what is made of them: norms, condition numbers, ranks.

Where singular values are equal, their vectors have no derivative: it is NaN in what asks for them. The values alone
have one. (Townsend 2016, "Differentiating the singular value decomposition"; for complex matrices Wan and Zhang 2019,
"Automatic differentiation for complex valued SVD".)
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.linalg.matrices import (
    adjoint,
    float_dtype,
    free_of_phases,
    gaps,
    over_gaps,
    quotient,
    real_dtype,
    total,
)


def _squared_gaps(s: Array) -> Array:
    """At row i and column j, square j minus square i, without cancellation."""
    return gaps(s) * (s[..., None, :] + s[..., :, None])


def _outside(u: Array, x: Array) -> Array:
    """What of columns is orthogonal to those of `u`."""
    return x - np.matmul(u, np.matmul(adjoint(u), x))


def over_values(x: Array, s: Array) -> Array:
    """Columns divided by singular values."""
    return quotient(x, np.broadcast_to(s[..., None, :], x.shape), diagonal=True)


def _imaginary_diagonal(x: Array, s: Array) -> Array:
    """The diagonal's imaginary part over twice the singular values, as a row."""
    return quotient(np.imag(np.diagonal(x, 0, -2, -1)), 2.0 * s, diagonal=True)[..., None, :] * 1j


def svd_reverse(g: tuple[Array | None, ...], u: Array, s: Array, vh: Array, form: str) -> Array:
    """The reverse rule of the reduced decomposition."""
    of_u, of_s, of_vh = g
    v = adjoint(vh)
    scaled = None if of_s is None else u * of_s[..., None, :]
    if of_u is None and of_vh is None:
        return np.matmul(total(scaled), vh)
    of_u = np.zeros_like(u) if of_u is None else of_u
    of_v = np.zeros_like(v) if of_vh is None else adjoint(of_vh)
    left = total(scaled, _turned(of_u, of_v, u, s, v))
    if form in ("tall", "any"):
        left = left + over_values(_outside(u, of_u), s)
    right = np.matmul(left, vh)
    return right + np.matmul(u, adjoint(over_values(_outside(v, of_v), s))) if form in ("wide", "any") else right


def _turned(of_u: Array, of_v: Array, u: Array, s: Array, v: Array) -> Array:
    """What the vectors' turning among themselves makes of their cotangents, in the basis of the right ones."""
    inner_u, inner_v = np.matmul(adjoint(u), of_u), np.matmul(adjoint(v), of_v)
    between = _squared_gaps(s)
    turned_u, turned_v = over_gaps(inner_u, between), over_gaps(inner_v, between)
    inner = (turned_u + adjoint(turned_u)) * s[..., None, :] + s[..., :, None] * (turned_v + adjoint(turned_v))
    turned = np.matmul(u, inner)
    if u.dtype.kind != "c":
        return turned
    inner_u = free_of_phases(inner_u + inner_v, of="singular vectors") - inner_v
    return turned + u * _imaginary_diagonal(inner_u - inner_v, s)


def svd_forward(d: Array, u: Array, s: Array, vh: Array, form: str) -> tuple[Array, Array, Array]:
    """The forward rule of the reduced decomposition."""
    v = adjoint(vh)
    forth, back = np.matmul(d, v), np.matmul(adjoint(d), u)
    inner = np.matmul(adjoint(u), forth)
    between = _squared_gaps(s)
    rows, columns = s[..., :, None], s[..., None, :]
    du = np.matmul(u, over_gaps(inner * columns + rows * adjoint(inner), between))
    dv = np.matmul(v, over_gaps(rows * inner + adjoint(inner) * columns, between))
    if u.dtype.kind == "c":
        turn = _imaginary_diagonal(inner, s)
        du, dv = du + u * turn, dv - v * turn
    if form in ("tall", "any"):
        du = du + over_values(_outside(u, forth), s)
    if form in ("wide", "any"):
        dv = dv + over_values(_outside(v, back), s)
    return du, np.real(np.diagonal(inner, 0, -2, -1)), adjoint(dv)


def _svd_type(a: ArrayType, form: str) -> tuple[ArrayType, ArrayType, ArrayType]:
    *batch, rows, columns = a.sizes
    size = {"tall": columns, "wide": rows, "square": rows}.get(form)
    dtype = float_dtype(a)
    return (
        ArrayType(dtype, (*batch, rows, size)),
        ArrayType(real_dtype(a), (*batch, size)),
        ArrayType(dtype, (*batch, size, columns)),
    )


svd = Primitive(
    "svd",
    lambda a, form: np.linalg.svd(a, full_matrices=False),
    ("a",),
    static=("form",),
    outputs=("u", "s", "vh"),
    result=_svd_type,
    reverse={"a": svd_reverse},
    forward={"a": svd_forward},
)
"""The reduced decomposition. `form` says whether matrices are tall, wide or square, as far as it is known."""


def form_of(a: Array) -> str:
    """Whether matrices are tall, wide or square; "any" where only the run knows."""
    rows, columns = a.shape[-2:]
    if isinstance(rows, ArrayLike) or isinstance(columns, ArrayLike):
        return "any"
    return "square" if rows == columns else "tall" if rows > columns else "wide"


@spells(np.linalg.svdvals)
def svdvals(x: Array, /) -> Array:
    """The singular values, in descending order."""
    return svd(x, form=form_of(x))[1]


matrix_rank = Primitive(
    "matrix_rank",
    lambda a, rtol, tol, hermitian: np.asarray(
        np.linalg.matrix_rank(a, tol, hermitian, **({} if rtol is None else {"rtol": rtol}))
    )[()],
    ("a",),
    static=("rtol", "tol", "hermitian"),
    result=lambda a, rtol, tol, hermitian: ArrayType(np.dtype(np.int64), a.sizes[:-2]),
)


@spells(np.linalg.matrix_rank)
def _matrix_rank(A: Array, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    return matrix_rank(A, rtol=rtol, tol=tol, hermitian=bool(hermitian))


@spells(np.linalg.cond)
def _cond(x: Array, p: Any = None) -> Array:
    if x.ndim < 2:
        raise UsageError(f"cond of an array with {x.ndim} axes; it takes matrices")
    if p in (None, 2, -2):
        values = svdvals(x)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    axes = (-2, -1)
    return np.linalg.norm(x, p, axes) * np.linalg.norm(np.linalg.inv(x), p, axes)
