"""The kernels compute what their names say: against libraries, and against formulas that need no loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from kernels import KERNELS
from kernels.differences import outputs_of
from scipy.linalg import solve_toeplitz

Formula = Callable[..., tuple[Any, ...]]


def triangles(packed: Any) -> tuple[Any, Any]:
    """The factors of Doolittle, unpacked."""
    return np.tril(packed, -1) + np.eye(len(packed)), np.triu(packed)


def symmetric(lower: Any) -> Any:
    return np.tril(lower) + np.tril(lower, -1).T


def lower_of(C: Any, beta: float, product: Any) -> Any:
    return np.triu(C, 1) + np.tril(beta * C + product)


def sphere(theta: Any, phi: Any) -> Any:
    return np.array([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)])


def ring_means(data: Any, radius: Any, rings: int) -> Any:
    edges = np.linspace(radius.min(), radius.max(), rings + 1)[1:-1]
    ring = np.digitize(radius, edges)
    return np.bincount(ring, data) / np.bincount(ring)


FORMULAS: dict[str, Formula] = {
    "k3mm": lambda A, B, C, D: (np.linalg.multi_dot([A, B, C, D]),),
    "symm": lambda alpha, beta, C, A, B: (alpha * symmetric(A) @ B + beta * C,),
    "syrk": lambda alpha, beta, C, A: (lower_of(C, beta, alpha * A @ A.T),),
    "syr2k": lambda alpha, beta, C, A, B: (lower_of(C, beta, alpha * (A @ B.T + B @ A.T)),),
    "trmm": lambda alpha, A, B: (alpha * (np.tril(A, -1) + np.eye(len(A))).T @ B,),
    "cholesky": lambda A: (np.linalg.cholesky(A) + np.triu(A, 1),),
    "cholesky2": lambda A: (np.linalg.cholesky(A) + np.triu(A, 1),),
    "trisolv": lambda L, x, b: (np.linalg.solve(np.tril(L), b),),
    "durbin": lambda r: (solve_toeplitz(np.concatenate(([1.0], r[:-1])), -r),),
    "stockham_fft": lambda N, R, K, x, y: (np.fft.fft(x),),
    "covariance": lambda M, n, data: (np.cov(data.T), data - data.mean(axis=0)),
    "spmv": lambda rows, columns, values, x: (
        [values[start:stop] @ x[columns[start:stop]] for start, stop in pairwise(rows)],
    ),
    "arc_distance": lambda t1, p1, t2, p2: (np.arccos(np.sum(sphere(t1, p1) * sphere(t2, p2), axis=0)),),
    "tridiagonal_solve": lambda lower, diagonal, upper, right: (
        np.linalg.solve(np.diag(lower, -1) + np.diag(diagonal) + np.diag(upper, 1), right),
    ),
    "azimint_hist": lambda data, radius, npt: (ring_means(data, radius, npt),),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_kernel_computes_its_formula(name: str) -> None:
    kernel = KERNELS[name]
    arguments = kernel.arguments()
    for found, expected in zip(outputs_of(kernel, arguments), FORMULAS[name](*arguments), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["lu", "ludcmp"])
def test_factors_multiply_to_the_matrix(name: str) -> None:
    arguments = KERNELS[name].arguments()
    *solutions, packed = outputs_of(KERNELS[name], arguments)
    lower, upper = triangles(packed)
    np.testing.assert_allclose(lower @ upper, arguments[0], rtol=1e-12, atol=1e-12)
    for x, y in solutions:
        np.testing.assert_allclose(arguments[0] @ x, arguments[1], rtol=1e-10)
        np.testing.assert_allclose(lower @ y, arguments[1], rtol=1e-10)


def test_orthogonal_factors_multiply_to_the_matrix() -> None:
    (matrix,) = KERNELS["gramschmidt"].arguments()
    ((Q, R),) = outputs_of(KERNELS["gramschmidt"], (matrix,))
    np.testing.assert_allclose(Q @ R, matrix, rtol=1e-12)
    np.testing.assert_allclose(Q.T @ Q, np.eye(R.shape[0]), atol=1e-12)


def test_correlations_are_those_of_the_columns_that_vary() -> None:
    kernel = KERNELS["correlation"]
    M, _, data = kernel.arguments()
    found = outputs_of(kernel, (M, float(len(data)), data))[0]
    varies = np.flatnonzero(data.std(axis=0) > 0.1)
    inside = np.ix_(varies, varies)
    np.testing.assert_allclose(np.triu(found[inside], 1), np.triu(np.corrcoef(data.T)[inside], 1), rtol=1e-10)


def test_conjugate_gradients_solve_the_system() -> None:
    kernel = KERNELS["conjugate_gradient"]
    A, b, tolerance = kernel.arguments()
    (x,) = outputs_of(kernel, (A, b, tolerance))
    assert np.linalg.norm(A @ x - b) < 1.1 * tolerance


def test_names_of_every_kernel_are_those_of_its_arguments() -> None:
    for kernel in KERNELS.values():
        arguments = kernel.arguments()
        parameters = kernel.function.__code__.co_varnames[: len(arguments)]
        assert set(kernel.wrt) <= set(parameters), kernel
        assert set(kernel.of) <= {"return", *parameters}, kernel
        assert len(outputs_of(kernel, arguments)) == len(kernel.of)


def test_there_are_enough_of_them() -> None:
    assert len(KERNELS) >= 45
