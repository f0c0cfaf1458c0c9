"""Functions made of others: order statistics without NaN, histograms, polynomials, phases; questions about types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import agrees

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import ProgramBuilder

M = np.random.default_rng(1).uniform(-1.5, 1.5, (3, 5))
V = M[0]
HOLES = np.zeros((3, 5), bool)
HOLES[0, 1] = HOLES[2, :2] = True


def _holed(x: Any) -> Any:
    return np.where(HOLES, np.nan, x)


_ORDER: list[Any] = [
    lambda x: np.nanmedian(_holed(x)),
    lambda x: np.nanmedian(_holed(x), axis=1, keepdims=True),
    lambda x: np.nanquantile(_holed(x), 0.3, axis=0),
    lambda x: np.nanquantile(_holed(x), [0.3, 0.9], axis=1, method="hazen"),
    lambda x: np.nanpercentile(_holed(x), 30, axis=(0, 1), keepdims=True),
    lambda x: np.nanquantile(_holed(x), np.array([[0.1, 0.2], [0.7, 0.4]])[0], method="nearest"),
    lambda x: np.quantile(M, x[0, 0] * x[0, 0] / 3),
    lambda x: np.percentile(V, 20.0 + x[:, 0] * x[:, 0]),
]


@pytest.mark.parametrize("function", _ORDER)
def test_order_statistics(function: Any) -> None:
    agrees(function, M, programs=False)


def test_order_statistics_of_nothing_but_nan() -> None:
    found = rg.jvp(lambda x: np.nanmedian(x * np.nan, axis=0), (M,), (M,))[0]
    np.testing.assert_array_equal(found, np.full(5, np.nan))


def test_quantiles_that_are_refused() -> None:
    for message, asked in {
        "method='hazen' and a tracked q": lambda x: np.quantile(M, x[0, 0], method="hazen"),
        "nanquantile with a tracked q": lambda x: np.nanquantile(x, x[0, 0]),
        "quantile with weights": lambda x: np.quantile(x, 0.5, weights=M, method="inverted_cdf"),
    }.items():
        with pytest.raises(UnsupportedError, match=message):
            rg.grad(asked)(M)
    with pytest.raises(TypeError, match="quantiles of complex numbers"):
        rg.grad(lambda x: np.quantile(x + 1j, 0.5))(M)


_MADE: list[Any] = [
    lambda x: np.bincount(np.array([0, 3, 1, 3, 0]), weights=x[0]),
    lambda x: np.bincount(np.array([0, 3, 1, 3, 0]), x[0], minlength=6),
    lambda x: np.histogram_bin_edges(x, 4),
    lambda x: np.histogram(x, "sturges")[1] * x[0, 0],
    lambda x: np.histogram(x[0], bins=x[1] * 0.0 + np.arange(5.0))[1] * x[0],
    lambda x: np.polyval(x[0], 0.7),
    lambda x: np.polyval([1.0, -2.0, 0.5], x),
    lambda x: np.polyadd(x[0], x[1, :3]),
    lambda x: np.polysub([1.0, 2.0], x[1]),
    lambda x: np.polyder(x[0], 2),
    lambda x: np.polyint(x[0], 2, [0.5, 2.0]),
    lambda x: np.polyint(x[0], k=x[1, 0]),
    lambda x: np.unwrap(4.0 * x[0]) * x[0],
    lambda x: np.unwrap(x, period=0.5, axis=0) * x,
]


@pytest.mark.parametrize("function", _MADE)
def test_histograms_polynomials_and_phases(function: Any) -> None:
    agrees(function, M, programs=False)


def test_a_fit_of_a_polynomial() -> None:
    x, weights = np.array([0.1, 0.5, 0.9, 1.4, 2.0]), np.array([1.0, 0.5, 2.0, 1.0, 1.5])
    agrees(lambda y: np.polyfit(x, y, 2), V, programs=False)
    agrees(lambda x, y: np.polyfit(x, y, 1, w=weights), x, V, programs=False)
    agrees(lambda y: np.polyfit(x, y, 2, w=weights), M.T.copy(), programs=False)
    with pytest.raises(UnsupportedError, match=r"polyfit with full, cov or several degrees"):
        rg.grad(lambda y: np.polyfit(x, y, 2, full=True)[0][0])(V)


def test_histograms() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(M)
        counts, edges = np.histogram(x, bins=[-1.0, 0.0, 1.0], density=True)
        ranged = np.histogram_bin_edges(x, 3, (-2.0, 2.0))
    np.testing.assert_array_equal(counts, np.histogram(M, bins=[-1.0, 0.0, 1.0], density=True)[0])
    np.testing.assert_array_equal(edges, [-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(ranged, np.linspace(-2, 2, 4))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.histogram(x)[1]))(np.ones(2)), [5.5, 5.5])
    with pytest.raises(UnsupportedError, match="histogram with tracked weights"):
        rg.grad(lambda x: np.sum(np.histogram(V, weights=x[0])[0]))(M)


def test_constants_of_values_are_refused_in_programs() -> None:
    builder = ProgramBuilder("constant")
    x = builder.input("x", "float64", ("n",))
    for function in (np.allclose, lambda x, _: np.isin(x, [x[0], 1.0])):
        with pytest.raises(UnsupportedError, match="in a program has no derivative rule"):
            function(x, x)
    with pytest.raises(UnsupportedError, match="polyval needs the sizes of its operand"):
        np.polyval(x, 2.0)
    with pytest.raises(UnsupportedError, match="nanquantile needs the values of its operand"):
        np.nanmedian(x[0])


def test_orders_below_zero_are_refused() -> None:
    for function in (np.polyder, np.polyint):
        with pytest.raises(UsageError, match="orders begin at 0"):
            rg.grad(lambda x, f=function: np.sum(f(x, -1)))(V)


def test_questions_about_types_have_plain_answers() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.float32(M))
        assert np.result_type(x, np.float64) == np.float64
        assert np.result_type(x, 1.0) == np.float32
        assert np.can_cast(np.float16, x.dtype)
        assert np.common_type(x, M) is np.float64
        assert np.array_repr(x) == repr(np.float32(M))
        assert not np.iscomplex(x).any()
        assert np.isin(x, x).all()
