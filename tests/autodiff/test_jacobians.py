"""Jacobians and Hessians: modes, containers, nesting, linearizations, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff.arguments import Call
from retrograde.autodiff.derivatives.linearizing import Linearization
from retrograde.autodiff.derivatives.sweeps import Cut, choose, narrowest
from retrograde.errors import UsageError

RANDOM = np.random.default_rng(5)
X = np.array([0.3, -1.2, 2.0])
WIDE = RANDOM.standard_normal((40, 2))
NARROW = RANDOM.standard_normal((2, 40))


def _waist(x: Any) -> Any:
    """40 inputs, 40 outputs, and 2 numbers in between that carry everything."""
    return np.tanh(WIDE @ np.sin(NARROW @ np.cos(x)))


def _differences(f: Any, x: Any, step: float = 1e-6) -> Any:
    units = np.eye(x.size).reshape(x.size, *x.shape)
    columns = [(f(x + step * unit) - f(x - step * unit)) / (2 * step) for unit in units]
    return np.stack(columns, axis=-1).reshape(np.shape(columns[0]) + x.shape)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse", "mixed"])
def test_modes_agree_with_differences(mode: Any) -> None:
    x = RANDOM.standard_normal(40)
    np.testing.assert_allclose(rg.jacobian(_waist, mode=mode)(x), _differences(_waist, x), rtol=1e-6, atol=1e-7)


def _chosen(f: Any, x: Any) -> Any:
    linear = Linearization(Call(f, 0, (x,), {}), both=True)
    targets = [slot for slot in linear.outputs if slot is not None]
    return choose(linear.graph, linear.inputs, targets)


def test_auto_takes_the_cheapest_way() -> None:
    assert _chosen(lambda x: WIDE @ np.sin(x), np.ones(2)) == "forward"
    assert _chosen(lambda x: np.sum(np.sin(x)), np.ones(50)) == "reverse"
    found = _chosen(_waist, np.ones(40))
    assert isinstance(found, Cut)
    assert [slot.shape for slot in found.slots] in ([(2,)], [(2, 1)])


def test_a_waist_is_found_beside_what_goes_around_it() -> None:
    def f(x: Any) -> Any:
        first = x[0]
        return _waist(x) + first

    linear = Linearization(Call(f, 0, (np.ones(40),), {}), both=True)
    _, cut = narrowest(linear.graph, linear.inputs, [slot for slot in linear.outputs if slot is not None])
    assert sum(slot.size for slot in cut.slots) == 3
    np.testing.assert_allclose(rg.jacobian(f, mode="mixed")(np.ones(40)), rg.jacobian(f, mode="forward")(np.ones(40)))


def test_a_waist_of_complex_numbers_is_none() -> None:
    def f(x: Any) -> Any:
        waist = np.exp(1j * (NARROW[0] @ x)) * (NARROW[1] @ x)
        return np.real(waist * (WIDE[:, 0] + 1j * WIDE[:, 1]))

    x = RANDOM.standard_normal(40)
    expected = rg.jacobian(f, mode="forward")(x)
    np.testing.assert_allclose(expected, _differences(f, x), rtol=1e-6, atol=1e-7)
    for mode in ("auto", "mixed", "reverse"):
        np.testing.assert_allclose(rg.jacobian(f, mode=mode)(x), expected, rtol=1e-10, atol=1e-12)


def test_a_trial_decides_between_equal_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With batches so small that there is much to do."""
    monkeypatch.setattr("retrograde.autodiff.derivatives.sweeps.BATCH_BYTES", 64)
    x = RANDOM.standard_normal(60)
    assert _chosen(lambda x: np.sin(x) * x[0], x) in ("forward", "reverse")
    jacobian = rg.jacobian(lambda x: np.sin(x) * x[0])(x)
    expected = np.diag(np.cos(x) * x[0])
    expected[:, 0] += np.sin(x)
    np.testing.assert_allclose(jacobian, expected)


def test_containers_give_containers_of_jacobians() -> None:
    def f(p: Any) -> Any:
        return {"y": p["a"] * p["b"][0], "z": (np.sum(p["a"]), 3.0), "same": p["a"]}

    jacobian = rg.jacobian(f)({"a": X, "b": [np.float64(2.0)]})
    np.testing.assert_allclose(jacobian["y"]["a"], 2.0 * np.eye(3))
    np.testing.assert_allclose(jacobian["y"]["b"][0], X)
    np.testing.assert_allclose(jacobian["z"][0]["a"], np.ones(3))
    assert jacobian["z"][0]["b"][0] == 0.0
    np.testing.assert_array_equal(jacobian["z"][1]["a"], np.zeros(3))
    np.testing.assert_array_equal(jacobian["same"]["a"], np.eye(3))


def test_several_arguments_and_names() -> None:
    by_y, by_x = rg.jacobian(lambda x, y: x * y, ("y", 0))(X, 2.0)
    np.testing.assert_allclose(by_y, X)
    np.testing.assert_allclose(by_x, 2.0 * np.eye(3))


def test_shapes_and_dtypes() -> None:
    x = np.ones((2, 3), np.float32)
    for mode in ("forward", "reverse", "mixed"):
        jacobian = rg.jacobian(lambda x: x.sum(axis=0) * x[0, 0], mode=mode)(x)
        assert (jacobian.shape, jacobian.dtype) == ((3, 2, 3), np.float32)
        assert jacobian.flags.c_contiguous
    assert rg.jacobian(np.sin)(0.0) == 1.0
    assert rg.jacobian(np.sin)(np.zeros(0)).shape == (0, 0)
    assert rg.jacobian(lambda x: 1.0)(X).shape == (3,)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse", "mixed"])
