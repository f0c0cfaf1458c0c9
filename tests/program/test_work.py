"""Work and depth: polynomials that say what loops, triangular ones too, really do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde.rules  # noqa: F401  (declares the primitives)
from retrograde.program import PRIMITIVES, ProgramBuilder
from retrograde.program.polynomials import Polynomial
from retrograde.program.work import Work, work_and_depth

update = PRIMITIVES["update"]


def _work(code: Any) -> Work:
    builder = ProgramBuilder("code")
    x, a = builder.input("x", "float64", ("n",)), builder.input("a", "float64", ("n", "m"))
    return work_and_depth(builder.finish(out=code(builder, x, a)))


@pytest.mark.parametrize("power", range(5))
def test_sums_of_powers(power: int) -> None:
    atom, n = Polynomial.of("i"), Polynomial.of("n")
    product = Polynomial.number(1)
    for _ in range(power):
        product *= atom
    total = product.summed("i", n)
    for count in range(7):
        assert total.at({"n": count}) == pytest.approx(sum(i**power for i in range(count)))


def test_a_polynomial_as_text() -> None:
    n, m = Polynomial.of("n"), Polynomial.of("m")
    assert str(n * n * Polynomial.number(2) + m * n * Polynomial.number(-1) + n + -3) == "-m n + 2 n^2 + n - 3"
    assert str(Polynomial()) == "0"


def test_array_operations() -> None:
    assert str(_work(lambda b, x, a: a * 2.0 + 1.0)) == "work 2 m n, depth 2"
    assert str(_work(lambda b, x, a: x @ a)) == "work 2 m n, depth log2(n) + 1"
    assert str(_work(lambda b, x, a: np.sum(a, axis=0))) == "work m n, depth log2(m n)"
    assert str(_work(lambda b, x, a: a[1:, 2:].T)) == "work 0, depth 0"


def test_triangular_loops_are_counted_exactly() -> None:
    def code(b: Any, x: Any, a: Any) -> Any:
        n = x.shape[0]

        def row(i: Any, x: Any) -> Any:
            def inner(j: Any, x: Any) -> Any:
                x = b.loop(j, lambda k, x: update(x, k, x[i] * x[j] + x[k]), x)
                return update(x, j, x[:i] @ x[:i])

            return b.loop(n - i, inner, x)

        return b.loop(n, row, x)

    found = _work(code)
    for n in (1, 4, 9):
        counted = 0
        for i in range(n):
            counted += 1  # the count of the inner loop
            for j in range(n - i):
                counted += 3 * j + 2 * i + 1
        assert found.work.at({"n": n}) == pytest.approx(counted)


def test_loops_that_carry_follow_one_another_and_others_need_not() -> None:
    carrying = _work(lambda b, x, a: b.loop(x.shape[0], lambda i, x: np.tanh(x) * 2.0, x))
    assert str(carrying.depth) == "2 n"
    assert carrying.at({"n": 10, "m": 1}) == (200.0, 20.0)
    with pytest.raises(KeyError):
        carrying.at({"m": 1})


def test_branches_count_as_their_longer_side() -> None:
    found = _work(lambda b, x, a: b.branch(x[0] > 0.0, lambda: x * 2.0, lambda: np.tanh(x) * x + 1.0))
    assert str(found) == "work 3 n + 1, depth 4"


def test_unknown_numbers_of_iterations_have_names() -> None:
    found = _work(lambda b, x, a: b.while_loop(lambda i, x: x[0] > 1.0, lambda i, x: x * 0.5, x))
    assert str(found.work) == "n trips_i + 2 trips_i"
