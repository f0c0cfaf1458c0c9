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
