"""Sums in lanes: what they are, and that their bits depend on the elements and their number alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograde.python.backends import runnable
from retrograde.python.compiling import compile_text
from retrograde.python.compiling.lanes import SUMS
from retrograde.python.reading import read

_ALL = """def every_sum(x, y, turned, columns, others, row, n):
    return (
        row_sum(x, (row, 1), n),
        sum_along(columns, (1, row), (1, 0), n),
        product_sum(x, (row, 1), y, (2, 0), n),
        product_sum_backward(x, (row, 1), turned, (2, turned.shape[1] - 1), n),
        product_sum_along(x, (row, 1), (0, 1), others, (0, 2), (1, 0), n),
    )
"""


@pytest.fixture(scope="module")
def every_sum() -> Any:
    """The five functions, compiled together."""
    return compile_text(_ALL, ["every_sum"], namespace=SUMS).every_sum


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_are_right_and_do_not_depend_on_how_elements_lie(every_sum: Any, dtype: Any) -> None:
    random = np.random.default_rng(1)
    x, y = random.standard_normal((2, 5, 160)).astype(dtype)
    turned, columns, others = y[:, ::-1].copy(), x.T.copy(), y.T.copy()
    for count in [-2, *range(70), 130, 159]:
        given = (x, y, turned, columns, others, 3, count)
        found = every_sum(*given)
        kept = max(count, 0)
        ones, products = x[3, 1 : 1 + kept], x[3, 1 : 1 + kept] * y[2, :kept]
        assert found[0] == found[1]
        assert found[2] == found[3] == found[4]
        near = 1e-12 if dtype is np.float64 else 1e-4
        np.testing.assert_allclose(found[0], np.sum(ones, dtype=np.float64), atol=near)
        np.testing.assert_allclose(found[2], np.sum(products, dtype=np.float64), atol=near)
        np.testing.assert_allclose(found, _as_python(*given), atol=near)


def _as_python(*given: Any) -> Any:
    namespace: dict[str, Any] = dict(SUMS)
    exec(_ALL, namespace)
    return namespace["every_sum"](*given)


def test_sums_leave_loops_that_do_other_work() -> None:
    def mixed(x: Any, y: Any, a: Any) -> Any:
        total = 0.0
        for i in range(a.shape[0]):
            x = x * y
            total = total + np.sum(x * a[i]) + np.dot(x[::-1], a[:, 0]) + np.sum(np.tanh(x))
        return total + np.sum(np.sum(a * a, axis=1))

    random = np.random.default_rng(2)
    given = (random.standard_normal(21), random.standard_normal(21), random.standard_normal((21, 21)))
    program = read(mixed, given, {}).program
    made = runnable(program, "numba")
    assert not made.reasons
    for call in ("row_sum(", "product_sum_along(", "product_sum("):
        assert call in made.text
    np.testing.assert_allclose(made.run(*given), program(*given), rtol=1e-12)
