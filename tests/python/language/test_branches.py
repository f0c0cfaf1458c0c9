"""Branches and choices on data: if, elif, else, ternaries, and, or, not, chained comparisons, in."""

from __future__ import annotations

import numpy as np
import pytest

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, positive, real

corpus = Corpus()


@corpus(real(5), 0.3, again=(real(5, seed=3), -2.0))
def if_elif_else(x, a):
    if a > 0.5:
        y = x * a
    elif a > 0:
        y = x**2 * a
    else:
        y = x.sum() * np.ones_like(x) * a
    return y


@corpus(real(6))
def for_each_element(x):
    y = np.empty_like(x)
    for i in range(x.shape[0]):
        if x[i] > 0:
            y[i] = np.exp(x[i])
        else:
            y[i] = x[i] ** 2
            x[i] = 0.0
    return y


@corpus(1.2, 0.7, again=(0.2, 1.9))
def ternaries(a, b):
    c = a if a > b else b * 2.0
    d = a * b if c > 1.0 and not b > 1.0 else -c
    e = (1.0 if a < 0.5 else 2.0) * d
    return c + d * e


@corpus(0.7, 1.4, again=(-0.7, 0.2))
def logic(a, b):
    s = 0.0
    if 0.0 < a < b <= 2.0:
        s += a
    if a < 0 or b > 1.0:
        s += b * b
    if not (a > 1.0 or b < 1.0):
        s *= a
    both = a > 0.5 and b > 0.5
    if both:
        s = s * 3.0
    return s + (a or b) * (a and b)


@corpus(real(4), True, "exact", again=(real(4, seed=9), True, "exact"))
def flags(x, flag, mode):
    if flag:
        x = x * 2.0
    if mode == "exact":
        y = x**3
    elif mode in ("rough", "none"):
        y = x
    else:
        y = 0.0 * x
    if mode is not None and len(mode) > 3:
        y = y + 1.0
    return y


@corpus(real(5))
def nested_branches(x):
    s = x[0]
    if s > 0:
        if x[1] > s:
            s = s * x[1]
        else:
            s = s - x[1]
            if x[2] > 0:
                s *= 2.0
    else:
        t = s * x[3]
        s = t**2
    return s


@corpus(2.0, again=(-2.0,))
def early_return(a):
    if a < 0:
        return a * 3.0
    b = a * a
    if b > 3.0:
        return np.sin(b)
    return b


@corpus(real(4), again=(-positive(4),))
def written_in_one_branch(x):
    y = np.zeros(4)
    if x[0] > 0:
        y[1] = x[1] ** 2
        x[2] = 1.0
    y[0] = x[2] * 3.0
    return y


@corpus(real(3), 2, again=(real(3), 5), exact=False)
def whole_number_choices(x, k):
    if k == 2:
        s = x[0] * x[1]
    elif k % 2 == 1:
        s = x[2] ** k
    else:
        s = x.sum()
    if k != 3:
        s = s * k
    return s


@corpus(real(4), None, again=(real(4, seed=2), None))
def optional(x, weights=None):
    if weights is None:
        weights = np.ones(4)
    return (x * weights) @ x


@corpus(real(5))
def where_and_select(x):
    y = np.where(x > 0, x**2, -x)
    z = np.select([x < -1.0, x < 0.0], [x, 2.0 * x], x**3)
    return y + z + np.maximum(x, 0.2) * np.minimum(y, 0.9) + np.clip(x, -0.8, 0.8)


@corpus(real(5))
def by_the_largest(x):
    i = np.argmax(x)
    j = int(np.argmin(x))
    if i > j:
        return x[i] * x[j]
    return x[i] ** 2 - x[j]


@corpus(real(4), 3)
def different_in_each_iteration(x, n):
    state = 1.0
    for t in range(n):
        if t == 0:
            state = state * x[0]
        elif t % 2:
            state = state + x[1] * x[2]
        else:
            state = np.sin(state) * x[3]
    return state


@corpus(real(5), real(5))
def any_and_all(x, y):
    if np.any(x > 1.4) or (y > 0).all():
        return x @ y
    if np.all(np.abs(x) < 5.0):
        return (x * x * y).sum()
    return 0.0


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
