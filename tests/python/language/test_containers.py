"""Tuples, lists and dicts of arrays; comprehensions; results and arguments put together of them."""

# ruff: noqa: B905
# Written as people write.

from __future__ import annotations

import numpy as np
import pytest

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, real

corpus = Corpus()


@corpus(real(3), real(3))
def tuples(a, b):
    pair = (a * 2.0, b)
    first, second = pair
    (u, v), w = (first, second), pair[0]
    c, *rest = [u, v, w]
    return c, rest[0] * rest[1], {"w": w, "n": [a + b]}


@corpus({"w": real(3, 3), "b": real(3)}, real(3))
def parameters(params, x):
    hidden = np.tanh(params["w"] @ x + params["b"])
    scaled = {name: value * 2.0 for name, value in params.items()}
    return hidden @ scaled["b"]


@corpus([real(3, 4), real(4, 2)], [real(4), real(2)], real(5, 3))
def layers(weights, biases, x):
    for w, b in zip(weights, biases):
        x = np.maximum(x @ w + b, 0.1)
    return (x**2).sum(axis=0)


@corpus(real(4))
def appended(x):
    parts = []
    for k in range(3):
        parts.append(x * (k + 1))
    parts[1] = parts[0] * parts[2]
    parts += [x]
    extra = parts.pop()
    return np.stack(parts).sum(axis=0) + extra + len(parts)


@corpus(real(5))
def comprehensions(x):
    squares = [x[i] ** 2 for i in range(5)]
    odd = [s for i, s in enumerate(squares) if i % 2]
    table = {i: s * 2.0 for i, s in enumerate(odd)}
    total = sum(squares) + sum(v for v in table.values())
    return total * max(squares) * min(odd)


@corpus(real(4), 6)
def a_list_in_a_loop(x, n):
    state = [x, np.ones(4)]
    for _ in range(n):
        state[0] = state[0] * 0.5 + state[1]
        state[1] = state[1] * x
    d = {"u": x, "count": 0}
    for t in range(n):
        d["u"] = np.sin(d["u"]) * t
        d["count"] += 1
    return state[0] * d["u"] + d["count"]


@corpus((real(3), (real(2), 2.0)))
def nested_arguments(state):
    a, (b, c) = state
    b[0] = c * a[0]
    a *= 2.0
    return a.sum() + b.sum() * c


@corpus([real(3), real(3)])
def written_in_a_list(arrays):
    arrays[0][1] = arrays[1][0] * arrays[1][2]
    for a in arrays:
        a += 1.0
    return arrays[0] @ arrays[1]


@corpus(real(3, 4))
def slices_of_lists(a):
    rows = [a[i] for i in range(3)]
    rows[0][1] = 5.0
    picked = rows[1:] + rows[:1]
    return sum(r * (k + 1) for k, r in enumerate(picked)) * rows[0][1]


@corpus(real(4))
def returning_a_dict(x):
    return {"sum": x.sum(), "parts": (x[:2], [x[2:] * 2.0]), "count": 3, "name": None}


@corpus(real(6), gradient=True)
def dictionaries(x):
    d = dict(a=x[0], b=x[1:3])
    d.update(c=x[3:] * 2.0)
    if "c" in d and "z" not in d:
        d["a"] = d["a"] * d.get("z", 3.0)
    keys = sorted(d)
    return d["a"] * len(keys) + d["b"].sum() * d["c"][0]


@corpus(real(3), real(3), real(3))
def swapping_in_tuples(a, b, c):
    a, b, c = b * c, c + a, a
    (a, b), c = (b, a), c * a
    return a - b * c


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
