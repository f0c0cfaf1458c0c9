"""Assignment to elements, slices, strided parts, by integer arrays and masks, through views, chained and augmented."""

from __future__ import annotations

import numpy as np
import pytest

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, positive, real

corpus = Corpus()


@corpus(real(5), again=(real(9),))
def elements(x):
    y = np.zeros_like(x)
    y[0] = x[1] * x[2]
    y[-1] = np.sin(x[0])
    y[2] += x[3] ** 2
    y[2] *= 3.0
    y[1] -= y[2]
    return y


@corpus(real(4, 6), again=(real(6, 3),))
def slices(a):
    b = np.empty_like(a)
    b[:] = 1.0
    b[1:-1] = a[:-2] * a[2:]
    b[:, 0] = np.exp(a[:, 1])
    b[-1, 1:] += a[0, :-1]
    b[0] /= 2.0
    return b


@corpus(real(8))
def strided(x):
    y = x.copy()
    y[::2] = x[1::2] ** 2
    y[1::2] += x[::2]
    y[::-1] *= np.arange(8.0)
    y[6:1:-2] = 0.5 * y[:3]
    return y


@corpus(real(6), np.array([4, 0, 4, 2]))
def by_integers(x, places):
    y = np.zeros(7)
    y[places] = x[places] * 2.0
    y[places] += x[1]
    np.add.at(y, places, x[:4] ** 2)
    y[[0, 1]] -= x[[2, 3]]
    return y


@corpus(real(7), again=(real(4),))
def by_mask(x):
    y = x * x
    y[x > 0] = 3.0 * x[x > 0]
    y[x < 0] *= x[x < 0]
    y[np.abs(x) > 1.0] += 0.5
    mask = np.logical_and(x > -1.0, y > 1.0)
    y[mask] = np.sqrt(y[mask])
    return y


@corpus(real(5, 5))
def by_two_integer_arrays(a):
    i = np.arange(5)
    a[i, i] = a[i, i] ** 2
    a[i, (i + 1) % 5] += np.cos(a[(i + 2) % 5, i])


@corpus(real(6), real(6), real(6))
def chained(a, b, c):
    a[1:] = b[:-1] = c[1:] * a[:-1]
    x = y = a * 2.0
    x[0] = 7.0
    return y[0] + y.sum() * b[0]


@corpus(real(6), again=(real(3),))
def chained_over_itself(x):
    x = x * 2.0
    x[1:] = x[:-1] = x[1:]
    return x


@corpus(real(3), real(3))
def chained_into_results(x, y):
    x, y = x[[2, 0, 1]], 2.0 * y
    x[1:] = y[:-1] = np.sin(y[1:])
    return x


@corpus(real(4, 3), again=(real(3, 7),))
def through_a_row(a):
    row = a[1]
    row += a[0] ** 2
    row[1] = 4.0 * a[2, 0]
    last = row[1:]
    last *= 2.0
    a[0] += 1.0
    other = a[0]
    a[0, 0] = 0.25
    return other[0] * row.sum()


@corpus(real(3, 4))
def through_a_transpose(a):
    t = a.T
    t[1] = a[:, 0] * 3.0
    t[2:, 1] += 1.0
    flat = a.reshape(-1)
    flat[2:5] = np.sin(flat[5:8])
    column = a[:, 3]
    column *= column
    return t[3].sum()


@corpus(real(4, 4))
def through_views_of_views(a):
    block = a[1:3, 1:3]
    corner = block[0]
    corner[:] = corner * a[0, 0]
    block[1, 1] += corner[0]
    b = a[::2][:, 1:]
    b[0] = b[1] * 2.0
    return (block * block).sum()


@corpus(real(3, 2, 2))
def loop_of_views(stack):
    total = 0.0
    for k in range(stack.shape[0]):
        page = stack[k]
        page[0] *= page[1]
        total += page[0, 0] * k
    return total


@corpus(real(5), real(5))
def overlapping(x, y):
    x[1:] = x[:-1] * 2.0
    y[1:] += y[:-1]
    x[:-1], y[1:] = y[1:] * 1.5, x[:-1] * y[1:]
    x[::-1] = x * y


@corpus(real(5), real(5))
def swapped(x, y):
    x, y = y, x
    x[0] = 3.0 * y[1]
    a, b = x[1], x[2]
    x[1], x[2] = b, a
    return x @ y


@corpus(positive(3, 3))
def written_whole(a):
    b = np.ones((3, 3))
    b[...] = a
    b[:] = b @ a
    b[:, :] *= 2.0
    a[...] = np.log(b)
    return b


@corpus(real(4), real(4), 3.0)
def out_and_where(x, y, factor):
    z = np.empty(4)
    np.multiply(x, y, out=z)
    np.add(z, factor, out=z)
    np.exp(x, out=x)
    np.copyto(y, z, where=z > 0)
    np.maximum(z, 0.1, out=y)
    return z


@corpus(real(4).astype(np.float32), real(4), gradient=False)
def narrow(x, y):
    x += y
    x[1:] = y[:-1] * 2.0
    x[0] += 1
    x *= 2
    return x * 0.5


@corpus(np.arange(6), real(6))
def whole_numbers(counts, x):
    counts[2] += 3
    counts //= 2
    counts[counts > 1] -= 1
    y = x[counts]
    return y * counts


@corpus(real(3, 3))
def filled(a):
    a.fill(2.0)
    np.fill_diagonal(a, 5.0)
    b = a.copy()
    b.flat[1] = 9.0
    b.sort(axis=0)
    return b


@corpus(real(6))
def aliases(x):
    y = x
    z = y[2:]
    y[3] = z[0] * z[1]
    w = z.copy()
    z[0] = 10.0
    w[1] *= 2.0
    return x[2] + w.sum() + z.sum()


@corpus(real(5), real(5, seed=2), 3, again=(real(4), real(4, seed=2), 2))
def arguments_change_places(a, b, steps):
    for _ in range(steps):
        b[1:-1] = a[:-2] * a[2:]
        a, b = b, a
        a[0] += 1.0
    return a @ b


@corpus(real(5), real(5, seed=2), real(5, seed=3), 4, again=(real(5), real(5, seed=2), real(5, seed=3), 5))
def arguments_go_round(a, b, c, steps):
    old = b
    for _ in range(steps):
        c[1:] = a[:-1] * b[1:]
        a, b, c = b, c, a
    return old * a


@corpus(positive(5), positive(5, seed=2), 0.3, again=(positive(5), positive(5, seed=2), 0.1))
def arguments_change_places_while(a, b, least):
    while np.max(a) > least:
        b[...] = 0.5 * np.sin(a)
        a, b = b, a


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
