"""Loops: over ranges in either direction, over arrays, nested, triangular; while, break, continue, else."""

# ruff: noqa: B007, B905
# Written as people write.

from __future__ import annotations

import numpy as np
import pytest

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, positive, real

corpus = Corpus()


@corpus(real(6), 5, again=(real(9), 3))
def a_time_loop(u, steps):
    for _ in range(steps):
        u = np.tanh(1.5 * u)
    return u


@corpus(real(7), 4)
def stencil(u, steps):
    for t in range(steps):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2.0 * u[1:-1] + u[:-2]) * u[1:-1]
        u[0] = 0.5 * t


@corpus(real(7), real(7), 3)
def two_arrays(a, b, steps):
    for t in range(1, steps):
        b[1:-1] = 0.33 * (a[:-2] + a[1:-1] + a[2:])
        a[1:-1] = 0.33 * (b[:-2] * b[1:-1] + b[2:])


@corpus(real(6, 2), 3, again=(real(7, 2), 2))
def ranges_as_indices(x, n):
    y = x[range(n)] * x[range(1, n + 1), 0][:, None]
    y[range(2)] *= 3.0
    return y + x[range(2), range(2)]


@corpus(0.3, 5, again=(1.9, 40))
def returns_before_several_statements(x, n):
    t = 0.0
    for i in range(n):
        d = np.sin(t + x)
        if t > 2.5:
            return t * d
        t += 0.5 * d
    y = t * x
    if y > 0.2:
        y = y * 3.0
        return y * y
    z = y + 1.0
    return z


@corpus(0.3, 5, again=(2.9, 7))
def breaks_or_returns_before_several_statements(x, n):
    t = 0.0
    for i in range(n):
        d = np.sin(t + x)
        if d < 0.2:
            break
        t += 0.5 * d
        if t > 20.0:
            return 0.0
    y = t * x
    y = y * y
    return y


@corpus(real(6, 4), 0.7, exact=False)
def columns_below_the_diagonal(a, s):
    n, m = a.shape
    a = a.copy()
    for k in range(m):
        below = a[k:n, k]
        first = np.zeros(n - k)
        first[0] = 1
        direction = s * first + below
        a[k:n, k] = direction / np.linalg.norm(direction)
    return a[0:m]


@corpus(real(5, 3), 2, again=(real(4, 3), 3))
def tables_that_are_known(f, steps):
    shifts, weights = np.array([0, 1, -1]), np.array([0.5, 0.25, 0.25])
    for _ in range(steps):
        for i, shift, weight in zip(np.arange(3), shifts, weights):
            f[:, i] = np.roll(f[:, i], shift) * weight + f[:, shifts[i]] ** 2
        f[:, 0] += weights[[i, 0]].sum()


@corpus(positive(5), real(5))
def lists_that_are_repeated(b, d):
    n = len(b)
    x = [0.0] * n
    x[-1] = d[-1] / b[-1]
    for i in range(n - 2, -1, -1):
        x[i] = (d[i] - b[i] * x[i + 1]) * len(n * (0,))
    return x


@corpus(real(6), again=(real(2),))
def downwards(x):
    n = x.shape[0]
    for i in range(n - 2, -1, -1):
        x[i] = x[i] * x[i + 1] + 0.5 * i
    return x[0]


@corpus(real(9))
def with_a_step(x):
    s = 0.0
    for i in range(1, len(x), 3):
        s = s * x[i] + x[i - 1] * i
    for i in range(len(x) - 1, 2, -2):
        s += np.sin(x[i]) / i
    return s


@corpus(positive(5, 5) + 6 * np.eye(5), again=(positive(3, 3) + 4 * np.eye(3),))
def triangular(a):
    n = a.shape[0]
    for i in range(n):
        for j in range(i):
            a[i, j] -= a[i, :j] @ a[:j, j]
            a[i, j] /= a[j, j]
        for j in range(i, n):
            a[i, j] -= a[i, :i] @ a[:i, j]


@corpus(positive(4, 4) @ positive(4, 4).T + 4 * np.eye(4))
def factor(a):
    n = a.shape[0]
    a[0, 0] = np.sqrt(a[0, 0])
    for i in range(1, n):
        for j in range(i):
            a[i, j] -= np.dot(a[i, :j], a[j, :j])
            a[i, j] /= a[j, j]
        a[i, i] -= np.dot(a[i, :i], a[i, :i])
        a[i, i] = np.sqrt(a[i, i])


@corpus(real(3, 4), again=(real(5, 2),))
def nested(a):
    total = 0.0
    for i in range(a.shape[0]):
        row = 1.0
        for j in range(a.shape[1]):
            row *= a[i, j] + 0.1 * j
            if j > i:
                total += row * a[i, j]
        total -= row
    return total


@corpus(real(4, 3))
def over_rows(a):
    total = np.zeros(3)
    for row in a:
        total = total * 0.5 + row**2
    return total


