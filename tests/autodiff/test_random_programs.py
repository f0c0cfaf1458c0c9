"""Random programs: simplified, reversed under every policy, and compared with Python's own run and with the tape."""

from __future__ import annotations

import numpy as np
import pytest
from random_programs import random_case

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.program.simplify import simplify


def _check(seed: int, rebuild: str) -> None:
    random = np.random.default_rng(seed)
    plain, program = random_case(seed)
    a, v = random.standard_normal((5, 5)), random.standard_normal(5)
    seeds = random.standard_normal((5, 5)), random.standard_normal(5), 1.3

    def weighted(a: object, v: object) -> object:
        return sum(np.sum(one * weight) for one, weight in zip(plain(a, v), seeds, strict=True))

    expected = plain(a, v)
    _, gradients = rg.value_and_grad(weighted, (0, 1), backend="tape")(a, v)
    policy = ResidualPolicy(rebuild)  # pyright: ignore[reportArgumentType]
    found = reverse(program, ["a", "v"], ["a", "v", "s"], policy=policy)(a, v, *seeds)
    for results in (program(a, v), simplify(program)(a, v), found[:3]):
        for one, other in zip(results, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    scale = max(1.0, *(np.max(np.abs(gradient)) for gradient in gradients))
    for one, other in zip(found[3:], gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10 * scale)


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed: int) -> None:
    _check(seed, ("cheap", "nothing", "everything")[seed % 3])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24, 400))
def test_many_random_programs(seed: int) -> None:
    for rebuild in ("cheap", "nothing", "everything"):
        _check(seed, rebuild)
