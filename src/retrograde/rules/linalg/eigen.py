"""Eigenvalues and eigenvectors.

Where eigenvalues are equal, their vectors have no derivative: it is NaN in what asks for them. Eigenvalues alone have
one. (Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".)
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import PRIMITIVES, Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.linalg.matrices import (
    adjoint,
    float_dtype,
    free_of_phases,
    from_triangle,
    gaps,
    over_gaps,
    real_dtype,
    to_triangle,
    total,
)

_EighResult: Any = type(np.linalg.eigh(np.eye(1)))
_EigResult: Any = type(np.linalg.eig(np.eye(1)))


def _eigh_reverse(g: tuple[Array | None, ...], values: Array, vectors: Array, lower: bool) -> Array:
    of_values, of_vectors = g
    scaled = None if of_values is None else vectors * of_values[..., None, :]
    turned = None
    if of_vectors is not None:
        inner = free_of_phases(np.matmul(adjoint(vectors), of_vectors), of="eigenvectors")
        turned = np.matmul(vectors, over_gaps(inner, gaps(values)))
    return to_triangle(np.matmul(total(scaled, turned), adjoint(vectors)), lower)


def _eigh_forward(d: Array, values: Array, vectors: Array, lower: bool) -> tuple[Array, Array]:
    moved = np.matmul(from_triangle(d, lower), vectors)
    change = np.real(np.sum(conj(vectors) * moved, axis=-2))
    return change, np.matmul(vectors, over_gaps(np.matmul(adjoint(vectors), moved), gaps(values)))


eigh = Primitive(
    "eigh",
    lambda a, lower: np.linalg.eigh(a, "L" if lower else "U"),
    ("a",),
    static=("lower",),
    outputs=("values", "vectors"),
    result=lambda a, lower: (ArrayType(real_dtype(a), a.sizes[:-1]), ArrayType(float_dtype(a), a.sizes)),
    reverse={"a": _eigh_reverse},
    forward={"a": _eigh_forward},
)
"""Of the Hermitian matrix whose lower or upper triangle `a` has. The other triangle is not read."""


@spells(np.linalg.eigh)
def _eigh(a: Array, UPLO: str = "L") -> Any:
    if UPLO not in ("L", "U", "l", "u"):
        raise UsageError(f'UPLO={UPLO!r} was asked for; it is "L" or "U", the triangle that is read')
    return _EighResult(*eigh(a, lower=UPLO in "Ll"))


@spells(np.linalg.eigvalsh)
def _eigvalsh(a: Array, UPLO: str = "L") -> Array:
    return _eigh(a, UPLO)[0]


def _eig(a: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eig(a)
    dtype = np.result_type(values, np.complex64)
    return values.astype(dtype), vectors.astype(dtype)


def _pivots(vectors: Array) -> Array:
    sizes = np.where(vectors.imag == 0, np.abs(vectors), -1.0)
    largest = np.argmax(sizes, axis=-2, keepdims=True)
    pivots = np.zeros_like(sizes)
    np.put_along_axis(pivots, largest, 1.0, axis=-2)
    return pivots


pivots = Primitive(
    "pivots",
    _pivots,
    ("x",),
    result=lambda x: ArrayType(real_dtype(x), x.sizes),
)
"""1 at the largest real element of each column, 0 elsewhere: LAPACK turns an eigenvector so that it has one."""


def _over_pivots(x: Array, vectors: Array, at: Array) -> Array:
    """Each column's element at the pivot over the vector's, as a row."""
    parts = (np.sum(at * part, axis=-2, keepdims=True) for part in (x, vectors))
    return next(parts) / next(parts)


# LAPACK's vectors have length one and a real pivot. Their derivative is that of vectors of any length and phase (which
# over_gaps gives), less what changes either.


def _eig_forward(d: Array, values: Array, vectors: Array) -> tuple[Array, Array]:
    inner = np.linalg.solve(vectors, np.matmul(d, vectors))
    free = np.matmul(vectors, over_gaps(inner, gaps(values)))
    longer = np.real(np.sum(conj(vectors) * free, axis=-2, keepdims=True))
    turned = np.imag(_over_pivots(free, vectors, pivots(vectors)))
    return np.diagonal(inner, 0, -2, -1), free - vectors * (longer + turned * 1j)


def _eig_reverse(g: tuple[Array | None, ...], values: Array, vectors: Array) -> Array:
    of_values, of_vectors = g
    back = adjoint(vectors)
    scaled = None if of_values is None else of_values[..., :, None] * back
    rest = None
    if of_vectors is not None:
        along = np.sum(conj(vectors) * of_vectors, axis=-2, keepdims=True)
        at = pivots(vectors)
        turned = at * (np.imag(along) * 1j / conj(np.sum(at * vectors, axis=-2, keepdims=True)))
        inner = np.matmul(back, of_vectors - vectors * np.real(along) - turned)
        rest = np.matmul(over_gaps(inner, conj(gaps(values))), back)
    return np.linalg.solve(back, total(scaled, rest))


eig = Primitive(
    "eig",
    _eig,
    ("a",),
    outputs=("values", "vectors"),
    result=lambda a: tuple(
        ArrayType(np.result_type(float_dtype(a), np.complex64), sizes) for sizes in (a.sizes[:-1], a.sizes)
    ),
    reverse={"a": _eig_reverse},
    forward={"a": _eig_forward},
)
"""Complex values and vectors, of any square matrices."""


@spells(np.linalg.eig)
def _eig_as_numpy(a: Array) -> Any:
    values, vectors = eig(a)
    return _EigResult(*((np.real(values), np.real(vectors)) if _all_real(a, values) else (values, vectors)))


@spells(np.linalg.eigvals)
def _eigvals(a: Array) -> Array:
    return _eig_as_numpy(a)[0]


def _all_real(a: Array, values: Array) -> bool:
    """Whether NumPy makes real arrays of them: real matrices of which no eigenvalue is complex."""
    plain = PRIMITIVES["stop_gradient"](values)
    return a.dtype.kind != "c" and is_ndarray(plain) and not np.imag(plain).any()
