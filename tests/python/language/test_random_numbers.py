"""Random numbers: of generators made inside, and given as arguments."""

from __future__ import annotations

import numpy as np
import pytest

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, real

corpus = Corpus()


@corpus(real(4), 3)
def seeded(x, n):
    rng = np.random.default_rng(7)
    total = np.zeros(4)
    for _ in range(n):
        total = total * 0.5 + x * rng.standard_normal(4) + rng.normal(x[0], 0.5)
    return total


@corpus(real(5), np.random.default_rng(11))
def a_given_generator(x, rng):
    noise = rng.uniform(-2.0, x[0], size=x.shape)
    keep = rng.random(5) < 0.7
    return np.where(keep, x / 0.7, 0.0) * noise


@corpus(real(6), 5)
def drawn_integers(x, n):
    rng = np.random.default_rng(3)
    s = 0.0
    for _ in range(n):
        i = rng.integers(0, 6)
        s = s * 0.9 + x[i] ** 2
    order = rng.permutation(6)
    picked = rng.choice(x, 3, replace=False)
    return s * x[order] + picked.sum() + rng.choice(4)


@corpus(real(4))
def shuffled(x):
    rng = np.random.default_rng(1)
    rng.shuffle(x)
    y = rng.exponential(2.0, 4) * x
    if rng.random() < 0.5:
        y = y * rng.normal()
    return y + rng.integers(5, size=4)


@corpus(1.0, 50)
def walk(x, n):
    rng = np.random.default_rng(0)
    t = 0
    while x > 0.2 and t < n:
        x = x * (1.0 + 0.3 * rng.standard_normal())
        t += 1
    return x


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
