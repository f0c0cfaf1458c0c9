"""Calls of other functions: inlined, recursive, closures, lambdas, defaults, keywords, methods of objects."""

from __future__ import annotations

import numpy as np
import pytest

import retrograde as rg
from language.corpus import Case, Corpus, check_gradients, check_text, check_values, real

corpus = Corpus()

SCALE = 3.0
TABLE = np.array([1.0, -2.0, 0.5])


def _square(x):
    return x * x


def _step(u, dt=0.1, *, rate):
    return u + dt * _square(u) * rate


def _write_first(a, value):
    a[0] = value
    a = a * 2.0
    return a


@corpus(real(4), 0.7)
def calling(u, rate):
    u = _step(u, rate=rate)
    return _step(u, 0.5, rate=_square(rate)).sum()


@corpus(real(4))
def writing_in_a_call(x):
    y = _write_first(x, x[1] * x[2])
    _write_first(y[1:], 4.0)
    return y * x[0]


@corpus(real(3))
def captured(x):
    return x * SCALE + TABLE * x**2


@corpus(real(4), 0.3)
def local_functions(x, a):
    def shifted(v, by=a):
        return v + by * x

    scale = 2.0
    double = lambda v: scale * v  # noqa: E731
    return double(shifted(x)) * shifted(x, by=1.0)


@corpus(real(3), 4)
def applying(x, n):
    functions = [np.sin, lambda v: v * v, np.tanh]
    for f in functions:
        x = f(x) + x
    pick = {"cos": np.cos}["cos"]
    return pick(x) * list(map(lambda v: v * 2.0, [x, x]))[1]


def _power(x, n):
    if n == 0:
        return np.ones_like(x)
    return x * _power(x, n - 1)


@corpus(real(3))
def recursion(x):
    return _power(x, 4)


def _tree_sum(x):
    n = x.shape[0]
    if n <= 1:
        return x[0] ** 2
    return _tree_sum(x[: n // 2]) * _tree_sum(x[n // 2 :])


@corpus(real(8))
def halving(x):
    return _tree_sum(x)


@corpus(real(2), real(2), real(2))
def variadic(a, b, c):
    def combine(first, *others, scale=1.0, **named):
        total = first
        for other in others:
            total = total * other + scale
        return total * named["last"]

    return combine(a, b, c, scale=2.0, last=a)


@corpus(real(4), 5)
def a_call_in_a_loop(u, n):
    def derivative(v, t):
        return -v * v + np.sin(t * 0.1)

    for t in range(n):
        k1 = derivative(u, t)
        k2 = derivative(u + 0.05 * k1, t)
        u = u + 0.1 * k2
    return u


class _Spring:
    def __init__(self, stiffness):
        self.stiffness = stiffness

    def force(self, x):
        return -self.stiffness * x


@corpus(real(3), 1.5)
def objects(x, k):
    spring = _Spring(k)
    v = np.zeros_like(x)
    for _ in range(3):
        v = v + 0.1 * spring.force(x)
        x = x + 0.1 * v
    return x


@corpus(real(5))
def early_return_in_a_call(x):
    def clipped(v):
        if v > 1.0:
            return 1.0 + 0.1 * v
        if v < -1.0:
            return -1.0
        return v

    total = 0.0
    for i in range(5):
        total += clipped(x[i]) * x[i]
    return total


@corpus(real(3), real(3))
def keywords(x, y):
    return np.sum(a=x * y, axis=0) + np.einsum("i,i", x, y) + np.linalg.norm(x=x, ord=2)


@corpus(real(6), 0.5, gradient=False)
def constants_of_functions(x, alpha, width=2):
    for _ in range(2):
        x = rg.nn.elu(x, alpha=alpha) + rg.nn.elu(x * width)
    return x


@corpus(real(4))
def with_assertions(x):
    """Has a docstring."""
    assert x.ndim == 1, "one axis"
    y: np.ndarray = x * 2.0
    z = y if isinstance(x, np.ndarray) else None
    pass
    return z


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
