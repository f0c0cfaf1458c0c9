"""Columns that loops write or read become rows, where that is certain to change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retrograde.python.lowering import lower
from retrograde.python.nests import nests_of
from retrograde.python.reading import read


def above_the_diagonal(a, b):
    for j in range(a.shape[0]):
        g = 2.0 * a[j, j]
        a[:j, j] += g * b[:j]
    return a


def beside_a_block(a, b):
    for i in range(a.shape[0]):
        for j in range(a.shape[0] - 1, i - 1, -1):
            g = a[i, j] * b[j]
            a[:i, j] += g * b[:i]
    return a


def set_from_a_row(a, b):
    for j in range(a.shape[1]):
        a[:, j] = b[j]
    return a


def from_the_column_before(a, b):
    for j in range(1, a.shape[0]):
        g = a[0, j - 1] + b[j]
        a[:, j] += g * b
    return a


def from_the_diagonal_of_all(a, b):
    for j in range(a.shape[0]):
        g = a[j, j]
        a[:, j] += g * b
    return a


def read_by_the_next(a, b):
    total = 0.0
    for j in range(a.shape[0]):
        g = b[j] * total
        a[:, j] += g * b
        total = total + a[1, j]
    return a


def read_down_columns(a, b):
    out = np.zeros_like(b)
    for i in range(a.shape[0]):
        for j in range(i):
            g = b[j] * out[j] + 1.0
            out[:j] += g * a[:j, j]
            b[i] = b[i] + out[i] * np.sum(a[:i, j])
    return out, b


def read_and_written(a, b):
    for i in range(a.shape[0]):
        for j in range(i):
            b[:j] += b[j] * a[:j, j]
        a[i, 0] = b[i]
    return a, b


def checked(function: Callable[..., Any], size: int) -> str:
    """The text of a function, run as Python beside its program."""
    random = np.random.default_rng(size)
    given = (random.standard_normal((size, size)), random.standard_normal(size))
    program = read(function, given, {}).program
    nests = nests_of(lower(program))
    namespace: dict[str, Any] = dict(nests.namespace)
    exec(compile(nests.text, "<nests>", "exec"), namespace)
    wanted = program(*given)
    for found, value in zip(namespace[nests.driver](*given), wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-12)
    return nests.text


@pytest.mark.parametrize("size", [2, 3, 6])
@pytest.mark.parametrize("function", [above_the_diagonal, beside_a_block, set_from_a_row])
def test_columns_are_written_row_by_row(function: Callable[..., Any], size: int) -> None:
    text = checked(function, size)
    assert "at(j)] = a[" not in text
    assert re.search(r"for (v\w*) in range.*\n +a\[at\(k\w+\), at\(.*\1.*\)\] = ", text)


@pytest.mark.parametrize("size", [2, 3, 6])
@pytest.mark.parametrize("function", [from_the_column_before, from_the_diagonal_of_all, read_by_the_next])
def test_columns_that_other_iterations_read_are_left(function: Callable[..., Any], size: int) -> None:
    text = checked(function, size)
    assert "at(j)] = a[" in text


@pytest.mark.parametrize("size", [2, 3, 6])
def test_columns_are_read_from_a_transposed_copy(size: int) -> None:
    assert ".shape[1]), 0)" in checked(read_down_columns, size)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_matrix_that_the_loop_writes_is_not_copied(size: int) -> None:
    assert ".shape[1]), 0)" not in checked(read_and_written, size)
