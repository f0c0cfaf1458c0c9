"""Random programs on tapes with budgets and under checkpoints: the same gradients as without."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import BudgetError


def _written(a: Any, b: Any) -> Any:
    y = a * 1.0
    y[2:9] = np.sin(b[2:9])
    y[1:] *= 0.5
    return y


_OPERATIONS: tuple[Any, ...] = (
    lambda a, b: np.sin(a),
    lambda a, b: np.tanh(a * b),
    lambda a, b: a + 0.5 * b,
    lambda a, b: np.where(a > b, a, 0.5 * b),
    lambda a, b: a.reshape(8, -1).T.reshape(-1) * b,
    lambda a, b: np.concatenate([a[3:], b[:3]]),
    lambda a, b: a - np.mean(b),
    lambda a, b: np.exp(-a * a) * np.sum(a * b),
    lambda a, b: np.cumsum(a) / a.size,
    lambda a, b: np.repeat(a[::2], 2) * b,
    _written,
)


def _program(seed: int) -> Any:
    def function(*arrays: Any) -> Any:
        choose = random.Random(seed)
        present = [x * 1.0 for x in arrays]
        total: Any = 0.0
        for _ in range(choose.randint(10, 60)):
            made = choose.choice(_OPERATIONS)(choose.choice(present), choose.choice(present))
            total = total + np.sum(made * made) / 100.0 if choose.random() < 0.2 else total
            present.append(made)
            if len(present) > 5:
                present.pop(choose.randrange(len(present)))
        return total + sum(np.sum(x * x) for x in present[-2:])

    return function


def _peak_bytes(function: Any, arrays: Any) -> int:
    with rg.GradientTape(budget=1 << 40, strategy="store_all") as tape:
        watched = tape.watch(arrays)
        out = function(*watched)
    tape.gradient(out, watched)
    assert tape.memory is not None
    return tape.memory.peak_bytes


@pytest.mark.parametrize("seed", range(25))
def test_a_random_program(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    arrays = tuple(drawn.standard_normal(800) for _ in range(3))
    function, every = _program(seed), (0, 1, 2)
    value, gradients = rg.value_and_grad(function, every, backend="tape")(*arrays)
    most = _peak_bytes(function, arrays)
    met = 0
    for strategy, part in (("auto", 0.8), ("auto", 0.5), ("dtr", 0.6), ("random", 0.7), ("sqrt", None)):
        budget = None if part is None else int(part * most)
        try:
            found = rg.value_and_grad(function, every, budget=budget, strategy=strategy, backend="tape")(*arrays)
        except BudgetError:
            continue
        met += 1
        assert found[0] == value
        for one, other in zip(found[1], gradients, strict=True):
            np.testing.assert_array_equal(one, other)
    assert met >= 2
    cut = rg.grad(lambda *xs: rg.checkpoint(function)(*xs), every, backend="tape")(*arrays)
    for one, other in zip(cut, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