@corpus(real(5), real(5))
def enumerated_and_zipped(x, y):
    s = 0.0
    for i, v in enumerate(x):
        s += v * i
    for a, b in zip(x, y):
        s = s + a * b * s
    for i, (a, b) in enumerate(zip(x, y), start=2):
        s += np.cos(a * b) / i
    for v in reversed(x):
        s = 0.9 * s + v
    for i in reversed(range(3)):
        s = s * x[i]
    return s


@corpus(real(4))
def over_known_things(x):
    s = 0.0
    for name, weight in [("a", 2.0), ("b", 0.5)]:
        s += weight * x[0] if name == "a" else weight * x[1] ** 2
    for weight in (1.0, -1.0, 3):
        s *= weight + x[2]
    for key, value in {"u": 1, "v": 2}.items():
        s += x[value] * len(key)
    return s


@corpus(positive(3), 1e-3)
def until_it_converges(x, tolerance):
    guess = np.ones(3)
    change = 1.0
    while change > tolerance:
        following = 0.5 * (guess + x / guess)
        change = np.max(np.abs(following - guess))
        guess = following
    return guess


@corpus(2.5)
def newton(a):
    x = a
    count = 0
    while abs(x * x - a) > 1e-10 and count < 50:
        x = 0.5 * (x + a / x)
        count += 1
    return x * count


@corpus(real(8), again=(-positive(3),))
def leaving_early(x):
    s = 0.0
    for i in range(x.shape[0]):
        if x[i] > 1.2:
            break
        if x[i] < -1.2:
            continue
        s += x[i] ** 2 * i
    return s


@corpus(real(8), again=(np.zeros(4),))
def found_or_not(x):
    where = -1
    for i in range(len(x)):
        if x[i] > 0.9:
            where = i
            value = x[i] * 2.0
            break
    else:
        value = x.sum()
    return value * where


@corpus(real(8), again=(positive(5),))
def returned_from_inside(x):
    for i in range(x.shape[0]):
        if x[i] < -0.7:
            return x[i] * x[0]
    return x.sum()


@corpus(real(5), 0, again=(real(5), 4))
def perhaps_empty(x, n):
    y = x * 2.0
    for i in range(n):
        y = y * x + i
    for i in range(3, 1):
        y = y * 0.0
    return y


@corpus(real(4), 6)
def growing_numbers(x, n):
    total = 0
    scale = 1
    for i in range(n):
        total += x[i % 4] * scale
        scale = scale / 2
        k = i // 2 - 1
        total = total + x[k] * k
    return total


@corpus(real(5), 7)
def swapping_arrays(u, steps):
    v = np.zeros_like(u)
    for _ in range(steps):
        v[1:] = u[:-1] * u[1:]
        v[0] = u[0] ** 2
        u, v = v, u
    return u.sum() + 2.0 * v[1]


@corpus(real(4), 5)
def allocating_inside(x, n):
    total = np.zeros(4)
    for i in range(n):
        buffer = np.empty_like(x)
        buffer[:2] = x[2:] * i
        buffer[2:] = total[:2]
        total += buffer * x
    return total


@corpus(real(6), 3)
def remembering(x, n):
    history = np.zeros((n + 1, 6))
    history[0] = x
    for t in range(n):
        history[t + 1] = np.sin(history[t]) * x
    return history[-1] @ history[1]


@corpus(positive(6))
def with_a_counter(x):
    i = 0
    s = 0.0
    while i < len(x) - 1:
        if x[i] > x[i + 1]:
            s += x[i] * x[i + 1]
            i += 2
        else:
            s -= x[i]
            i += 1
    return s


@corpus(real(4, 4))
def breaking_out_of_the_inner_one(a):
    total = 0.0
    for i in range(4):
        for j in range(4):
            if a[i, j] < -0.6:
                break
            total += a[i, j] * a[j, i]
        else:
            total *= 2.0
        if total > 5.0:
            break
    return total


@corpus(real(5))
def forever_until(x):
    s = x[0]
    k = 0
    while True:
        s = s * 0.5 + x[k]
        k += 1
        if k >= 4:
            break
    return s


@corpus(real(6), 3)
def the_index_afterwards(x, n):
    for i in range(n):
        x[i] = x[i] ** 2
    return x[i] * i


@corpus(real(4), 3)
def written_then_replaced(u, n):
    for i in range(n):
        u[0] = 1.0 + i
        u = u * 0.9
    return u


@corpus(real(5), 3)
def replaced_then_written(u, n):
    for _ in range(n):
        u = u * 0.9
        w = u
        w[1] += u[0]
    return u


@corpus(real(5), 4)
def a_buffer(u, n):
    new = np.empty_like(u)
    for _ in range(n):
        new[1:-1] = u[1:-1] * u[2:]
        new[0] = new[-1] = 0.5
        u[:] = new
    return u


@corpus(real(6), again=(real(9),))
def columns(x):
    total = sum(x) + max(x) * min(x)
    return total + sum(v * v for v in x)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
