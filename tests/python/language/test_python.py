"""What Python has besides: imports inside, nonlocal, match, itertools, math, keys of max, patterns of calls."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, positive, real
from retrograde.errors import UnsupportedError
from retrograde.python.reading import read

corpus = Corpus()


@corpus(positive(4), 3)
def imports_inside(x, n):
    from math import pi, sqrt

    import numpy.linalg as la

    for _ in range(n):
        x = np.sin(x) * sqrt(2.0) + pi
    return la.norm(x)


@corpus(positive(5), 3)
def counts_calls(x, n):
    calls, total = 0, 0.0

    def cost(y):
        nonlocal calls, total
        calls += 1
        if y[0] > 1.0:
            total += y[1]
        return np.sum(y * y)

    def twice(y):
        return cost(cost(y) * y)

    for i in range(n):
        twice(x * i + x)
    return calls * total


@corpus(real(4))
def sets_names_that_others_read(x):
    total = 0.0

    def scaled():
        return total * x[3]

    def twice():
        return scaled() * 2.0

    def halve():
        nonlocal total
        total = total / 2.0 + scaled()

    def add(value):
        nonlocal total
        if value > 0.0:
            total = total + value * value

        def square():
            nonlocal total
            total = total * total + twice()

        square()
        halve()
        total = total + 1.0
        return twice()

    return add(x[0]) + add(x[1]) * scaled() + total


@corpus(real(4), 0)
def sets_names_where_conditions_read_them(x, n):
    for i in range(n):
        last = x[i] * 2.0
    return x[0] * last if n > 0 and last < 100.0 else x[1]


def stepped(x, kind):
    match kind:
        case "sin" | "s":
            return np.sin(x)
        case ("power", exponent):
            return x**exponent
        case {"scale": float(scale), "shift": shift}:
            return x * scale + shift
        case [first, *others] if len(others) > 1:
            return x * first + sum(others)
        case None:
            return x
        case _:
            return x * 2.0


@corpus(positive(3))
def matches(x):
    kinds = ["s", ("power", 2), {"scale": 2.0, "shift": x[0]}, [x[1], 2.0, x[2]], range(2, 5), [1.0], None]
    for kind in kinds:
        x = x + stepped(x, kind)
    return x


@dataclass
class Point:
    a: Any
    b: Any


@corpus(positive(6))
def matches_numbers_of_the_run(x):
    total = 0.0
    for i in range(len(x)):
        match i:
            case 0:
                total += x[i]
            case 1 | 3:
                total += x[i] ** 2
            case n if n % 2 == 0:
                total += x[i] * n
            case _:
                total += 1.0
    match Point(x[0], 2):
        case Point(a=one, b=2):
            total *= one
    return total


@corpus(positive(4), 11, again=(positive(4), 64))
def integer_methods(x, n):
    padded = np.zeros(1 << (len(x) + n - 1).bit_length())
    padded[: len(x)] = x
    return np.sum(padded**2) * n.bit_length() + x[0] * len(padded)


@corpus(real(5))
def keys_of_extremes(x):
    pairs = [(x[i], i * x[i]) for i in range(5)]
    largest = max(pairs, key=lambda pair: pair[0] ** 2)
    return largest[1] + min(x, key=abs) + max(3, 5, key=lambda k: -k) * x[0] + max([], key=abs, default=x[1])


SCALE = 3.0


def scaled(v):
    return lambda: v * SCALE


@corpus(positive(3))
def lambdas_of_comprehensions(x):
    makers = [scaled(x[SCALE]) for SCALE in range(3)]
    x = x + makers[0]() * makers[2]()
    last = [lambda v: v * i for i in range(3)]  # noqa: B023
    own = [lambda v, k=i: v * k + len(own) for i in range(3)]
    return last[0](x) + own[1](x) + sum(f(x) for f in [lambda v: v + i for i in range(2)])  # noqa: B023


@corpus(positive(3), 2)
def keys_by_number(x, n):
    layers = {"w0": x, "w1": 2.0 * x, "w2": x * x}
    for i in range(n + 1):
        x = x * layers["w" + str(i)] + layers[f"w{i}"] * layers["w%d" % i]  # noqa: UP031
    return x


@corpus(positive(5), 2)
def iterators(x, n):
    total = sum(a * b for a, b in itertools.pairwise(x))
    total += sum(a * b for a, b in itertools.combinations(list(x[:3]), 2))
    total += sum(a * b for a, b in itertools.product([x[0], x[1]], repeat=2))
    total += sum(itertools.chain([x[0]], x[1:3])) + sum(itertools.islice(x, n))
    total += list(itertools.accumulate([x[0], x[1], x[2]], lambda a, b: a * b))[-1]
    return total + sum(itertools.starmap(pow, [(x[3], 2), (x[4], 3)]))


@corpus(positive(2, 3), positive(2, 3, seed=2), again=(positive(3, 2), positive(3, 2, seed=2)))
def indices_of_all_axes(x, y):
    total = 0.0
    for i, j in np.ndindex(x.shape):
        total += x[i, j] * y[i, j] ** (i + 1)
    for (i, j), value in np.ndenumerate(x):
        total += value * y[i, j] * j
    for a, b in zip(x, y, strict=True):
        total += a @ b
    return total


@corpus(positive(5), 5, exact=False)
def functions_of_math(x, n):
    total = math.erf(x[0]) + math.erfc(x[1]) + math.gamma(x[2]) + math.lgamma(x[3])
    total += math.hypot(x[0], x[1], x[2]) + math.dist(x[:2], x[2:4]) + math.fsum(x)
    if math.isclose(x[0], x[0] + 1e-12) and not math.isclose(x[0], 2.0 * x[0]):
        total *= x[4]
    return total * math.comb(n, 2) * math.factorial(3) + math.gcd(n, 10)


@corpus(positive(4), positive(4, 4))
def written_by_out(x, a):
    y = np.empty(4)
    for _ in range(2):
        np.dot(a, x, out=y)
        np.clip(y, 0.2, 4.0, out=y)
        x = x + np.r_[y[:2], x[0], 1.0] * np.c_[x, y][:, 1]
    return x


@corpus(positive(5), 3, again=(positive(6), 2))
def slices_and_defaults(x, n):
    part = slice(None, n)
    parts = {"a": x[part]}
    parts.setdefault("b", x[1])
    for _ in range(2):
        x[part] = x[part] * x[:n][::-1]
    if x[0] > 100.0:
        warnings.warn("large", stacklevel=1)
    return np.sum(parts["a"]) * parts.get("b", x[0]) + parts.get("c", x[2])


@np.vectorize
def clipped_product(a, b):
    if a * b > 1.0:
        return a - b
    return a * b


@corpus(positive(40), positive(40, seed=2), again=(positive(50), positive(50, seed=2)))
def calls_for_each_element(x, y):
    bent = np.vectorize(lambda v, scale: v * v if v > 1.0 else scale * np.sin(v), otypes=[float])
    for _ in range(2):
        x = bent(x, 2.0) + clipped_product(np.outer(x[:3], x), y)[1]
    return clipped_product(x[0], x[1]) * bent(x, y[0])


@corpus(positive(5))
def loops_under_errstate(x):
    with np.errstate(all="ignore"):
        for i in range(len(x)):
            if x[i] > 1.0:
                x[i] = np.log(x[i])
            y = x * 2.0
    return y


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)


def test_zip_of_other_lengths_is_an_error() -> None:
    def dot(x, y):
        total = 0.0
        for a, b in zip(x, y, strict=True):
            total += a * b
        return total

    assert read(dot, (np.ones(3), np.ones(3))).program(np.ones(4), np.ones(4)) == (4.0,)
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is shorter or longer than argument 1"):
        read(dot, (np.ones(3), np.ones(4))).program(np.ones(3), np.ones(4))


def test_integers_of_numpy_have_no_bit_length() -> None:
    with pytest.raises(AttributeError, match="bit_length"):
        read(lambda k: k[0].bit_length(), (np.ones(3, int),))


def test_strings_of_r_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"np\.r_.*np\.concatenate"):
        read(lambda x: np.r_["r", x], (np.ones(3),))


def test_vectorized_functions_are_refused_where_they_give_several_values() -> None:
    with pytest.raises(UnsupportedError, match=r"line \d+.*np\.vectorize.*write a loop"):
        read(lambda x: np.vectorize(lambda v: (v, v))(x), (np.ones(3),))
    with pytest.raises(UnsupportedError, match=r"line \d+.*signature.*write a loop"):
        read(lambda x: np.vectorize(np.sum, signature="(n)->()")(x), (np.ones((3, 2)),))


def test_names_of_other_functions_are_refused_where_they_would_be_stale() -> None:
    def counts_in_loop(x):
        total = 0.0

        def shown():
            return total

        def add():
            nonlocal total
            for value in x:
                total = total + value * shown()
            return total

        return add()

    def makes_counter(x):
        def make():
            total = 0.0

            def add(value):
                nonlocal total
                total = total + value
                return total

            return add

        return make()(x[0])

    with pytest.raises(UnsupportedError, match=r"line \d+.*'total' is `nonlocal`, and is set by way of a loop"):
        read(counts_in_loop, (np.ones(3),), {})
    with pytest.raises(UnsupportedError, match=r"line \d+.*'total' is `nonlocal`, and the call .* is over"):
        read(makes_counter, (np.ones(3),), {})
