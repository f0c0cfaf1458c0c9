"""Random programs of reads, views, names and writes in place: NumPy's numbers with the right gradient, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UnsupportedError

Names = list[Any]


def _assign(names: Names, i: int, j: int, k: int) -> None:
    names[i][k % 2] = np.sum(names[j])


def _scale(names: Names, i: int, j: int, k: int) -> None:
    names[i] *= 0.5


def _add_to_row(names: Names, i: int, j: int, k: int) -> None:
    names[i][0] += np.sum(names[j])


def _rewrite(names: Names, i: int, j: int, k: int) -> None:
    names[i][...] = np.tanh(names[i])


def _named(function: Callable[[Any, Any], Any]) -> Callable[[Names, int, int, int], None]:
    def step(names: Names, i: int, j: int, k: int) -> None:
        names[k] = function(names[i], names[j])

    return step


_STEPS = [_assign, _scale, _add_to_row, _rewrite]
_STEPS += map(_named, [np.multiply, lambda p, q: np.sin(p), lambda p, q: p[::-1], lambda p, q: p.T, lambda p, q: p])
_STEPS += map(_named, [lambda p, q: np.maximum(p, 0.3 * p), lambda p, q: p + q[0]])


def _random_function(seed: int) -> Callable[[Any], Any]:
    random = np.random.default_rng(seed)
    steps = [(_STEPS[random.integers(len(_STEPS))], random.integers(0, 4, 3)) for _ in range(12)]

    def function(x: Any) -> Any:
        names = [x, x * 2.0, x.copy(), x + 1.0]
        for step, places in steps:
            step(names, *places)
        return sum(np.sum(np.tanh(name)) for name in names)

    return function


@pytest.mark.parametrize("start", range(0, 600, 50))
def test_right_or_refused(start: int) -> None:
    right = 0
    for seed in range(start, start + 50):
        function, random = _random_function(seed), np.random.default_rng(seed)
        x, direction = random.standard_normal((2, 2, 2)) * 0.5
        step = 1e-6 * direction
        try:
            value, gradient = rg.value_and_grad(function, backend="tape")(x.copy())
            _, tangent = rg.jvp(function, (x.copy(),), (direction,), backend="tape")
        except UnsupportedError:
            continue
        difference = (function(x + step) - function(x - step)) / 2e-6
        assert np.isclose(value, function(x.copy())), seed
        np.testing.assert_allclose(np.sum(gradient * direction), difference, rtol=1e-4, atol=1e-6, err_msg=f"{seed}")
        np.testing.assert_allclose(tangent, np.sum(gradient * direction), rtol=1e-9, atol=1e-12, err_msg=f"{seed}")
        right += 1
    assert right >= 10
