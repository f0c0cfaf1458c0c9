"""Systems of linear equations, inverses, and least squares."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import PRIMITIVES, Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.contraction.matmul import as_array
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.linalg.matrices import adjoint, float_dtype, from_triangle


def _solve_type(a: ArrayType, b: ArrayType, **_: Any) -> ArrayType:
    if b.rank == 1:
        return ArrayType(float_dtype(a, b), (a.sizes[-1],))
    batch = broadcast_extents(a.sizes[:-2], b.sizes[:-2])
    return ArrayType(float_dtype(a, b), (*batch, a.sizes[-1], b.sizes[-1]))


def _pairs(x: Array, y: Array) -> Array:
    """`x @ y^H`, where vectors are columns."""
    return np.outer(x, conj(y)) if x.ndim == 1 else np.matmul(x, adjoint(y))


solve = Primitive(
    "solve",
    np.linalg.solve,
    ("a", "b"),
    result=_solve_type,
    reverse={
        "a": lambda g, a, out: -_pairs(solve(adjoint(a), g), out),
        "b": lambda g, a: solve(adjoint(a), g),
    },
    forward={"a": lambda d, a, out: -solve(a, np.matmul(d, out))},
    linear=("b",),
)
"""Solves for matrices of right-hand sides, and for a vector if there is one matrix `a`."""


@spells(np.linalg.solve)
def _solve(a: Array, b: Array) -> Array:
    a, b = as_array(a), as_array(b)
    return solve(a, b[:, None])[..., 0] if b.ndim == 1 and a.ndim > 2 else solve(a, b)


inv = spells(np.linalg.inv)(
    Primitive(
        "inv",
        np.linalg.inv,
        ("a",),
        result=lambda a: ArrayType(float_dtype(a), a.sizes),
        reverse={"a": lambda g, out: -np.matmul(adjoint(out), np.matmul(g, adjoint(out)))},
        forward={"a": lambda d, out: -np.matmul(out, np.matmul(d, out))},
    )
)


def _cutoff(a: Array, rcond: float | None) -> float:
    """The ratio to the largest singular value below which one is zero; None is least squares' own."""
    return max(a.shape[-2:]) * float(np.finfo(float_dtype(a)).eps) if rcond is None else rcond


# Of constant rank: Golub and Pereyra 1973, "The differentiation of pseudo-inverses", equation 4.12.


def _pinv_reverse(g: Array, a: Array, out: Array) -> Array:
    h, p = adjoint(out), adjoint(g)
    first = np.matmul(np.matmul(p, out), h)
    second = np.matmul(np.matmul(h, out), p)
    outside = first - np.matmul(a, np.matmul(out, first))
    inside = second - np.matmul(np.matmul(second, out), a)
    return outside + inside - np.matmul(np.matmul(h, g), h)


def _pinv_forward(d: Array, a: Array, out: Array) -> Array:
    h, e = adjoint(out), adjoint(d)
    first = np.matmul(np.matmul(out, h), e)
    second = np.matmul(np.matmul(e, h), out)
    outside = first - np.matmul(np.matmul(first, a), out)
    inside = second - np.matmul(out, np.matmul(a, second))
    return outside + inside - np.matmul(np.matmul(out, d), out)


pinv = Primitive(
    "pinv",
    lambda a, rcond: np.linalg.pinv(a, rcond=_cutoff(a, rcond)),
    ("a",),
    static=("rcond",),
    result=lambda a, rcond: ArrayType(float_dtype(a), (*a.sizes[:-2], a.sizes[-1], a.sizes[-2])),
    reverse={"a": _pinv_reverse},
    forward={"a": _pinv_forward},
)


