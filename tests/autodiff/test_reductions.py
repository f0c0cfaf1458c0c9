"""Reductions and cumulative functions as NumPy spells them: values, derivatives, options, methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import agrees

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError

A = np.random.default_rng(1).uniform(-1.5, 1.5, (2, 3, 4))
M = A[0]
V = M[0]
Z = A[0] + 1j * A[1]
MASK = M > -0.5
HOLED = np.where(MASK, M, 0.0)
WEIGHTS = np.array([0.2, 1.3, 0.5, 0.8])

_REDUCED: list[Any] = [np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.ptp, np.median, np.linalg.norm]


@pytest.mark.parametrize("function", _REDUCED)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_along_axes(function: Any, axis: Any, keepdims: bool) -> None:
    agrees(lambda x: function(x, axis=axis, keepdims=keepdims), M, programs=function is not np.median)


_OPTIONS: list[Any] = [
    lambda x: np.sum(x, where=MASK, initial=2.0),
    lambda x: np.sum(x, 0, np.longdouble, None, True),
    lambda x: np.prod(x, axis=1, where=MASK, initial=2.0),
    lambda x: np.prod(x, axis=0, dtype=complex),
    lambda x: np.mean(x, axis=1, where=MASK),
    lambda x: np.mean(x, axis=1, dtype=complex),
    lambda x: np.max(x, axis=0, initial=0.3),
    lambda x: np.max(x, axis=0, initial=-2.0, where=MASK),
    lambda x: np.min(x, axis=0, initial=2.0, where=MASK, keepdims=True),
    lambda x: np.var(x, axis=1, ddof=1),
    lambda x: np.var(x, axis=0, correction=1),
    lambda x: np.var(x, axis=1, ddof=0.5, where=MASK),
    lambda x: np.std(x, axis=1, ddof=1, keepdims=True),
    lambda x: np.std(x, axis=1, where=MASK),
    lambda x: np.std(x, 1, mean=np.mean(x, axis=1, keepdims=True)),
    lambda x: np.average(x, axis=1),
    lambda x: np.average(x, axis=1, weights=WEIGHTS, keepdims=True),
    lambda x: np.average(x, weights=np.outer(WEIGHTS[:3], WEIGHTS)),
    lambda x: np.average(x, axis=1, weights=WEIGHTS, returned=True),
    lambda x: np.average(WEIGHTS, weights=x[0] * x[0]),
    lambda x: np.amax(x) + np.amin(x),
    lambda x: x.sum(0) + x.mean(axis=0) + x.prod(axis=0) + x.max(0) + x.min(0) + x.var(0) + x.std(0, ddof=1),
    lambda x: x.cumsum(axis=0) + x.cumprod(1),
    lambda x: np.cumsum(x) + np.cumprod(x),
    lambda x: np.cumsum(x, axis=-1, dtype=complex),
    lambda x: np.cumulative_sum(x, axis=1, include_initial=True),
    lambda x: np.cumulative_prod(x, axis=0, include_initial=True),
    lambda x: np.cumulative_sum(x[0]),
    lambda x: np.cov(x),
    lambda x: np.cov(x, rowvar=False, bias=True),
    lambda x: np.cov(x[0], x[1], ddof=0),
    lambda x: np.cov(x[0]),
    lambda x: np.cov(x, fweights=np.array([1, 2, 1, 3])),
    lambda x: np.cov(x, fweights=np.array([1, 2, 1, 3]), aweights=WEIGHTS),
    lambda x: np.cov(x, aweights=WEIGHTS, ddof=0),
    lambda x: np.corrcoef(x),
    lambda x: np.corrcoef(x[0], x[1], rowvar=True),
    lambda x: np.corrcoef(x[0]) * x[0],
    lambda x: np.diff(x),
    lambda x: np.diff(x, n=2, axis=0),
    lambda x: np.diff(x, n=0),
    lambda x: np.diff(x, prepend=0.5, append=x[:, :1]),
    lambda x: np.ediff1d(x),
    lambda x: np.ediff1d(x, to_end=x[0, :2], to_begin=1.0),
    lambda x: np.trapezoid(x),
    lambda x: np.trapezoid(x, dx=0.3, axis=0),
    lambda x: np.trapezoid(x, x=np.cumsum(WEIGHTS)),
    lambda x: np.trapezoid(x[1:], x=x[:2]),
    lambda x: np.gradient(x),
    lambda x: np.gradient(x, 0.5, axis=1),
    lambda x: np.gradient(x, 0.5, 0.25, edge_order=2),
    lambda x: np.gradient(x, np.cumsum(WEIGHTS), axis=1, edge_order=2),
    lambda x: np.gradient(x, np.cumsum(WEIGHTS), axis=-1),
    lambda x: np.gradient(x[0], x[1], edge_order=2),
]


@pytest.mark.parametrize("function", _OPTIONS)
def test_options_and_methods(function: Any) -> None:
    agrees(function, M)


_OF_COMPLEX: list[Any] = [np.sum, np.prod, np.mean, np.var, np.std, np.linalg.norm, np.cumsum, np.cumprod, np.cov]


@pytest.mark.parametrize("function", _OF_COMPLEX)
def test_reductions_of_complex_numbers(function: Any) -> None:
    agrees(function, Z)
    agrees(lambda z: np.var(z, axis=0, where=MASK) + np.linalg.norm(z, 3, axis=0) + np.linalg.norm(z, 1, axis=0), Z)


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, 2.5, -1, -2.5, 0.5, np.inf, -np.inf])
def test_norms_of_vectors(order: Any) -> None:
    agrees(lambda x: np.linalg.norm(x, order), V)
    agrees(lambda x: np.linalg.norm(x, order, axis=1, keepdims=True), A)
    agrees(lambda x: np.linalg.vector_norm(x, ord=2 if order is None else order, axis=(0, 2)), A)


@pytest.mark.parametrize("order", [None, "fro", 1, -1, np.inf, -np.inf])
def test_norms_of_matrices(order: Any) -> None:
    agrees(lambda x: np.linalg.norm(x, order), M)
    agrees(lambda x: np.linalg.norm(x, order, axis=(2, 0), keepdims=True), A)
    agrees(lambda x: np.linalg.matrix_norm(x, ord="fro" if order is None else order), A)


@pytest.mark.parametrize("order", [2, -2, "nuc"])
def test_norms_by_singular_values(order: Any) -> None:
    agrees(lambda x: np.linalg.norm(x, order), M, programs=False)
    agrees(lambda x: np.linalg.norm(x, order, axis=(2, 0), keepdims=True), A, programs=False)


def test_norms_that_numpy_does_not_have() -> None:
    for message, asked in {
        "order 'fro' was asked for of vectors": lambda x: np.linalg.norm(x[0], "fro"),
        "order 3 was asked for of matrices": lambda x: np.linalg.norm(x, 3),
        "order 2 over 3 axes": lambda x: np.linalg.norm(x[None], 2),
    }.items():
        with pytest.raises(ValueError, match=message):
            rg.grad(asked)(M)


def _holes(x: Any) -> Any:
    return np.where(MASK, x, np.nan)


_NAN: list[Any] = [np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin]


@pytest.mark.parametrize("function", _NAN)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_reductions_without_nan(function: Any, axis: Any) -> None:
    assert MASK.any(axis).all()
    assert not MASK.all()
    agrees(lambda x: function(_holes(x), axis=axis), M)
    agrees(lambda x: function(_holes(x), axis=axis, keepdims=True), M, order=1)


def test_more_reductions_without_nan() -> None:
    agrees(lambda x: np.nancumsum(_holes(x), axis=0), M)
    agrees(lambda x: np.nancumprod(_holes(x)), M)
    agrees(lambda x: np.nanmax(_holes(x), axis=0, initial=0.1), M)
    agrees(lambda x: np.nanvar(_holes(x), axis=1, ddof=0.5, where=M < 1.0), M)
    agrees(lambda x: np.nansum(_holes(x), where=M < 1.0, initial=3.0), M)


_METHODS = ["linear", "lower", "higher", "nearest", "midpoint", "hazen", "weibull", "median_unbiased"]
_METHODS += ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf"]


@pytest.mark.parametrize("method", _METHODS)
def test_quantiles(method: str) -> None:
    agrees(lambda x: np.quantile(x, 0.3, method=method), M, programs=False)
    agrees(lambda x: np.percentile(x, [30, 71], axis=0, keepdims=True, method=method), M, programs=False, order=1)


def test_order_statistics_with_nan_are_nan() -> None:
    x = np.array([[1.0, np.nan, 2.0], [3.0, 1.0, 2.5]])
    with rg.GradientTape() as tape:
        y = tape.watch(x)
        found = np.median(y, axis=1), np.quantile(y, 0.4, axis=1)
    np.testing.assert_array_equal(np.isnan(rg.stop_gradient(found)), [[True, False]] * 2)


def test_medians_in_a_program_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"numpy\.median along an axis whose size only the run knows"):
        agrees(np.median, M)


def test_derivatives_of_products_with_zeros_are_exact() -> None:
    """To third order: that of x*y*z with two zeros is a third derivative."""
    x = np.array([0.0, 2.0, 0.0])
    np.testing.assert_array_equal(rg.grad(np.prod)(x), np.zeros(3))
    np.testing.assert_array_equal(rg.hessian(np.prod)(x), [[0, 0, 2], [0, 0, 0], [2, 0, 0]])
    third = rg.jvp(rg.hessian(np.prod), (x,), (np.array([0.0, 1.0, 0.0]),))[1]
    np.testing.assert_array_equal(third, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(rg.hessian(lambda x: np.cumprod(x)[2])(x), [[0, 0, 2], [0, 0, 0], [2, 0, 0]])


def test_extrema_that_are_alike_share() -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    np.testing.assert_array_equal(
        rg.grad(lambda x: np.sum(np.max(x, axis=1)))(x), [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    )
    np.testing.assert_array_equal(rg.jvp(np.min, (x,), (np.ones_like(x),))[1], 1.0)
    np.testing.assert_array_equal(rg.grad(lambda x: np.max(np.where(x > 2.5, np.nan, x)))(x), np.zeros((2, 3)))


def test_where_without_initial_is_refused_for_extrema() -> None:
    with pytest.raises(ValueError, match="`where` a mask is true needs `initial`"):
        rg.grad(lambda x: np.max(x, where=MASK))(M)


def test_results_written_into_an_array() -> None:
    def function(x: Any) -> Any:
        out = np.zeros_like(x[0])
        np.sum(x, axis=0, out=out)
        return np.sum(out * np.max(x, 0, np.zeros_like(out)))

    agrees(lambda x: np.atleast_1d(function(x))[0] if isinstance(x, np.ndarray) else function(x), M)
    with pytest.raises(UnsupportedError, match=r"written into a ndarray \(out=...\).*leave `out` away"):
        rg.grad(lambda x: np.sum(np.sum(x, 0, None, np.zeros(4))))(M)


def test_bad_arguments() -> None:
    for error, message, asked in [
        (UsageError, "weights of 2 axes were given", lambda x: np.average(x[None], axis=1, weights=M)),
        (ValueError, "difference of order -1", lambda x: np.diff(x, n=-1)),
        (ValueError, "`axis` has to be given", lambda x: np.cumulative_sum(x)),
        (TypeError, "2 spacings were given for a gradient along 1 axes", lambda x: np.gradient(x, 1.0, 2.0, axis=0)),
        (ValueError, "edge_order=3", lambda x: np.gradient(x, edge_order=3)),
    ]:
        with pytest.raises(error, match=message):
            rg.grad(asked)(M)
