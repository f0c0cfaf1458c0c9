"""Derivatives where functions have kinks, jumps, zeros and infinities: the stated convention, no NaN, no warning.

Warnings are errors in this suite, so that each of these tests says that a rule does not warn where NumPy did not.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.rules.elementwise.quiet import divide_by_length, divide_chosen, divide_or_zero, multiply_or_zero

INF = np.inf
NAN = np.nan

_AT: list[Any] = [
    (np.abs, 0.0, 0.0),
    (np.fabs, 0.0, 0.0),
    (np.abs, 0j, 0j),
    (np.sqrt, 0.0, INF),
    (np.cbrt, 0.0, INF),
    (np.arcsin, 1.0, INF),
    (np.arcsin, -1.0, INF),
    (np.arccos, 1.0, -INF),
    (np.arccosh, 1.0, INF),
    (np.arctan, 1e200, 0.0),
    (np.arctan, np.float16(300.0), np.float16(1.0 / 90001.0)),
    (np.arcsinh, 1e200, 1e-200),
    (np.sinc, 0.0, 0.0),
    (np.sinc, 1e-9, -(np.pi**2) / 3 * 1e-9),
    (np.sinc, -1e-9, np.pi**2 / 3 * 1e-9),
    (np.i0, 0.0, 0.0),
    (np.square, 0.0, 0.0),
    (lambda x: x**0, 0.0, 0.0),
    (lambda x: x**0.0, 0.0, 0.0),
    (lambda x: x**1, 0.0, 1.0),
    (lambda x: x**2, 0.0, 0.0),
    (lambda x: x**3, 0.0, 0.0),
    (lambda x: x**0.5, 0.0, INF),
    (lambda x: x**1.5, 0.0, 0.0),
    (lambda x: x**2, -1.5, -3.0),
    (lambda x: x**-2.0, -2.0, 0.25),
    (lambda x: x ** np.float64(0.0), 0.0, 0.0),
    (lambda x: x ** np.float64(1.0), 0.0, 1.0),
    (lambda x: x ** np.float64(2.0), -1.5, -3.0),
    (lambda y: 0.0**y, 2.0, 0.0),
    (lambda y: 0.0**y, 0.0, 0.0),
    (lambda y: np.power(-2.0, y), 2.0, NAN),
    (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
    (lambda x: np.arctan2(x, 0.0), 0.0, 0.0),
    (lambda x: np.arctan2(x, 1e200), 1e200, 0.5e-200),
    (lambda x: np.arctan2(x, 1.0), INF, 0.0),
    (lambda x: np.arctan2(x, -INF), INF, 0.0),
    (lambda x: INF / (1.0 + x), -1.0, -INF),
    (lambda x: x / 0.0, INF, INF),
    (lambda x: np.remainder(1e308, x), 0.5, -INF),
    (lambda x: np.maximum(x, 1.0), 1.0, 0.5),
    (lambda x: np.minimum(x, 1.0), 1.0, 0.5),
    (lambda x: np.fmax(x, NAN), 1.0, 1.0),
    (lambda x: np.fmin(NAN, x), 1.0, 1.0),
    (lambda x: np.fmax(x, 2.0), NAN, 0.0),
    (lambda x: np.maximum(x, NAN), 1.0, 0.0),
    (lambda x: np.clip(x, 0.0, 1.0), 1.0, 0.5),
    (lambda x: np.clip(x, 0.0, 1.0), 1.5, 0.0),
    (lambda x: np.logaddexp(x, -INF), -INF, 0.5),
    (lambda x: np.logaddexp(x, 0.0), -INF, 0.0),
    (lambda x: np.logaddexp(0.0, x), INF, 1.0),
    (lambda x: np.logaddexp(x, 1e4), 0.0, 0.0),
    (lambda x: np.logaddexp2(x, x), 1e17, 1.0),
    (lambda x: np.copysign(x, -1.0), 0.0, 0.0),
    (lambda x: np.heaviside(0.0, x), 3.0, 1.0),
    (lambda x: np.remainder(x, 1.0), 2.0, 1.0),
    (lambda x: np.nan_to_num(x), NAN, 0.0),
    (lambda x: np.linalg.norm(x * np.zeros(3)), 1.0, 0.0),
    (lambda x: np.linalg.norm(x * np.array([0.0, 2.0]), 1), 1.0, 2.0),
    (lambda x: np.linalg.norm(x * np.zeros(2), 3), 1.0, 0.0),
    (lambda x: np.linalg.norm(x * np.array([0.0, 2.0]), 3), 1.0, 2.0),
    (lambda x: np.std(x * np.ones(4)), 1.0, 0.0),
    (lambda x: np.std(np.stack([x])), 1.0, 0.0),
    (lambda x: np.prod(x * np.zeros(3)), 1.0, 0.0),
    (lambda x: x % INF, 1.0, 1.0),
]


@pytest.mark.parametrize(("function", "x", "slope"), _AT)
def test_the_derivative_at_an_edge(function: Any, x: Any, slope: Any) -> None:
    x = np.asarray(x)[()]
    found = rg.grad(lambda x: np.real(function(x)))(x)
    np.testing.assert_allclose(found, slope, rtol=1e-12)
    pushed = rg.jvp(function, (x,), (np.ones_like(x),))[1]
    np.testing.assert_allclose(pushed, slope, rtol=1e-12)


_MASKED: list[Any] = [
    (np.log, 0.0),
    (np.log2, 0.0),
    (np.log10, 0.0),
    (np.log1p, -1.0),
    (np.log, -1.0),
    (np.sqrt, 0.0),
    (np.sqrt, -1.0),
    (np.arcsin, 2.0),
    (np.arccosh, -2.0),
    (np.cbrt, 0.0),
    (np.reciprocal, 0.0),
    (np.arcsin, 1.0),
    (np.arccos, -1.0),
    (np.arccosh, 1.0),
    (np.arctanh, 1.0),
    (np.exp, 1000.0),
    (np.exp2, 2000.0),
    (np.expm1, 1000.0),
    (np.sinh, 1000.0),
    (np.cosh, 1000.0),
    (lambda x: 1.0 / x, 0.0),
    (lambda x: x / (2.0 * x), 0.0),
    (lambda x: x**-1, 0.0),
    (lambda x: x**-0.5, 0.0),
    (lambda x: x**0.5, 0.0),
    (lambda x: np.log1p(np.exp(x)), 1000.0),
]


@pytest.mark.parametrize(("function", "x"), _MASKED)
def test_a_branch_that_was_not_taken_has_no_part_in_the_derivative(function: Any, x: float) -> None:
    """A zero cotangent wins over a derivative that is infinite. NumPy warns of some of the values."""
    other = 1.5 if function is np.arccosh else 0.5

    def masked(x: Any) -> Any:
        return np.sum(np.where(np.array([True, False]), 3.0 * x, function(x)))

    with np.errstate(all="ignore"):
        found = rg.grad(masked)(np.array([x, other]))
        expected = rg.grad(function)(other)
    np.testing.assert_allclose(found, [3.0, expected], rtol=1e-14)


def test_rules_warn_where_a_derivative_is_really_undefined() -> None:
    """What the user's own code makes undefined is not hidden."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert np.isnan(rg.grad(lambda x: np.log(x) - np.log(x))(0.0))
    assert caught


