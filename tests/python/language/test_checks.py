"""`raise` and `assert` on data, and names that have a value in some runs only: checks that the run makes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from language.corpus import Case, Corpus, check_gradients, check_text, check_values, positive, real
from retrograde.errors import UnsupportedError

corpus = Corpus()


@corpus(positive(5), 0.1, again=(positive(5, seed=3), 0.2))
def raises_early(x, least):
    if np.min(x) < least:
        raise ValueError("too small")
    elif x[0] > 100.0:
        message = "too large"
        raise OverflowError(message)
    total = 0.0
    for i in range(len(x)):
        total += np.log(x[i]) * x[i]
    return total


@corpus(positive(4), 9)
def raises_behind_a_loop_that_returns(x, most):
    for turn in range(most):
        x = np.tanh(x)
        if x.sum() < 2.0:
            return x, turn
    message = f"no end after {most}"
    raise RuntimeError(message)


@corpus(positive(5), 50.0, again=(positive(8), 40.0))
def raises_in_loop(x, most):
    total = 0.0
    for i in range(len(x)):
        if total > most:
            message = f"{total} at {i} is more than {most}"
            raise ValueError(message)
        total += x[i] * x[i]
        assert x[i] > 0, "positive numbers"
    return total


@corpus(positive(4), 1e-2)
def converges(x, tolerance):
    count = 0
    while np.sum(x * x) > tolerance:
        x = 0.5 * np.sin(x)
        count += 1
        if count > 20:
            raise RuntimeError("no convergence")
    return x


@corpus(positive(4), 1e-2)
def converges_else(x, tolerance):
    for _ in range(20):
        x = 0.5 * np.sin(x)
        if np.sum(x) < tolerance:
            break
    else:
        raise np.linalg.LinAlgError("no convergence")
    return x


def unit(x):
    length = np.sqrt(np.sum(x * x))
    if length == 0.0:
        raise ZeroDivisionError("a vector of zeros")
    return x / length


@corpus(positive(4), 3)
def raises_inside_a_call(x, turns):
    for _ in range(turns):
        x = unit(x) + 0.1 * x[::-1]
    return x


@corpus(real(4), 0.0, again=(-real(4), 2.0))
def other_side_raises(x, kind):
    if kind < 1.0:
        y = x * x
    elif kind < 3.0:
        y = np.exp(x)
    else:
        raise ValueError("kind")
    return y * x


@corpus(positive(6), positive(6, seed=2), again=(positive(3), positive(3, seed=2)))
def compares_shapes(x, y):
    if x.shape != y.shape:
        raise ValueError("shapes differ")
    assert y.shape == (len(x),)
    for i in range(len(x)):
        x[i] *= y[i]
    return x


@corpus(positive(6), 4, again=(positive(6), 5))
def last_of_a_loop(x, n):
    for i in range(n):
        y = x[i] * x[i]
    return y * x[i]


@corpus(positive(6), 1.0, again=(positive(6), 0.6))
def set_by_break(x, threshold):
    for i in range(len(x)):
        if x[i] > threshold:
            place = i
            pair = (x[i] * x, i)
            break
    return x[place] * pair[0]


@corpus(positive(6))
def one_behind(x):
    total = 0.0
    for i in range(len(x)):
        if i > 0:
            total += (x[i] - before) ** 2  # noqa: F821
        before = x[i] * x[i]  # noqa: F841
    return total


@corpus(positive(6), 0.6)
def set_by_while(x, threshold):
    while x[0] > threshold:
        y = x * x
        x = 0.9 * x
    return y


@corpus(positive(6), 5)
def whole_numbers(x, n):
    product, total = 1, 0.0
    for i in range(1, n + 1):
        product = product * i
        total += x[i] * product / i + x[0] * 2**i * 10**-i + (1 << i) * x[1] + x[2] * (10 // i) * (-1) ** i
    return total


def above(value, least):
    assert value > 0.0, "positive numbers"
    return value > least


@corpus(positive(6), 12, 18, again=(positive(6), 7, 3))
def conditions_that_check(x, a, b):
    while a % b != 0:
        a, b = b, a % b
    while above(x[0], 0.1):
        x = x * 0.5
    return x * b


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)


FAILING: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (raises_early, (positive(5), 1.0)),
    (raises_early, (100.0 * positive(5), 0.1)),
    (raises_in_loop, (-positive(5), 50.0)),
    (converges, (positive(4), -1.0)),
    (converges_else, (positive(4), -1.0)),
    (raises_inside_a_call, (np.zeros(4), 3)),
    (other_side_raises, (real(4), 4.0)),
    (compares_shapes, (np.ones(4), np.ones(5))),
    (last_of_a_loop, (np.ones(4), 0)),
    (set_by_break, (np.ones(4), 2.0)),
    (set_by_while, (np.ones(4), 2.0)),
    (conditions_that_check, (-np.ones(4), 12, 18)),
]


@pytest.mark.parametrize(("function", "arguments"), FAILING, ids=lambda part: getattr(part, "__name__", ""))
def test_the_run_raises_what_python_raises(function: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        function(*(np.copy(part) if isinstance(part, np.ndarray) else part for part in arguments))
    derivative = rg.vjp(function, backend="python")
    with pytest.raises(type(expected.value)) as caught:
        derivative(*arguments)
    assert str(caught.value) == str(expected.value).split("\n")[0]  # pytest adds lines to those of `assert`


@pytest.mark.parametrize("backend", ["python", "numba"])
def test_integers_that_grow_too_large_are_an_error(backend: str) -> None:
    def grows(x, n):
        product = 1
        for i in range(1, n + 1):
            product = product * i
        return x[0] * product

    def powers(x, n):
        for i in range(n):
            x[0] += x[1] / 2**i
        return np.sum(x)

    assert rg.grad(grows, backend=backend)(np.ones(2), 20)[0] == 2432902008176640000
    with pytest.raises(OverflowError, match=r"line \d+: .*64 bits.*write k = 1\.0"):
        rg.grad(grows, backend=backend)(np.ones(2), 30)
    with pytest.raises(OverflowError, match=r"write 2\.0 \*\* n"):
        rg.grad(powers, backend="python")(np.ones(2), 70)


@pytest.mark.parametrize("convert", [int, round, np.floor, math.ceil])
def test_what_is_no_integer_does_not_become_one(convert: Any) -> None:
    def binned(x):
        counts = np.zeros(4)
        for i in range(len(x)):
            counts[int(convert(np.log(x[i]))) % 4] += x[i]
        return counts @ counts

    derivative = rg.grad(binned, backend="python")
    assert derivative(np.array([1.5, 3.0]))[1] != 0.0
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"line \d+: NaN, an infinity or more"):
        derivative(np.array([1.5, -3.0]))


def test_division_of_integers_by_zero_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError, match="by zero"):
        rg.vjp(conditions_that_check, backend="python")(np.ones(4), 12, 0)


def test_integers_of_more_than_64_bits_are_refused() -> None:
    def hashed(x, n):
        state = 7
        for i in range(n):
            state = (state * 5 + 1) % 2**64
            x[i] *= state
        return np.sum(x)

    with pytest.raises(UnsupportedError, match=r"line \d+, in hashed: .*18446744073709551616.*uint64"):
        rg.grad(hashed)(np.ones(3), 3)


def test_numbers_of_the_run_stand_in_messages_by_their_source() -> None:
    with pytest.raises(ValueError, match=r"^\{total\} at \{i\} is more than \{most\}$"):
        rg.grad(raises_in_loop, backend="python")(np.ones(5), 2.0)

    def bounded(x, most):
        for i in range(len(x)):
            if x[i] > most:
                raise ValueError("too large", most, x[i])
        return np.sum(x)

    with pytest.raises(ValueError, match="too large") as caught:
        rg.grad(bounded, backend="python")(np.ones(5), 0.5)
    assert caught.value.args == ("too large", "{most}", "{x[i]}")


class NotPositiveError(ArithmeticError):
    """An exception of somebody's own."""