def test_a_jacobian_is_an_array_of_its_own(mode: Any) -> None:
    matrix = WIDE.copy()
    for f in (lambda x: matrix @ x, lambda x: np.broadcast_to(np.sum(x), (40,)), lambda x: x):
        rg.jacobian(f, mode=mode)(np.ones(2))[...] = 7.0
    rg.value_grad_and_laplacian(lambda x: matrix[0] @ x)(np.ones(2))[1][...] = 7.0
    np.testing.assert_array_equal(matrix, WIDE)


def test_a_complex_output_of_real_inputs() -> None:
    jacobian = rg.jacobian(lambda x: x * x * 1j)(X)
    np.testing.assert_allclose(jacobian, np.diag(2j * X))
    with pytest.raises(UsageError, match=r"output 0 is complex128; a cotangent .* use mode=\"forward\""):
        rg.jacobian(lambda x: x * 1j, mode="reverse")(X)


def test_jacobians_nest() -> None:
    def f(x: Any) -> Any:
        return np.sin(x) * x[0]

    second = rg.jacobian(rg.jacobian(f))(X)
    assert second.shape == (3, 3, 3)
    np.testing.assert_allclose(second, np.swapaxes(second, 1, 2), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(second, _differences(rg.jacobian(f), X), rtol=1e-6, atol=1e-8)
    for mode in ("forward", "reverse", "mixed"):
        through = rg.grad(lambda x, mode=mode: np.sum(np.sin(rg.jacobian(f, mode=mode)(x))))(X)
        expected = _differences(lambda x: np.sum(np.sin(rg.jacobian(f)(x))), X)
        np.testing.assert_allclose(through, expected, rtol=1e-6, atol=1e-8)


def test_a_function_that_writes_into_its_argument() -> None:
    def f(x: Any) -> Any:
        x[1:] *= x[:-1]
        x += 1.0
        return x

    x = X.copy()
    expected = [[1.0, 0.0, 0.0], [X[1], X[0], 0.0], [0.0, X[2], X[1]]]
    np.testing.assert_allclose(rg.jacobian(f)(x), expected)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(rg.taylor(f, (x,), (np.ones(3),), 1)[1], np.sum(expected, axis=1))
    trace = rg.laplacian(lambda x: np.sum(f(x) * f(x)))(x)
    np.testing.assert_allclose(trace, np.trace(rg.hessian(lambda x: np.sum(f(x) * f(x)))(x)))


def test_hessians_by_containers() -> None:
    def f(p: Any) -> Any:
        return np.sum(np.sin(p["a"]) * p["b"][0]) * p["b"][1]

    p = {"a": X, "b": (X * 2.0, 3.0)}
    hessian = rg.hessian(f)(p)
    np.testing.assert_allclose(hessian["a"]["b"][0], 3.0 * np.diag(np.cos(X)))
    np.testing.assert_allclose(hessian["b"][1]["a"], np.cos(X) * 2.0 * X)
    assert hessian["b"][1]["b"][1] == 0.0
    diagonal = rg.hessian_diagonal(f)(p)
    np.testing.assert_allclose(diagonal["a"], np.diag(hessian["a"]["a"]))
    assert diagonal["b"][1] == 0.0


def test_a_hessian_of_what_is_constant_or_linear() -> None:
    np.testing.assert_array_equal(rg.hessian(lambda x: np.sum(x))(X), np.zeros((3, 3)))
    np.testing.assert_array_equal(rg.hessian(lambda x: np.sum(rg.stop_gradient(x)))(X), np.zeros((3, 3)))


def test_a_pushforward_can_be_used_again_and_takes_containers() -> None:
    calls: list[int] = []

    def f(p: Any, y: Any) -> Any:
        calls.append(1)
        return {"u": p["x"] * y, "v": 1.0}

    value, pushforward = rg.linearize(f, {"x": X}, 2.0)
    np.testing.assert_allclose(value["u"], 2.0 * X)
    for d in (np.ones(3), X):
        tangent = pushforward({"x": d}, 0.5)
        np.testing.assert_allclose(tangent["u"], 2.0 * d + 0.5 * X)
        assert tangent["v"] == 0.0
    assert len(calls) == 1


def test_what_they_refuse() -> None:
    with pytest.raises(UsageError, match="mode='backward' was asked for"):
        rg.jacobian(np.sin, mode="backward")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="a Jacobian of sin was asked for by an argument of which array 0 has dtype c"):
        rg.jacobian(np.sin)(X * 1j)
    with pytest.raises(UsageError, match=r"a Hessian of sin was asked for by .* dtype int64; .* convert it"):
        rg.hessian(np.sin)(3)
    with pytest.raises(UsageError, match="which returned a str as output 1; return arrays"):
        rg.jacobian(lambda x: (x, "x"))(X)
    with pytest.raises(UsageError, match="wrt='z' names no argument"):
        rg.jacobian(lambda x: x, wrt="z")(X)
    with pytest.raises(UsageError, match=r"the gradient of .* which returned an array of shape \(3,\)"):
        rg.hessian(np.sin)(X)
    with pytest.raises(UsageError, match="primal 0 has dtype int64; a primal is floating or complex"):
        rg.linearize(np.sin, 3)
    pushforward = rg.linearize(np.sin, X)[1]
    with pytest.raises(UsageError, match=r"its tangent dtype float64 and shape \(2,\)"):
        pushforward(np.ones(2))
    with pytest.raises(UsageError, match="build them alike"):
        pushforward(X, X)