_ARRAYS = [np.array([0.0, 0.0]), np.array([1.0, 0.0]), np.array([2.0, 2.0])]


@pytest.mark.parametrize("x", _ARRAYS)
@pytest.mark.parametrize("function", [np.hypot, np.arctan2, np.maximum, np.minimum, np.fmax, np.fmin])
def test_symmetric_edges_of_two_operands(function: Any, x: Any) -> None:
    """On the diagonal and in the origin both operands get the same."""
    by_x, by_y = rg.grad(lambda x, y: np.sum(function(x, y)), (0, 1))(x, x.copy())
    if function is np.arctan2:
        by_y = -by_y
    np.testing.assert_array_equal(by_x, by_y)


_LENGTHS: list[Any] = [
    np.std,
    np.linalg.norm,
    lambda x: np.std(x[:1]),
    lambda x: np.sum(np.hypot(x, x)),
    lambda x: np.sum(np.abs(x + 0j)),
    lambda x: np.sum(np.arctan2(x, x)),
    lambda x: np.sum(np.angle(x + 1j * x)),
]


@pytest.mark.parametrize("function", _LENGTHS)
def test_a_length_of_zero_has_no_second_derivative_either(function: Any) -> None:
    """Its slope is the same in all directions: infinite or none. By convention it is 0, and never NaN."""
    x = np.zeros(3)
    np.testing.assert_array_equal(rg.hessian(function)(x), np.zeros((3, 3)))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(rg.grad(function)(x)))(x), np.zeros(3))
    along = rg.grad(lambda x: rg.jvp(function, (x,), (np.array([1.0, 2.0, -1.0]),))[1])
    np.testing.assert_array_equal(along(x), np.zeros(3))


