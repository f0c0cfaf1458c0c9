"""What is derived from the rules, for every primitive: linear graphs, series, Laplacians and footprints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from operations import DIFFERENTIABLE, REAL, curved, operation, random_like
from samples.sample import Sample

import retrograde as rg
from retrograde.autodiff.derivatives.sparse import detect

_CLOSE: Any = {"rtol": 1e-8, "atol": 1e-9}


@pytest.mark.parametrize(("name", "sample"), DIFFERENTIABLE)
def test_a_linearization_gives_what_forward_mode_gives(name: str, sample: Sample) -> None:
    f, inputs = operation(name, sample)
    tangents = random_like(inputs, 1)
    outs, expected = rg.jvp(f, tuple(inputs), tangents, backend="tape")
    values, pushforward = rg.linearize(f, *inputs)
    for one, other in zip((*values, *pushforward(*tangents)), (*outs, *expected), strict=True):
        assert (np.shape(one), one.dtype) == (np.shape(other), other.dtype)
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("name", "sample"), REAL)
def test_jacobians_agree_in_every_mode(name: str, sample: Sample) -> None:
    f, inputs = operation(name, sample)
    outs = f(*inputs)
    every = tuple(range(len(inputs)))
    modes: Any = ("forward",) if any(np.iscomplexobj(out) for out in outs) else ("forward", "reverse", "mixed")
    first, *others = [rg.jacobian(f, every, mode)(*inputs) for mode in modes]
    tangents = random_like(inputs, 1)
    for out, blocks, expected in zip(outs, first, rg.jvp(f, tuple(inputs), tangents, backend="tape")[1], strict=True):
        assert [block.shape for block in blocks] == [(*np.shape(out), *np.shape(x)) for x in inputs]
        pushed = sum(np.tensordot(*pair, np.ndim(pair[1])) for pair in zip(blocks, tangents, strict=True))
        np.testing.assert_allclose(pushed, expected, rtol=1e-10, atol=1e-11)
    for other in others:
        for one_blocks, other_blocks in zip(first, other, strict=True):
            for block, same in zip(one_blocks, other_blocks, strict=True):
                np.testing.assert_allclose(block, same, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("name", "sample"), DIFFERENTIABLE)
def test_series_agree_with_nested_forward_mode(name: str, sample: Sample) -> None:
    f, inputs = operation(name, sample)
    tangents = random_like(inputs, 2)

    def along(t: Any) -> Any:
        return f(*(x + t * v for x, v in zip(inputs, tangents, strict=True)))

    found = rg.taylor(f, tuple(inputs), tangents, 3)
    derivative = along
    for factor, coefficients in zip((1, 1, 2, 6), found, strict=True):
        for coefficient, expected in zip(coefficients, derivative(np.float64(0.0)), strict=True):
            np.testing.assert_allclose(coefficient * factor, expected, **_CLOSE)
        derivative = _by_jvp(derivative)


def _by_jvp(f: Any) -> Any:
    return lambda t: rg.jvp(f, (t,), (np.ones_like(t) if isinstance(t, np.ndarray) else 1.0,), backend="tape")[1]


@pytest.mark.parametrize(("name", "sample"), REAL)
def test_second_derivatives_agree_with_the_hessian(name: str, sample: Sample) -> None:
    """Its trace is the Laplacian, its diagonal the diagonal."""
    f, inputs = operation(name, sample)
    every = tuple(range(len(inputs)))

    def scalar(*arguments: Any) -> Any:
        return curved(f(*arguments))

    blocks = rg.hessian(scalar, every)(*inputs)
    diagonals = [np.diagonal(np.reshape(row[at], (np.size(inputs[at]),) * 2)) for at, row in enumerate(blocks)]
    for found, expected in zip(rg.hessian_diagonal(scalar, every)(*inputs), diagonals, strict=True):
        np.testing.assert_allclose(np.ravel(found), expected, **_CLOSE)
    value, gradient, laplacian = rg.value_grad_and_laplacian(scalar, every)(*inputs)
    np.testing.assert_allclose(laplacian, sum(map(np.sum, diagonals)), **_CLOSE)
    np.testing.assert_allclose(rg.laplacian(scalar, every)(*inputs), laplacian, rtol=1e-14)
    expected_value, expected_gradient = rg.value_and_grad(scalar, every, backend="tape")(*inputs)
    np.testing.assert_allclose(value, expected_value, rtol=1e-14)
    for one, other in zip(gradient, expected_gradient, strict=True):
        np.testing.assert_allclose(one, other, **_CLOSE)


@pytest.mark.parametrize(("name", "sample"), REAL)
def test_a_footprint_has_every_entry_of_the_jacobian(name: str, sample: Sample) -> None:
    f, inputs = operation(name, sample)
    for at, x in enumerate(inputs):
        for place in range(len(f(*inputs))):

            def one(value: Any, at: int = at, place: int = place) -> Any:
                return f(*inputs[:at], value, *inputs[at + 1 :])[place]

            jacobian = rg.jacobian(one, mode="forward")(x)
            pattern = detect(one, x).toarray()
            assert not np.any(np.reshape(jacobian, pattern.shape)[~pattern])
