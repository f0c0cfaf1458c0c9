"""Solvers of linear systems: factorizations, substitutions, recursions over triangles, iterations."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.registry import Family, Random

SOLVERS = Family("solvers")


def positive_definite(random: Random, N: int) -> Any:
    """A symmetric matrix with eigenvalues that are far from 0."""
    square = random.standard_normal((N, N))
    return square @ square.T / N + 2.0 * np.eye(N)


def cholesky(A):
    """The lower factor of a positive definite matrix, row by row in place of its lower triangle."""
    for i in range(A.shape[0]):
        for j in range(i):
            A[i, j] -= np.dot(A[i, :j], A[j, :j])
            A[i, j] /= A[j, j]
        A[i, i] -= np.dot(A[i, :i], A[i, :i])
        A[i, i] = np.sqrt(A[i, i])


def matrix_argument(random: Random, N: int) -> tuple[Any, ...]:
    return (positive_definite(random, N),)


SOLVERS.add(
    cholesky,
    matrix_argument,
    kind="nest",
    wrt="A",
    of="A",
    tiny={"N": 5},
    S={"N": 100},
    M={"N": 300},
    paper={"N": 2000},
)


def lu(A):
    """The factors of Doolittle, row by row in place of the matrix."""
    N = A.shape[0]
    for i in range(N):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, N):
            A[i, j] -= A[i, :i] @ A[:i, j]


SOLVERS.add(
    lu,
    matrix_argument,
    kind="nest",
    wrt="A",
    of="A",
    tiny={"N": 5},
    S={"N": 60},
    M={"N": 220},
    paper={"N": 2000},
)


def trisolv(L, x, b):
    """Forward substitution."""
    for i in range(x.shape[0]):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]


def trisolv_arguments(random: Random, N: int) -> tuple[Any, ...]:
    lower = np.tril(random.standard_normal((N, N))) / np.sqrt(N) + 2.0 * np.eye(N)
    return lower, random.standard_normal(N), random.standard_normal(N)


SOLVERS.add(
    trisolv,
    trisolv_arguments,
    kind="nest",
    wrt="L x b",
    of="x",
    tiny={"N": 5},
    S={"N": 2000},
    M={"N": 5000},
    paper={"N": 16000},
)


def durbin(r):
    """Durbin's recursion for the Yule-Walker equations of a Toeplitz matrix."""
    y = np.empty_like(r)
    alpha = -r[0]
    beta = 1.0
    y[0] = -r[0]
    for k in range(1, r.shape[0]):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + np.dot(np.flip(r[:k]), y[:k])) / beta
        y[:k] += alpha * np.flip(y[:k])
        y[k] = alpha
    return y


def durbin_arguments(random: Random, N: int) -> tuple[Any, ...]:
    lags = np.arange(1, N + 1)
    return (0.5**lags * np.cos(lags) + 0.01 * random.standard_normal(N) / lags**2,)


SOLVERS.add(
    durbin,
    durbin_arguments,
    kind="nest",
    wrt="r",
    tiny={"N": 6},
    S={"N": 1000},
    M={"N": 6000},
    paper={"N": 16000},
)


def cholesky2(A):
    """The lower factor in place of a positive definite matrix, by the library; what is above the diagonal stays."""
    A[:] = np.linalg.cholesky(A) + np.triu(A, k=1)


SOLVERS.add(
    cholesky2,
    matrix_argument,
    kind="dense",
    wrt="A",
    of="A",
    tiny={"N": 5},
    S={"N": 1000},
    M={"N": 2200},
    paper={"N": 2000},
)


def ludcmp(A, b):
    """The solution of a linear system by factors of Doolittle, forward and backward substitution."""
    N = A.shape[0]
    x = np.zeros_like(b)
    y = np.zeros_like(b)
    for i in range(N):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, N):
            A[i, j] -= A[i, :i] @ A[:i, j]
    for i in range(N):
        y[i] = b[i] - A[i, :i] @ y[:i]
    for i in range(N - 1, -1, -1):
        x[i] = (y[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x, y


def ludcmp_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return positive_definite(random, N), random.standard_normal(N)


SOLVERS.add(
    ludcmp,
    ludcmp_arguments,
    kind="nest",
    wrt="A b",
    of="return A",
    tiny={"N": 5},
    S={"N": 60},
    M={"N": 220},
    paper={"N": 2000},
)


def gramschmidt(A):
    """The factors Q and R by the modified Gram-Schmidt process; the columns of A are used up."""
    N = A.shape[1]
    Q = np.zeros_like(A)
    R = np.zeros((N, N), dtype=A.dtype)
    for k in range(N):
        length = np.dot(A[:, k], A[:, k])
        R[k, k] = np.sqrt(length)
        Q[:, k] = A[:, k] / R[k, k]
        for j in range(k + 1, N):
            R[k, j] = np.dot(Q[:, k], A[:, j])
            A[:, j] -= Q[:, k] * R[k, j]
    return Q, R


def gramschmidt_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return (random.standard_normal((M, N)) + 3.0 * np.eye(M, N),)


SOLVERS.add(
    gramschmidt,
    gramschmidt_arguments,
    kind="nest",
    wrt="A",
    tiny={"M": 5, "N": 4},
    S={"M": 70, "N": 60},
    M={"M": 220, "N": 180},
    paper={"M": 240, "N": 200},
)


def conjugate_gradient(A, b, tolerance):
    """The solution of a positive definite system by conjugate gradients, until the residual is small."""
    x = np.zeros_like(b)
    r = b - A @ x
    p = r.copy()
    rs = r @ r
    while np.sqrt(rs) > tolerance:
        Ap = A @ p
        alpha = rs / (p @ Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        rs_new = r @ r
        p = r + (rs_new / rs) * p
        rs = rs_new
    return x


def conjugate_gradient_arguments(random: Random, N: int, tolerance: float = 1e-9) -> tuple[Any, ...]:
    return positive_definite(random, N), random.standard_normal(N), tolerance


SOLVERS.add(
    conjugate_gradient,
    conjugate_gradient_arguments,
    kind="dense",
    wrt="A b tolerance",
    tiny={"N": 6, "tolerance": 0.01},
    S={"N": 300},
    M={"N": 1000},
    tolerance=1e-5,
)
