"""Newton directions and natural gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff.derivatives.conjugate_gradients import conjugate_gradients, steihaug
from retrograde.errors import UsageError

RANDOM = np.random.default_rng(4)
SQUARE = RANDOM.standard_normal((6, 6))
DEFINITE = SQUARE @ SQUARE.T + np.eye(6)
X = RANDOM.standard_normal(6)
INPUTS = RANDOM.standard_normal((5, 3))


def _quadratic(x: Any) -> Any:
    return 0.5 * (x @ (DEFINITE @ x)) + np.sum(x)


def _saddle(x: Any) -> Any:
    return x[0] * x[0] - x[1] * x[1] + 0.1 * x[1]


@pytest.mark.parametrize("method", ["auto", "cholesky", "cg"])
@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_newton_directions(method: Any, damping: float) -> None:
    direction = rg.newton_direction(_quadratic, method=method, damping=damping, tolerance=1e-12)(X)
    np.testing.assert_allclose(
        (DEFINITE + damping * np.eye(6)) @ direction, -rg.grad(_quadratic)(X), rtol=1e-9, atol=1e-10
    )


def test_a_newton_direction_by_a_container() -> None:
    def f(p: Any) -> Any:
        return np.sum(np.exp(p["a"]) + p["b"] * p["b"] * p["a"] * p["a"]) + np.sum(p["b"] * p["b"])

    p = {"a": np.array([0.1, 0.2]), "b": np.float64(0.3)}
    for method in ("cholesky", "cg"):
        direction = rg.newton_direction(f, method=method, tolerance=1e-13)(p)
        (tangent,) = rg.hvp(f, (p,), (direction,))
        for name in p:
            np.testing.assert_allclose(tangent[name], -rg.grad(f)(p)[name], rtol=1e-9)


def test_a_trust_region() -> None:
    inside = rg.newton_direction(_quadratic, radius=100.0, tolerance=1e-12)(X)
    np.testing.assert_allclose(inside, rg.newton_direction(_quadratic)(X), rtol=1e-8)
    short = rg.newton_direction(_quadratic, radius=0.1)(X)
    np.testing.assert_allclose(np.linalg.norm(short), 0.1)
    assert short @ rg.grad(_quadratic)(X) < 0.0
    x = np.array([1.0, 0.0])
    down = rg.newton_direction(_saddle, radius=2.0)(x)
    np.testing.assert_allclose(np.linalg.norm(down), 2.0)
    assert _saddle(x + down) < _saddle(x)


def test_steihaug_and_conjugate_gradients_alone() -> None:
    b = RANDOM.standard_normal(6)
    np.testing.assert_allclose(
        conjugate_gradients(lambda v: DEFINITE @ v, b, 1e-13, None), np.linalg.solve(DEFINITE, b)
    )
    few = steihaug(lambda v: DEFINITE @ v, b, 10.0, 1e-13, 2)
    assert 0.5 * few @ DEFINITE @ few + few @ b < 0.0
    np.testing.assert_array_equal(conjugate_gradients(lambda v: v, np.zeros(3), None, None), np.zeros(3))


def _softmax(logits: Any) -> Any:
    raised = np.exp(logits)
    return raised / np.sum(raised, axis=-1, keepdims=True)


def _model(p: Any) -> Any:
    return np.tanh(INPUTS @ p["w"]) + p["b"]


PARAMETERS = {"w": RANDOM.standard_normal((3, 2)), "b": RANDOM.standard_normal(2)}


def _metric_matrix(metric: str, outputs: Any) -> Any:
    """The Fisher information of each distribution, from its definition."""
    if metric == "categorical":
        blocks = [np.diag(p) - np.outer(p, p) for p in _softmax(outputs)]
        whole = np.zeros((outputs.size, outputs.size))
        for at, block in enumerate(blocks):
            whole[2 * at : 2 * at + 2, 2 * at : 2 * at + 2] = block
        return whole
    one = {"gaussian": np.ones_like, "poisson": np.exp, "bernoulli": lambda z: 1 / (1 + np.exp(-z)) / (1 + np.exp(z))}
    return np.diag(one[metric](outputs).ravel())


@pytest.mark.parametrize("metric", ["gaussian", "categorical", "bernoulli", "poisson"])
def test_natural_gradients(metric: Any) -> None:
    def loss(p: Any) -> Any:
        return np.sum(_model(p) * _model(p) * np.arange(10.0).reshape(5, 2)) / 5

    found = rg.natural_gradient(loss, _model, metric=metric, damping=0.1, scale=0.2, tolerance=1e-13)(PARAMETERS)
    outputs = _model(PARAMETERS)
    blocks = rg.jacobian(_model)(PARAMETERS)
    jacobian = np.concatenate([blocks["b"].reshape(10, -1), blocks["w"].reshape(10, -1)], axis=1)
    fisher = 0.2 * jacobian.T @ _metric_matrix(metric, outputs) @ jacobian + 0.1 * np.eye(8)
    gradient = rg.grad(loss)(PARAMETERS)
    expected = np.linalg.solve(fisher, np.concatenate([gradient["b"], gradient["w"].ravel()]))
    np.testing.assert_allclose(np.concatenate([found["b"], found["w"].ravel()]), expected, rtol=1e-8)


def test_a_metric_of_ones_own() -> None:
    def loss(x: Any) -> Any:
        return np.sum(x * x)

    found = rg.natural_gradient(loss, lambda x: x, metric=lambda y, d: 4.0 * d, damping=0.0)(X)
    np.testing.assert_allclose(found, X / 2.0)


def test_what_they_refuse() -> None:
    with pytest.raises(UsageError, match="method='lu' was asked for"):
        rg.newton_direction(_quadratic, method="lu")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"damping=-1.0 was asked for; it is 0 or more"):
        rg.newton_direction(_quadratic, damping=-1.0)
    with pytest.raises(UsageError, match=r"radius=0.0 was asked for; it is above 0"):
        rg.newton_direction(_quadratic, radius=0.0)
    with pytest.raises(UsageError, match="its least eigenvalue is -2, with a damping of 0; give a larger damping"):
        rg.newton_direction(_saddle)(np.ones(2))
    with pytest.raises(UsageError, match=r"a direction has the curvature -.*; give a larger damping, or a trust"):
        rg.newton_direction(_saddle, method="cg")(np.ones(2))
    with pytest.raises(UsageError, match=r"conjugate gradients left a residual of .* after 1 iterations"):
        rg.newton_direction(_quadratic, method="cg", max_iterations=1)(X)
    with pytest.raises(UsageError, match="a Newton direction of _quadratic was asked for inside another derivative"):
        rg.grad(lambda x: np.sum(rg.newton_direction(_quadratic)(x)))(X)
    with pytest.raises(UsageError, match="metric='cauchy' was asked for"):
        rg.natural_gradient(_quadratic, lambda x: x, metric="cauchy")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="with a model of complex outputs"):
        rg.natural_gradient(_quadratic, lambda x: x * 1j)(X)
    with pytest.raises(UsageError, match=r"a natural gradient of _quadratic was asked for by .* dtype complex128"):
        rg.natural_gradient(_quadratic, lambda x: x)(X * 1j)