def test_powers_of_an_array_of_exponents() -> None:
    x, y = np.array([0.0, 0.0, 0.0, -2.0, 4.0]), np.array([0.0, 1.0, 2.0, 2.0, 0.5])
    by_x, by_y = rg.grad(lambda x, y: np.sum(x**y), (0, 1))(x, y)
    np.testing.assert_array_equal(by_x, [0.0, 1.0, 0.0, -4.0, 0.25])
    np.testing.assert_array_equal(by_y, [0.0, 0.0, 0.0, NAN, 2.0 * np.log(4.0)])


def test_all_derivatives_of_sinc_and_i0_in_the_origin() -> None:
    """sinc(x) = 1 - (pi x)**2 / 6 + (pi x)**4 / 120 - ..., I0(x) = 1 + x**2 / 4 + x**4 / 64 + ..."""
    for function, series in [
        (np.sinc, [0.0, -(np.pi**2) / 3, 0.0, np.pi**4 / 5]),
        (np.i0, [0.0, 0.5, 0.0, 3 / 8]),
    ]:
        derivative = function
        for expected in series:
            derivative = rg.grad(derivative)
            np.testing.assert_allclose(derivative(0.0), expected, rtol=1e-14, atol=1e-14)


def test_the_derivative_of_a_cumulative_product_over_zeros() -> None:
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    jacobian = np.stack([rg.grad(lambda x, at=at: np.cumprod(x)[at])(x) for at in range(5)])
    expected = [[np.prod(np.delete(x[: k + 1], i)) if i <= k else 0.0 for i in range(5)] for k in range(5)]
    np.testing.assert_array_equal(jacobian, expected)


class Foreign(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of another library: it speaks NumPy's protocols, and raises no floating-point flags."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.dtype = self.values.dtype

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        with np.errstate(all="ignore"):
            return Foreign(getattr(ufunc, method)(*map(_inside, inputs), **options))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        return Foreign(function(*map(_inside, arguments), **options))

    def __getitem__(self, index: Any) -> Any:
        return Foreign(self.values[index])


def _inside(x: Any) -> Any:
    return x.values if isinstance(x, Foreign) else x


def test_quiet_products_and_quotients_of_foreign_arrays() -> None:
    x, y = np.array([0.0, 0.0, 1.0, 3.0]), np.array([0.0, np.inf, 0.0, 2.0])
    for primitive in (divide_or_zero, divide_chosen, divide_by_length, multiply_or_zero):
        found = primitive(Foreign(x), Foreign(y))
        assert isinstance(found, Foreign)
        np.testing.assert_array_equal(found.values, primitive(x, y))
    np.testing.assert_array_equal(divide_chosen(Foreign(x), Foreign(x * np.nan)).values, [0.0, 0.0, np.nan, np.nan])


@pytest.mark.parametrize("function", [np.sum, np.prod, np.mean, np.var, np.std, np.linalg.norm, np.cumsum, np.cumprod])
def test_reductions_of_nothing(function: Any) -> None:
    for shape, axis in [((0, 2), 1), ((2, 0), 0)]:
        x = np.zeros(shape)
        found = rg.grad(lambda x, axis=axis: np.sum(function(x, axis=axis)))(x)
        assert found.shape == shape
