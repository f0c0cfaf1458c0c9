"""Triangular factors: Cholesky, QR, and triangular systems."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.linalg.batches import over_batch
from retrograde.rules.linalg.matrices import adjoint, float_dtype, from_triangle, half, to_triangle, total


def _solve_one(a: Array, b: Array, lower: bool, unit_diagonal: bool) -> Array:
    from scipy.linalg import solve_triangular

    return solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal, check_finite=False)


_SMALL = 32


def _solve(a: Array, b: Array, lower: bool, unit_diagonal: bool) -> Array:
    if a.shape[-1] > _SMALL:
        return over_batch(_solve_one, a, b, lower=lower, unit_diagonal=unit_diagonal)
    # NumPy's solver takes a whole batch in one call. Of an upper triangle it makes no other factors than that itself.
    part = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        np.einsum("...ii->...i", part)[...] = 1.0
    if lower:
        return np.linalg.solve(part[..., ::-1, ::-1], b[..., ::-1, :])[..., ::-1, :]
    return np.linalg.solve(part, b)


def _solved_type(a: ArrayType, b: ArrayType, **_: Any) -> ArrayType:
    batch = broadcast_extents(a.sizes[:-2], b.sizes[:-2])
    return ArrayType(float_dtype(a, b), (*batch, a.sizes[-1], b.sizes[-1]))


def _part(x: Array, lower: bool, unit_diagonal: bool) -> Array:
    return np.tril(x, -int(unit_diagonal)) if lower else np.triu(x, int(unit_diagonal))


solve_triangular = Primitive(
    "solve_triangular",
    _solve,
    ("a", "b"),
    static=("lower", "unit_diagonal"),
    result=_solved_type,
    reverse={
        "a": lambda g, a, out, lower, unit_diagonal: (
            -_part(
                np.matmul(solve_triangular(adjoint(a), g, lower=not lower, unit_diagonal=unit_diagonal), adjoint(out)),
                lower,
                unit_diagonal,
            )
        ),
        "b": lambda g, a, lower, unit_diagonal: solve_triangular(
            adjoint(a), g, lower=not lower, unit_diagonal=unit_diagonal
        ),
    },
    forward={
        "a": lambda d, a, out, lower, unit_diagonal: (
            -solve_triangular(
                a, np.matmul(_part(d, lower, unit_diagonal), out), lower=lower, unit_diagonal=unit_diagonal
            )
        )
    },
    linear=("b",),
)
"""Solves for matrices of right-hand sides; the other triangle of `a` is not read."""


def solve_lower(l: Array, x: Array) -> Array:  # noqa: E741
    """Solve `l @ y = x` for lower triangular `l`."""
    return solve_triangular(l, x, lower=True, unit_diagonal=False)


def solve_upper(u: Array, x: Array) -> Array:
    """Solve `u @ y = x` for upper triangular `u`."""
    return solve_triangular(u, x, lower=False, unit_diagonal=False)


# Murray 2016, "Differentiation of the Cholesky decomposition", equations 8 and 10.


def _cholesky_reverse(g: Array, out: Array) -> Array:
    h = adjoint(out)
    inner = solve_upper(h, half(np.matmul(h, g)))
    return to_triangle(solve_upper(h, adjoint(inner)))


def _cholesky_forward(d: Array, out: Array) -> Array:
    inner = solve_lower(out, from_triangle(d))
    return np.matmul(out, half(solve_lower(out, adjoint(inner))))


cholesky = Primitive(
    "cholesky",
    np.linalg.cholesky,
    ("a",),
    result=lambda a: ArrayType(float_dtype(a), a.sizes),
    reverse={"a": _cholesky_reverse},
    forward={"a": _cholesky_forward},
)
"""The lower factor, of the Hermitian matrix whose lower triangle `a` has. The other triangle is not read."""


@spells(np.linalg.cholesky)
def _cholesky(a: Array, /, *, upper: bool = False) -> Array:
    return adjoint(cholesky(adjoint(a))) if upper else cholesky(a)


# Walter and Lehmann 2010, "Algorithmic differentiation of linear algebra functions", section 4; LAPACK makes the
# diagonal of R real, which fixes the phases of complex factors.


def qr_reverse(g: tuple[Array | None, ...], q: Array, r: Array) -> Array:
    """The reverse rule of the reduced decomposition."""
    of_q, of_r = g
    by_q = None if of_q is None else -np.matmul(adjoint(q), of_q)
    by_r = None if of_r is None else np.matmul(of_r, adjoint(r))
    share = total(np.matmul(q, from_triangle(total(by_q, by_r), lower=False)), of_q)
    return adjoint(solve_upper(r, adjoint(share)))


def qr_forward(d: Array, q: Array, r: Array) -> tuple[Array, Array]:
    """The forward rule of the reduced decomposition."""
    b = adjoint(solve_lower(adjoint(r), adjoint(d)))
    turned = to_triangle(np.matmul(adjoint(q), b), lower=False)
    return b - np.matmul(q, turned), np.matmul(turned, r)


qr = Primitive(
    "qr",
    np.linalg.qr,
    ("a",),
    outputs=("q", "r"),
    result=lambda a: (
        ArrayType(float_dtype(a), a.sizes),
        ArrayType(float_dtype(a), (*a.sizes[:-2], a.sizes[-1], a.sizes[-1])),
    ),
    reverse={"a": qr_reverse},
    forward={"a": qr_forward},
)
"""Of matrices with as many rows as columns, or more."""