def test_exceptions_of_ones_own_are_raised_as_the_one_they_derive_from() -> None:
    def logarithms(x):
        for i in range(len(x)):
            if x[i] <= 0.0:
                raise NotPositiveError("x", i)
            x[i] = np.log(x[i])
        return np.sum(x)

    with pytest.raises(ArithmeticError, match=r"^NotPositiveError: x: \{i\}$"):
        rg.grad(logarithms, backend="python")(np.array([1.0, -1.0]))


def test_gradients_alone_check_as_well() -> None:
    with pytest.raises(RuntimeError, match="no convergence"):
        rg.grad(lambda x: np.sum(converges(x, -1.0)), backend="python")(np.ones(3))


@pytest.mark.parametrize("function", [raises_in_loop, set_by_break])
def test_compiled_code_raises(function: Any) -> None:
    arguments = (np.array([2.0, 1.0, 3.0]), 30.0 if function is raises_in_loop else 2.5)
    compiled, plain = (rg.vjp(function, backend=backend) for backend in ("numba", "python"))
    given = np.ones(3) if function is set_by_break else 1.0
    for one, other in zip(compiled(*arguments)[1](given), plain(*arguments)[1](given), strict=True):
        np.testing.assert_allclose(one, other)
    kind, message = (ValueError, "at") if function is raises_in_loop else (UnboundLocalError, "'place'")
    with pytest.raises(kind, match=message):
        compiled(arguments[0], 1.0 if function is raises_in_loop else 9.0)
    assert not rg.explain(compiled, *arguments).in_python


def test_checks_hold_inside_a_budget() -> None:
    def steps(x, turns, most):
        for _ in range(turns):
            x = np.sin(x) * 1.1
            if np.max(x) > most:
                raise FloatingPointError("it grew")
        return np.sum(x)

    x = np.linspace(0.1, 1.0, 200)
    budgeted = rg.grad(steps, budget="40 kB", backend="python")
    assert np.array_equal(budgeted(x, 100, 2.0), rg.grad(steps, backend="python")(x, 100, 2.0))
    with pytest.raises(FloatingPointError, match="it grew"):
        budgeted(x, 100, 0.5)


def test_the_text_reads_as_it_was_written() -> None:
    text = rg.source(rg.grad(raises_early), positive(5), 0.1)
    assert "if np.min(x) < least:\n        raise ValueError('too small')\n" in text
    assert "checks" not in text


def test_a_second_derivative_checks() -> None:
    def power(x, turns, most):
        y = 1.0
        for _ in range(turns):
            y = y * x
            assert y < most
        return y

    second = rg.grad(rg.grad(power, backend="python"), backend="python")
    np.testing.assert_allclose(second(2.0, 3, 10.0), 12.0)
    with pytest.raises(AssertionError):
        second(2.0, 3, 7.0)
