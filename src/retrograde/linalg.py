"""Linear algebra that SciPy has and NumPy lacks, for plain and tracked arrays alike. NumPy's own works as it is."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

import retrograde.rules  # pyright: ignore[reportUnusedImport]  # noqa: F401
from retrograde.errors import UsageError
from retrograde.program.primitive import Array
from retrograde.rules.contraction.matmul import as_array
from retrograde.rules.linalg import banded, functions, triangular
from retrograde.rules.linalg.matrices import transposed

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "expm",
    "logm",
    "solve_banded",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "toeplitz",
]


def expm(a: Array) -> Array:
    """The exponential of square matrices.

    For linear differential equations: the state at time t is `expm(t * a) @ start`.

    Args:
        a: of shape (..., n, n), real or complex.

    Returns:
        Of the same shape and dtype.

    Raises:
        UsageError: the matrices are not square.

    Its derivative is exact, of any order (Al-Mohy and Higham 2009, "Computing the Fréchet derivative of the matrix
    exponential, with an application to condition number estimation").

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.expm(np.array([[0.0, 2.0], [0.0, 0.0]]))
        array([[1., 2.],
               [0., 1.]])
        >>> rg.grad(lambda t: rg.linalg.expm(t * np.eye(2))[0, 0])(0.0)
        np.float64(1.0)
    """
    return functions.expm(_square(a, "expm"))


def logm(a: Array) -> Array:
    """The principal logarithm of square matrices.

    Args:
        a: of shape (..., n, n). Real matrices have no eigenvalue on the negative real axis; complex ones may.

    Returns:
        Of the same shape and dtype.

    Raises:
        UsageError: the matrices are not square, or they are real and their logarithm is complex.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.logm(np.array([[1.0, 2.0], [0.0, 1.0]]))
        array([[0., 2.],
               [0., 0.]])
    """
    return functions.logm(_square(a, "logm"))


def sqrtm(a: Array) -> Array:
    """The principal square root of square matrices.

    Args:
        a: of shape (..., n, n). Real matrices have no eigenvalue on the negative real axis; complex ones may.

    Returns:
        Of the same shape and dtype.

    Raises:
        UsageError: the matrices are not square, or they are real and their square root is complex.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.sqrtm(np.array([[4.0, 0.0], [0.0, 9.0]]))
        array([[2., 0.],
               [0., 3.]])
    """
    return functions.sqrtm(_square(a, "sqrtm"))


def solve_triangular(
    a: Array, b: Array, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Array:
    """Solve `a @ x = b` for triangular `a`, in a quarter of the time of `numpy.linalg.solve`.

    Args:
        a: of shape (..., n, n); only the triangle is read.
        b: of shape (n,), or (..., n, k).
        trans: 0 or "N" solves with `a`, 1 or "T" with its transpose, 2 or "C" with its conjugate transpose.
        lower: whether the lower triangle is read, and not the upper one.
        unit_diagonal: take the diagonal for ones, and do not read it.

    Returns:
        `x`, of the shape of `b` broadcast with the batch of `a`.

    Raises:
        UsageError: `a` is not square, or `trans` is none of these.
        numpy.linalg.LinAlgError: `a` is singular.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.solve_triangular(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([2.0, 3.0]), lower=True)
        array([1., 2.])
    """
    a, b = _square(a, "solve_triangular"), as_array(b)
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise UsageError(f'trans={trans!r} was asked for; it is 0 or "N", 1 or "T", 2 or "C"')
    if trans not in (0, "N"):
        a, lower = transposed(a), not lower
        a = np.conjugate(a) if trans in (2, "C") else a
    columns = b if b.ndim > 1 else b[:, None]
    x = triangular.solve_triangular(a, columns, lower=bool(lower), unit_diagonal=bool(unit_diagonal))
    return x if b.ndim > 1 else x[..., 0]


def solve_banded(l_and_u: tuple[int, int], ab: Array, b: Array) -> Array:
    """Solve `a @ x = b` for a banded matrix, in a time that is linear in its size.

    For implicit steps of differential equations in one dimension, whose matrices are tridiagonal.

    Args:
        l_and_u: how many diagonals there are below and above the main one.
        ab: of shape (l + u + 1, n): row `u + i - j` and column j have the element (i, j) of the matrix. What is outside
            of the matrix is not read.
        b: of shape (n,) or (n, k).

    Returns:
        `x`, of the shape of `b`.

    Raises:
        UsageError: `ab` has another number of rows, or the shapes do not match.
        numpy.linalg.LinAlgError: the matrix is singular.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> ab = np.array([[0.0, -1.0, -1.0], [2.0, 2.0, 2.0], [-1.0, -1.0, 0.0]])
        >>> rg.linalg.solve_banded((1, 1), ab, np.array([1.0, 0.0, 1.0]))
        array([1., 1., 1.])
    """
    ab, b = as_array(ab), as_array(b)
    lower, upper = (int(count) for count in l_and_u)
    fits = ab.ndim == 2 and b.ndim in (1, 2) and ab.shape == (lower + upper + 1, b.shape[0])
    if not fits or min(lower, upper) < 0 or max(lower, upper) >= b.shape[0]:
        raise UsageError(
            f"solve_banded with {lower} diagonals below and {upper} above was given arrays of shapes {tuple(ab.shape)} "
            f"and {tuple(b.shape)}; it takes ({lower + upper + 1}, n) and (n,) or (n, k), with n above both"
        )
    columns = b if b.ndim == 2 else b[:, None]
    x = banded.solve_banded(ab, columns, lower=lower, upper=upper)
    return x if b.ndim == 2 else x[:, 0]


def cho_factor(a: Array) -> tuple[Array, bool]:
    """The Cholesky factor of Hermitian matrices, for `cho_solve`.

    Args:
        a: of shape (..., n, n), positive definite; the lower triangle is read.

    Returns:
        The lower factor, and True: that it is the lower one. The other triangle is zero.

    Raises:
        numpy.linalg.LinAlgError: `a` is not positive definite.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> factor = rg.linalg.cho_factor(np.array([[4.0, 2.0], [2.0, 2.0]]))
        >>> rg.linalg.cho_solve(factor, np.array([8.0, 6.0]))
        array([1., 2.])
    """
    return np.linalg.cholesky(_square(a, "cho_factor")), True


def cho_solve(factor: tuple[Array, bool], b: Array) -> Array:
    """Solve `a @ x = b` by the Cholesky factor of `a`.

    Args:
        factor: what `cho_factor` returned: a triangular factor of shape (..., n, n), and whether it is the lower one.
        b: of shape (n,), or (..., n, k).

    Returns:
        `x`, of the shape of `b` broadcast with the batch of the factor.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.cho_solve((np.array([[2.0, 0.0], [1.0, 1.0]]), True), np.array([8.0, 6.0]))
        array([1., 2.])
    """
    c, lower = factor
    first, second = (0, 2) if lower else (2, 0)
    return solve_triangular(c, solve_triangular(c, b, trans=first, lower=lower), trans=second, lower=lower)


def solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    """Solve `a @ x + x @ b = q` for `x`.

    Args:
        a: of shape (..., m, m).
        b: of shape (..., n, n).
        q: of shape (..., m, n).

    Returns:
        `x`, of shape (..., m, n).

    Raises:
        UsageError: `a` or `b` is not square.
        numpy.linalg.LinAlgError: an eigenvalue of `a` is the negative of one of `b`.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.solve_sylvester(np.array([[1.0]]), np.array([[3.0]]), np.array([[8.0]]))
        array([[2.]])
    """
    return functions.solve_sylvester(_square(a, "solve_sylvester"), _square(b, "solve_sylvester"), as_array(q))


def block_diag(*arrays: Array) -> Array:
    """A matrix with the given matrices along its diagonal, and zeros around them.

    Args:
        arrays: matrices; a vector is a matrix of one row, a number one of one element.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.block_diag(np.array([[1.0, 2.0]]), 3.0)
        array([[1., 2., 0.],
               [0., 0., 3.]])
    """
    blocks = [np.reshape(x, (1,) * (2 - np.ndim(x)) + tuple(np.shape(x))) for x in arrays]
    if any(np.ndim(block) > 2 for block in blocks):
        raise UsageError(f"block_diag of arrays with {[np.ndim(x) for x in arrays]} axes; it takes matrices")
    widths = [block.shape[1] for block in blocks]
    rows: list[Any] = []
    for at, block in enumerate(blocks):
        height = block.shape[0]
        sides = (np.zeros_like(block, shape=(height, sum(part))) for part in (widths[:at], widths[at + 1 :]))
        rows.append(np.concatenate([next(sides), block, next(sides)], axis=1))
    return np.concatenate(rows, axis=0)


def toeplitz(c: Array, r: Array | None = None) -> Array:
    """The matrix whose elements depend on row minus column only: a convolution as a matrix.

    Args:
        c: the first column, of shape (m,).
        r: the first row, of shape (n,); its first element is not read. Left out, it is the conjugate of `c`.

    Returns:
        Of shape (m, n).

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.linalg.toeplitz(np.array([1.0, 2.0, 3.0]), np.array([1.0, 9.0]))
        array([[1., 9.],
               [2., 1.],
               [3., 2.]])
    """
    column: Array = np.ravel(as_array(c))
    row: Array = np.conjugate(column) if r is None else np.ravel(as_array(r))
    values: Array = np.concatenate([column[::-1], row[1:]])
    rows, columns = column.shape[0], row.shape[0]
    return values[np.arange(rows - 1, -1, -1)[:, None] + np.arange(columns)]


def _square(a: Array, name: str) -> Array:
    a = as_array(a)
    sizes = a.shape[-2:]
    if len(sizes) < 2 or (all(isinstance(size, int) for size in sizes) and sizes[0] != sizes[1]):
        raise UsageError(
            f"{name} of an array of shape {tuple(a.shape)}; it takes square matrices, in the last two axes"
        )
    return a
