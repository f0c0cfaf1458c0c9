"""Derivatives of functions: what they return, for which arguments, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UsageError

X = np.array([0.3, -1.2, 2.0])


def _scaled(x: Any, factor: Any, offset: Any = 0.0) -> Any:
    return np.sum(np.sin(x) * factor + offset * x)


@pytest.mark.parametrize(
    ("wrt", "expected"),
    [
        (0, 2.0 * np.cos(X) + 0.5),
        ("x", 2.0 * np.cos(X) + 0.5),
        ("factor", np.sum(np.sin(X))),
        (("offset", 0), (np.sum(X), 2.0 * np.cos(X) + 0.5)),
    ],
)
def test_wrt_is_a_position_a_name_or_several(wrt: Any, expected: Any) -> None:
    value, gradient = rg.value_and_grad(_scaled, wrt)(X, 2.0, offset=0.5)
    assert value == _scaled(X, 2.0, 0.5)
    assert type(value) is np.float64
    assert isinstance(gradient, tuple) == isinstance(wrt, tuple)
    for one, other in zip(
        *(([gradient], [expected]) if not isinstance(wrt, tuple) else (gradient, expected)), strict=True
    ):
        np.testing.assert_allclose(one, other)


def test_an_argument_may_be_a_container() -> None:
    def f(parameters: Any) -> Any:
        return np.sum(parameters["w"] * parameters["b"][0]) + parameters["b"][1]

    gradient = rg.grad(f)({"w": X, "b": (X * 2.0, 3.0)})
    np.testing.assert_allclose(gradient["w"], X * 2.0)
    np.testing.assert_allclose(gradient["b"][0], X)
    assert gradient["b"][1] == 1.0


def test_a_result_that_does_not_depend_on_the_argument() -> None:
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(rg.stop_gradient(x)))(X), np.zeros(3))


def test_a_pullback_can_be_called_again() -> None:
    (sine, scaled), pullback = rg.vjp(lambda x, y: (np.sin(x), x * y))(X, 2.0)
    np.testing.assert_allclose((sine, scaled), (np.sin(X), 2.0 * X))
    for seed in (1.0, 3.0):
        by_x, by_y = pullback((np.full(3, seed), np.zeros(3)))
        np.testing.assert_allclose(by_x, seed * np.cos(X))
        assert by_y == 0.0


def test_an_output_that_is_constant_has_no_part_in_a_pullback() -> None:
    _, pullback = rg.vjp(lambda x: (x * 2.0, 5.0), 0)(X)
    np.testing.assert_allclose(pullback((np.ones(3), 7.0)), np.full(3, 2.0))


def test_forward_derivatives_of_containers() -> None:
    primals = ({"a": X, "b": 2.0},)
    out, tangent = rg.jvp(lambda p: {"y": p["a"] * p["b"], "n": 3}, primals, ({"a": np.ones(3), "b": 1.0},))
    np.testing.assert_allclose(out["y"], 2.0 * X)
    np.testing.assert_allclose(tangent["y"], 2.0 + X)
    assert tangent["n"] == 0


def test_hessians_agree() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.tanh(np.outer(X, X) @ x)) * x[0] * np.exp(x[1])

    hessian = rg.hessian(f)(X)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    gradient = rg.grad(f)
    differences = [(gradient(X + d) - gradient(X - d)) / 2e-6 for d in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(hessian, differences, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(rg.hvp(f, (X,), (X,))[0], hessian @ X, rtol=1e-12)


def test_a_hessian_by_a_matrix_named() -> None:
    hessian = rg.hessian(lambda scale, x: scale * np.sum(x * x * x), "x")(2.0, x=X.reshape(3, 1))
    assert hessian.shape == (3, 1, 3, 1)
    np.testing.assert_allclose(hessian.reshape(3, 3), np.diag(12.0 * X))


def test_third_derivatives_in_every_order_of_modes() -> None:
    def by_jvp(f: Any) -> Any:
        return lambda x: rg.jvp(f, (x,), (1.0,))[1]

    def f(x: Any) -> Any:
        return np.sin(x) * np.exp(x)

    expected = 2.0 * np.exp(0.4) * (np.cos(0.4) - np.sin(0.4))
    for modes in ((a, b, c) for a in (rg.grad, by_jvp) for b in (rg.grad, by_jvp) for c in (rg.grad, by_jvp)):
        derivative = f
        for mode in modes:
            derivative = mode(derivative)
        np.testing.assert_allclose(derivative(0.4), expected, rtol=1e-12)


def test_a_gradient_of_what_is_no_real_scalar() -> None:
    with pytest.raises(UsageError, match=r"gradient of sin was asked for, which returned an array of shape \(3,\)"):
        rg.grad(np.sin)(X)
    with pytest.raises(UsageError, match=r"returned an array of shape .* and dtype complex128; .* use rg.vjp"):
        rg.grad(lambda x: x * 1j)(1.0)
    with pytest.raises(UsageError, match="gradient of <lambda> was asked for, which returned a NoneType"):
        rg.grad(lambda x: None)(1.0)


def test_a_wrt_that_names_nothing() -> None:
    with pytest.raises(UsageError, match="wrt='y' names no argument of this call, which has 2 positional ones"):
        rg.grad(_scaled, "y")(X, 2.0)
    with pytest.raises(UsageError, match=r"name one that is passed \(its arguments are \w+, "):
        rg.grad(_scaled, "y")(X, 2.0)
    with pytest.raises(
        UsageError, match="wrt=2 names no argument of this call, which has 2 positional ones and offset"
    ):
        rg.grad(_scaled, 2)(X, 2.0, offset=1.0)


def test_tangents_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match=r"primal 0 has dtype float64 and shape \(3,\), its tangent shape \(2,\)"):
        rg.jvp(np.sin, (X,), (np.ones(2),))
    with pytest.raises(UsageError, match="primal 0 has dtype int64"):
        rg.jvp(np.sin, (1,), (1.0,))
    with pytest.raises(UsageError, match="build them alike"):
        rg.jvp(np.sin, (X,), (X, X))


def test_importing_retrograde_does_not_load_derivatives() -> None:
    program = (
        "import sys, retrograde; print([n for n in sys.modules if n.startswith(('retrograde.autodiff', 'optree'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "derivative",
    [
        lambda: rg.jvp(np.sin, 1.0, 1.0),
        lambda: rg.hvp(np.sin, np.float64(1.0), 1.0),
        lambda: rg.taylor(np.sin, 1.0, 1.0, 3),
        lambda: rg.directional_second_derivative(np.sin, 1.0, 1.0),
    ],
)
def test_arguments_that_are_no_tuple(derivative: Any) -> None:
    with pytest.raises(UsageError, match=r"given as one float.*give a tuple with an item for each argument"):
        derivative()


def test_rounding_by_python() -> None:
    assert rg.grad(lambda x: x * round(x, 1))(1.26) == 1.3
    assert rg.grad(lambda x: x * round(x))(2.6) == 3.0
