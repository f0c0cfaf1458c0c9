"""Sparse Jacobians and Hessians: patterns, colourings, values, and patterns that miss something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

import retrograde as rg
from retrograde.autodiff.derivatives.sparse import detect
from retrograde.autodiff.derivatives.sparse.coloring import column_coloring, star_coloring
from retrograde.errors import UsageError

RANDOM = np.random.default_rng(8)
X = RANDOM.standard_normal(12)


def _rosenbrock(x: Any) -> Any:
    curve = x[1:] - x[:-1] * x[:-1]
    return np.sum(100.0 * curve * curve + (1.0 - x[:-1]) * (1.0 - x[:-1]))


def _arrow(x: Any) -> Any:
    return np.sum(np.sin(x) * x[0])


def _grid(x: Any) -> Any:
    """The energy of a membrane, a Hessian of five bands."""
    u = x.reshape(3, 4)
    across, down = u[:, 1:] - u[:, :-1], u[1:] - u[:-1]
    return np.sum(np.cos(across)) + np.sum(np.exp(down * down * 0.1)) + np.sum(u * u * u)


def _written(x: Any) -> Any:
    y = np.zeros_like(x)
    y[2:] = x[:-2] * x[2:]
    y[0] += np.tanh(x[1])
    return np.concatenate([y, x[::2] * 2.0, [1.0]])


SPARSE = [_written, lambda x: np.where(x > 0.0, x, 0.0)[[3, 3, 1]], lambda x: np.sum(x.reshape(3, 4), axis=1)]
STENCIL = np.triu(np.tril(RANDOM.standard_normal((12, 12)), 1), -1)
SPARSE += [
    lambda x: STENCIL @ np.sin(x),
    lambda x: np.sin(x) @ STENCIL.T,
    lambda x: (x.reshape(3, 4) @ STENCIL[:4]) * 2.0,
]


@pytest.mark.parametrize("f", [_rosenbrock, _arrow, _grid])
def test_hessians_detected_and_given(f: Any) -> None:
    dense = rg.hessian(f)(X)
    found = rg.hessian(f, sparsity="detect")(X)
    assert isinstance(found, sparse.csr_array)
    assert found.nnz < dense.size
    np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12, atol=1e-13)
    for pattern in (dense != 0, np.triu(dense != 0), sparse.coo_matrix(np.tril(dense)), found):
        given = rg.hessian(f, sparsity=pattern)(X)
        np.testing.assert_allclose(given.toarray(), dense, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("f", SPARSE)
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobians_detected_and_given(f: Any, mode: Any) -> None:
    dense = rg.jacobian(f)(X).reshape(-1, 12)
    found = rg.jacobian(f, mode=mode, sparsity="detect")(X)
    assert found.nnz < dense.size
    np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        rg.jacobian(f, mode=mode, sparsity=dense != 0)(X).toarray(), dense, rtol=1e-12, atol=1e-13
    )


def test_a_dense_row_is_found_in_reverse() -> None:
    """Forward, a row that reads everything takes a direction for each column."""

    def f(x: Any) -> Any:
        return np.concatenate([x * x, np.reshape(np.sum(x), (1,))])

    found = rg.jacobian(f, sparsity="detect")(X)
    np.testing.assert_allclose(found.toarray(), np.vstack([np.diag(2.0 * X), np.ones(12)]))


def _random_pattern(size: int, density: float, seed: int) -> Any:
    return sparse.csr_array(sparse.random_array((size, size), density=density, rng=np.random.default_rng(seed)) != 0)


@pytest.mark.parametrize("seed", range(5))
def test_columns_of_one_color_share_no_row(seed: int) -> None:
    pattern = _random_pattern(30, 0.1, seed)
    colors = column_coloring(pattern)
    for color in range(colors.max() + 1):
        assert pattern.toarray()[:, colors == color].sum(axis=1).max() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_star_coloring_has_no_path_of_four_in_two_colors(seed: int) -> None:
    pattern = _random_pattern(25, 0.08, seed)
    pattern = sparse.csr_array(pattern + pattern.T)
    colors = star_coloring(pattern)
    beside = [set(np.flatnonzero(row)) - {at} for at, row in enumerate(pattern.toarray())]
    for b, around in enumerate(beside):
        for c in around:
            assert colors[b] != colors[c]
            for a in around - {c}:
                for d in beside[c] - {a, b}:
                    assert len({colors[a], colors[b], colors[c], colors[d]}) > 2


def test_few_colors_where_few_do() -> None:
    ones = np.ones(2000)
    tridiagonal = sparse.csr_array(sparse.diags_array([ones[1:], ones, ones[1:]], offsets=[-1, 0, 1]) != 0)
    assert column_coloring(tridiagonal).max() == 2
    assert star_coloring(tridiagonal).max() == 2
    arrow = sparse.lil_array((2000, 2000), dtype=bool)
    arrow.setdiag(True)
    arrow[0, :] = arrow[:, 0] = True
    assert star_coloring(sparse.csr_array(arrow)).max() == 1


def test_a_pattern_depends_on_the_branch_taken() -> None:
    def f(x: Any) -> Any:
        return x * x if x[0] > 0.0 else x * x[1]

    np.testing.assert_array_equal(detect(f, np.ones(3)).toarray(), np.eye(3, dtype=bool))
    assert detect(f, -np.ones(3)).toarray()[:, 1].all()


def test_a_product_depends_on_a_row_and_a_column() -> None:
    found = detect(lambda x: np.reshape(x, (3, 4)) @ np.reshape(x, (4, 3)), X).toarray().reshape(3, 3, 12)
    assert found[0, 0].sum() == 6  # a row and a column of 4 elements, which have two in common


def test_a_function_that_does_not_depend_on_its_argument() -> None:
    assert rg.jacobian(lambda x: np.ones(2), sparsity="detect")(X).shape == (2, 12)
    assert rg.hessian(lambda x: np.sum(x), sparsity="detect")(X).nnz == 0


def test_a_pattern_that_misses_an_entry() -> None:
    pattern = rg.hessian(_rosenbrock)(X) != 0
    pattern[3, 4] = pattern[4, 3] = False
    with pytest.raises(UsageError, match="the pattern given for a derivative of _rosenbrock has no entry for some"):
        rg.hessian(_rosenbrock, sparsity=pattern)(X)
    for mode in ("forward", "reverse"):
        with pytest.raises(UsageError, match='complete it, or use sparsity="detect"'):
            rg.jacobian(_written, mode=mode, sparsity=np.eye(19, 12))(X)


def test_what_they_refuse() -> None:
    with pytest.raises(UsageError, match=r"a pattern of shape \(3, 3\) was given for a derivative of 12 elements by"):
        rg.hessian(_rosenbrock, sparsity=np.eye(3))(X)
    with pytest.raises(UsageError, match="sparsity='probe' was asked for"):
        rg.hessian(_rosenbrock, sparsity="probe")(X)
    with pytest.raises(UsageError, match="was asked for by 2 arrays; it is of one array by one array"):
        rg.hessian(lambda p: np.sum(p[0] * p[1]), sparsity="detect")((X, X))
    with pytest.raises(UsageError, match="which returned 2 arrays"):
        rg.jacobian(lambda x: (x, x), sparsity="detect")(X)
    with pytest.raises(UsageError, match="returned a tuple; it is of one array"):
        detect(lambda x: (x, x), X)
    with pytest.raises(UsageError, match="in mode 'mixed'; use forward, or auto"):
        rg.jacobian(np.sin, mode="mixed", sparsity="detect")(X)
    with pytest.raises(UsageError, match="in mode 'reverse', of a complex output"):
        rg.jacobian(lambda x: x * 1j, mode="reverse", sparsity="detect")(X)
    with pytest.raises(UsageError, match="inside another derivative; scipy's matrices carry none"):
        rg.grad(lambda x: np.sum(rg.hessian(_rosenbrock, sparsity="detect")(x).data))(X)


def test_a_pattern_too_dense_to_be_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrograde.autodiff.derivatives.sparse.patterns.RULES", {})
    monkeypatch.setattr("retrograde.autodiff.derivatives.sparse.footprints._MOST_ENTRIES", 10)
    with pytest.raises(UsageError, match="reshape makes 12 elements depend on 12 coordinates each"):
        detect(lambda x: x.reshape(3, 4), X)
