"""Ufuncs called with options, and their methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import agrees

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError

M = np.random.default_rng(2).uniform(-1.5, 1.5, (3, 4))
V = M[0]
MASK = M > 0


def _filled(ufunc: Any, **options: Any) -> Any:
    """A function that has the ufunc write into an array, which it made of its operand."""

    def function(x: Any) -> Any:
        out = 2.0 * x
        result = ufunc(x, 0.5, out=out, **options)
        assert result is out
        return out * x

    return function


_METHODS: list[Any] = [
    lambda x: np.add.reduce(x),
    lambda x: np.add.reduce(x, axis=1, keepdims=True, initial=2.0),
    lambda x: np.add.reduce(x, axis=None, where=MASK),
    lambda x: np.multiply.reduce(x, axis=(0, 1)),
    lambda x: np.maximum.reduce(x, axis=1),
    lambda x: np.minimum.reduce(x, 0, initial=0.3),
    lambda x: np.add.reduce(x, dtype=complex),
    lambda x: np.logaddexp.reduce(x, axis=1),
    lambda x: np.logaddexp.reduce(x, axis=(0, 1), keepdims=True),
    lambda x: np.add.accumulate(x),
    lambda x: np.multiply.accumulate(x, axis=1),
    lambda x: np.add.accumulate(x, 1, dtype=complex),
    lambda x: np.multiply.outer(x, V),
    lambda x: np.subtract.outer(V, x),
    lambda x: np.arctan2.outer(x[0], [1.0, 2.0]),
    lambda x: np.power.outer(2.0, x),
    lambda x: np.add(x, x, dtype=np.complex128),
    lambda x: np.multiply(x, np.arange(4), dtype=np.float64),
    lambda x: np.sin(x, dtype=np.complex128),
    lambda x: np.add(x, 1, casting="same_kind", order="C"),
    _filled(np.add),
    _filled(np.multiply, where=MASK),
    _filled(np.hypot, dtype=np.float64),
    _filled(np.maximum, casting="unsafe"),
]


@pytest.mark.parametrize("function", _METHODS)
def test_methods_and_options(function: Any) -> None:
    agrees(function, M)


def test_running_extrema() -> None:
    agrees(lambda x: np.maximum.accumulate(x, axis=1), M, programs=False)
    agrees(lambda x: np.minimum.accumulate(x), M, programs=False)
    x = np.array([1.0, 3.0, 3.0, 2.0])
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.maximum.accumulate(x)))(x), [1, 1, 2, 0])
    with pytest.raises(UnsupportedError, match=r"maximum\.accumulate in a program"):
        agrees(np.maximum.accumulate, M)


def test_results_of_reductions_written_into_an_array() -> None:
    def function(x: Any) -> Any:
        out = 0.0 * x[0]
        np.add.reduce(x, axis=0, out=out)
        total = np.add.accumulate(x, axis=0, out=0.0 * x)
        return out * total

    agrees(function, M)


def test_additions_at_an_index() -> None:
    def function(x: Any) -> Any:
        out = x * x
        np.add.at(out, [0, 2, 0], np.sin(x))
        np.subtract.at(out, (slice(None), 1), 0.5)
        return out

    agrees(function, M, programs=False)
    agrees(lambda x: function(x), M[:, :3] * 2, programs=False)


def test_unbuffered_operations_that_are_refused() -> None:
    for message, asked in {
        r"numpy\.multiply\.at has no derivative rule": lambda x: np.multiply.at(x, [0], 2.0),
        r"written into a ndarray": lambda x: np.add.at(np.zeros(3), [0], x[0, 0]),
        r"numpy\.arctan2\.accumulate has no derivative rule": lambda x: np.arctan2.accumulate(x),
        r"numpy\.arctan2\.reduce has no derivative rule": lambda x: np.arctan2.reduce(x),
        r"what it gives elsewhere is not defined; give an `out` that is tracked": lambda x: np.sin(x, where=MASK),
        r"numpy\.modf with out has no derivative rule": lambda x: np.modf(x, out=(0.0 * x, 0.0 * x)),
        r"numpy\.divmod with dtype has no derivative rule": lambda x: np.divmod(x, 2.0, dtype=np.float64),
        r"numpy\.sin was asked to write into an existing array \(ndarray\)": lambda x: np.sin(x, out=np.zeros((3, 4))),
        r"numpy\.nextafter has no derivative rule": lambda x: np.nextafter(x, 1.0),
        r"numpy\.spacing has no derivative rule": lambda x: np.spacing(x),
    }.items():
        with pytest.raises(UnsupportedError, match=message):
            rg.grad(asked, backend="tape")(M)


def test_a_plain_result_written_into_a_tracked_array() -> None:
    def function(x: Any) -> Any:
        out = x * x
        np.exp(V, out=out[0] if isinstance(x, np.ndarray) else (out := x[0] * x[0]))
        return np.sum(out)

    np.testing.assert_array_equal(rg.grad(function, backend="tape")(M), np.zeros((3, 4)))


def test_results_that_do_not_fit_into_an_array_are_refused() -> None:
    with pytest.raises(UsageError, match="a complex128 result was to be written into a float64 array"):
        rg.grad(lambda x: np.sum(np.multiply(x, 1j, out=0.0 * x)), backend="tape")(M)
    with pytest.raises(ValueError, match="could not broadcast"):
        rg.grad(lambda x: np.sum(np.add(x, np.ones((2, 3, 4)), out=0.0 * x)), backend="tape")(M)
