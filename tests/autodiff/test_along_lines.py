"""Taylor series, directional second derivatives, Hessian diagonals and Laplacians."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UsageError

X = np.array([0.3, -1.2, 2.0])
V = np.array([1.0, 0.5, -0.25])


def _mixture(x: Any) -> Any:
    return np.sum(np.tanh(np.outer(X, V) @ np.sin(x)) / (2.0 + np.cos(x)) * np.exp(0.3 * x) * np.maximum(x, 0.1))


def _nested(f: Any, x: Any, v: Any, order: int) -> Any:
    derivative: Any = lambda t: f(x + t * v)  # noqa: E731
    for _ in range(order):
        derivative = (lambda inner: lambda t: rg.jvp(inner, (t,), (1.0,))[1])(derivative)
    return derivative(0.0) / math.factorial(order)


def test_a_series_of_a_mixture_agrees_with_nested_derivatives() -> None:
    found = rg.taylor(_mixture, (X,), (V,), 6)
    np.testing.assert_allclose(found, [_nested(_mixture, X, V, k) for k in range(7)], rtol=1e-10)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (np.exp, [1 / math.factorial(k) for k in range(13)]),
        (np.sin, [0.0 if k % 2 == 0 else (-1) ** (k // 2) / math.factorial(k) for k in range(13)]),
        (lambda x: 1.0 / (1.0 - x), [1.0] * 13),
        (lambda x: (1.0 + x) * (1.0 + x) * (1.0 + x), [1.0, 3.0, 3.0, 1.0, *([0.0] * 9)]),
    ],
)
def test_series_that_are_known(f: Any, expected: Any) -> None:
    np.testing.assert_allclose(rg.taylor(f, (0.0,), (1.0,), 12), expected, rtol=1e-13, atol=1e-16)


def test_a_path_that_starts_with_a_higher_power() -> None:
    """f(t^2), where the first coefficient is zero and the second is not."""
    found = rg.taylor(lambda t: np.exp(t * t) / (1.0 + t * t), (0.0,), (1.0,), 6)
    np.testing.assert_allclose(found, [1.0, 0.0, 0.0, 0.0, 0.5, 0.0, -1.0 / 3.0], atol=1e-15)


def test_containers_orders_and_constants() -> None:
    found = rg.taylor(lambda p: {"y": p["a"] * p["b"], "n": 3.0}, ({"a": X, "b": 2.0},), ({"a": V, "b": 1.0},), 3)
    np.testing.assert_allclose(found[1]["y"], V * 2.0 + X)
    np.testing.assert_allclose(found[2]["y"], V)
    np.testing.assert_array_equal(found[3]["y"], np.zeros(3))
    assert [coefficients["n"] for coefficients in found] == [3.0, 0.0, 0.0, 0.0]
    np.testing.assert_array_equal(rg.taylor(np.sin, (X,), (V,), 0), [np.sin(X)])
    assert rg.taylor(np.sin, (X.astype(np.float32),), (V,), 2)[2].dtype == np.float32


def test_a_gradient_of_a_series_and_a_series_of_a_gradient() -> None:
    by_series = rg.taylor(rg.grad(_mixture), (X,), (V,), 2)[2]
    through = rg.grad(lambda x: rg.taylor(_mixture, (x,), (V,), 2)[2])(X)
    np.testing.assert_allclose(by_series, through, rtol=1e-10)


def test_directional_second_derivatives() -> None:
    expected = V @ rg.hessian(_mixture)(X) @ V
    np.testing.assert_allclose(rg.directional_second_derivative(_mixture, (X,), (V,)), expected, rtol=1e-12)
    twice = rg.directional_second_derivative(lambda x: (x * x, x), (X,), (V,))
    np.testing.assert_allclose(twice[0], 2.0 * V * V)
    np.testing.assert_array_equal(twice[1], np.zeros(3))


def test_diagonals_and_laplacians_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.diag(rg.hessian(_mixture)(X))
    monkeypatch.setattr("retrograde.autodiff.derivatives.coordinates.BATCH_BYTES", 48)
    np.testing.assert_allclose(rg.hessian_diagonal(_mixture)(X), expected, rtol=1e-10)
    np.testing.assert_allclose(rg.laplacian(_mixture)(X), np.sum(expected), rtol=1e-10)
    value, gradient, laplacian = rg.value_grad_and_laplacian(_mixture)(X)
    assert value == _mixture(X)
    np.testing.assert_allclose(gradient, rg.grad(_mixture)(X), rtol=1e-12)
    np.testing.assert_allclose(laplacian, np.sum(expected), rtol=1e-10)


def test_a_laplacian_of_several_arrays() -> None:
    found = rg.laplacian(lambda p: (p["a"] * p["a"] * p["b"], 3.0, np.cos(p["b"])))({"a": X, "b": 2.0})
    np.testing.assert_allclose(found[0], np.full(3, 4.0))
    assert found[1] == 0.0
    np.testing.assert_allclose(found[2], -np.cos(2.0))


def test_a_laplacian_of_products_and_quotients() -> None:
    def f(x: Any) -> Any:
        return np.sum((x[:, None] * X) @ (np.sin(x)[None, :] / (x + 3.0)[:, None]) * x)

    np.testing.assert_allclose(rg.laplacian(f)(X), np.trace(rg.hessian(f)(X)), rtol=1e-12)


def test_laplacians_differentiate() -> None:
    np.testing.assert_allclose(
        rg.grad(rg.laplacian(_mixture))(X), rg.grad(lambda x: np.sum(rg.hessian_diagonal(_mixture)(x)))(X), rtol=1e-8
    )


def test_constants_and_nothing() -> None:
    found = [derivative(lambda x: x**3)(2.0) for derivative in (rg.hessian, rg.hessian_diagonal, rg.laplacian)]
    assert [(type(value), value) for value in found] == [(np.float64, 12.0)] * 3
    assert rg.laplacian(lambda x: np.sum(x))(X) == 0.0
    assert rg.laplacian(lambda x: 2.0)(X) == 0.0
    np.testing.assert_array_equal(rg.hessian_diagonal(lambda x: np.sum(x))(X), np.zeros(3))
    np.testing.assert_array_equal(rg.hessian_diagonal(lambda x: 2.0)(X), np.zeros(3))
    assert rg.hessian_diagonal(lambda x: np.sum(x))(np.zeros(0)).shape == (0,)
    assert rg.laplacian(lambda x: np.sum(x))(np.zeros(0)) == 0.0
    value, gradient, laplacian = rg.value_grad_and_laplacian(lambda x: 2.0)(X)
    assert (value, laplacian) == (2.0, 0.0)
    np.testing.assert_array_equal(gradient, np.zeros(3))


def test_what_they_refuse() -> None:
    with pytest.raises(UsageError, match="a Taylor series of order -1 was asked for"):
        rg.taylor(np.sin, (X,), (V,), -1)
    with pytest.raises(UsageError, match=r"of order 1.5 was asked for; the order is an int"):
        rg.taylor(np.sin, (X,), (V,), 1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="primal 0 has dtype int64; a primal is floating or complex"):
        rg.taylor(np.sin, (1,), (1.0,), 2)
    with pytest.raises(UsageError, match=r"its tangent dtype float64 and shape \(2,\)"):
        rg.taylor(np.sin, (X,), (np.ones(2),), 2)
    with pytest.raises(UsageError, match="build them alike"):
        rg.directional_second_derivative(np.sin, (X,), ((X,),))
    with pytest.raises(UsageError, match=r"the diagonal of a Hessian of sin was asked for, which returned an array of"):
        rg.hessian_diagonal(np.sin)(X)
    with pytest.raises(UsageError, match="gradient and Laplacian of <lambda> was asked for, which returned a tuple"):
        rg.value_grad_and_laplacian(lambda x: (x, x))(X)
    with pytest.raises(UsageError, match="a Laplacian of sin was asked for by an argument of which array 0 has"):
        rg.laplacian(np.sin)(1j)