@spells(np.linalg.pinv)
def _pinv(a: Array, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    if rcond is not None and rtol is not None:
        raise UsageError("pinv was given rcond and rtol, which mean the same; give one of them")
    cutoff = 1e-15 if rcond is None and rtol is None else rcond if rtol is None else rtol
    if not isinstance(cutoff, (int, float, np.floating)):
        raise UnsupportedError(
            f"pinv with a cutoff of type {type(cutoff).__name__} has no derivative rule; give a number"
        )
    return pinv(from_triangle(a) if hermitian else a, rcond=float(cutoff))


def _lstsq_by_a(g: Array, a: Array, b: Array, out: Array, rcond: float | None) -> Array:
    p = pinv(a, rcond=rcond)
    h = adjoint(p)
    back = np.matmul(h, g)
    residual = b - np.matmul(a, out)
    spread = np.matmul(np.matmul(h, out), adjoint(g))
    return (
        np.matmul(residual, adjoint(np.matmul(p, back)))
        + (spread - np.matmul(np.matmul(spread, p), a))
        - np.matmul(back, adjoint(out))
    )


def _lstsq_along_a(d: Array, a: Array, b: Array, out: Array, rcond: float | None) -> Array:
    p = pinv(a, rcond=rcond)
    h, e = adjoint(p), adjoint(d)
    residual = b - np.matmul(a, out)
    spread = np.matmul(e, np.matmul(h, out))
    return (
        np.matmul(p, np.matmul(h, np.matmul(e, residual)) - np.matmul(d, out))
        + spread
        - np.matmul(p, np.matmul(a, spread))
    )


lstsq = Primitive(
    "lstsq",
    lambda a, b, rcond: np.linalg.lstsq(a, b, rcond=rcond)[0],
    ("a", "b"),
    static=("rcond",),
    result=_solve_type,
    reverse={"a": _lstsq_by_a, "b": lambda g, a, rcond: np.matmul(adjoint(pinv(a, rcond=rcond)), g)},
    forward={"a": _lstsq_along_a},
    linear=("b",),
)
"""The shortest solution of least squares, for a matrix of right-hand sides."""


@spells(np.linalg.lstsq)
def _lstsq(a: Array, b: Array, rcond: Any = None) -> tuple[Array, Array, int, Array]:
    a, b = as_array(a), as_array(b)
    if rcond is not None and rcond < 0:
        rcond = float(np.finfo(float_dtype(a, b)).eps)
    columns = b if b.ndim > 1 else b[:, None]
    x = lstsq(a, columns, rcond=rcond)
    values = np.linalg.svdvals(a)
    plain = PRIMITIVES["stop_gradient"](values)
    if isinstance(plain, ArrayLike):
        raise UnsupportedError(
            "lstsq in a program: whether there are residuals depends on the rank, which only the run knows; "
            "write np.linalg.pinv(a) @ b"
        )
    rank = int(np.sum(plain > plain[:1] * _cutoff(a, rcond)))
    rest = columns - np.matmul(a, x)
    full = rank == a.shape[1] < a.shape[0]
    residuals = np.sum(np.real(rest * np.conjugate(rest)), axis=0) if full else np.empty(0, plain.dtype)
    return x if b.ndim > 1 else x[:, 0], residuals, rank, values


@spells(np.linalg.tensorsolve)
def _tensorsolve(a: Array, b: Array, axes: Any = None) -> Array:
    a, b = as_array(a), as_array(b)
    if axes is not None:
        others = [axis for axis in range(a.ndim) if axis not in axes]
        a = np.transpose(a, (*others, *axes))
    shape = tuple(a.shape[b.ndim :])
    size = prod(shape)
    return np.reshape(_solve(np.reshape(a, (size, size)), np.ravel(b)), shape)


@spells(np.linalg.tensorinv)
def _tensorinv(a: Array, ind: int = 2) -> Array:
    if ind <= 0:
        raise UsageError(f"tensorinv with ind={ind} was asked for; it is the number of leading axes, 1 or more")
    shape = tuple(a.shape)
    size = prod(shape[ind:])
    return np.reshape(inv(np.reshape(a, (size, size))), (*shape[ind:], *shape[:ind]))
