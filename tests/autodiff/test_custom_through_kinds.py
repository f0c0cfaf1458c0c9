"""Functions with rules of their own, checkpoints and custom primitives, under every derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff.derivatives.sparse import detect

X = np.array([0.3, -1.2, 2.0])
V = np.array([1.0, 0.5, -0.25])


def _plain(x: Any, scale: Any) -> Any:
    return {"wave": np.sin(x) * scale, "sum": np.sum(x * x)}


@rg.custom_jvp
def by_jvp(x: Any, scale: Any) -> Any:
    return _plain(x, scale)


@by_jvp.defjvp
def _rule(primals: Any, tangents: Any) -> Any:
    (x, scale), (dx, dscale) = primals, tangents
    return _plain(x, scale), {"wave": dx * np.cos(x) * scale + np.sin(x) * dscale, "sum": 2.0 * np.sum(x * dx)}


@rg.custom_vjp
def by_vjp(x: Any, scale: Any) -> Any:
    return _plain(x, scale)


def _forward(x: Any, scale: Any) -> Any:
    return by_vjp(x, scale), (x, scale)


def _backward(residuals: Any, g: Any) -> Any:
    x, scale = residuals
    return g["wave"] * np.cos(x) * scale + 2.0 * g["sum"] * x, np.sum(g["wave"] * np.sin(x))


by_vjp.defvjp(_forward, _backward)

sine: Any = rg.primitive(forward={"x": lambda d, x: d * np.cos(x)})(lambda x: np.sin(x))


def _by_primitive(x: Any, scale: Any) -> Any:
    return {"wave": sine(x) * scale, "sum": np.sum(x * x)}


def _checkpointed(x: Any, scale: Any) -> Any:
    return rg.checkpoint(_plain)(x, scale)


@pytest.mark.parametrize("custom", [by_jvp, by_vjp, _by_primitive, _checkpointed])
def test_every_derivative_of_a_custom_function(custom: Any) -> None:
    def through(inner: Any) -> Any:
        def f(x: Any) -> Any:
            parts = inner(np.exp(0.3 * x), x[0])
            return np.sum(np.cos(parts["wave"])) * parts["sum"] + parts["sum"]

        return f

    f, expected = through(custom), through(_plain)
    for derivative in (rg.grad, rg.jacobian, rg.hessian, rg.hessian_diagonal, rg.laplacian):
        np.testing.assert_allclose(derivative(f)(X), derivative(expected)(X), rtol=1e-10, atol=1e-12)
    for mode in ("forward", "reverse", "mixed"):
        np.testing.assert_allclose(rg.jacobian(f, mode=mode)(X), rg.grad(expected)(X), rtol=1e-10)
    np.testing.assert_allclose(rg.taylor(f, (X,), (V,), 4), rg.taylor(expected, (X,), (V,), 4), rtol=1e-9)
    np.testing.assert_allclose(rg.linearize(f, X)[1](V), rg.linearize(expected, X)[1](V), rtol=1e-10)
    np.testing.assert_allclose(rg.hvp(f, (X,), (V,))[0], rg.hvp(expected, (X,), (V,))[0], rtol=1e-10)
    assert detect(f, X).toarray().all()
