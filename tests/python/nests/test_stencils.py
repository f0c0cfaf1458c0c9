"""Adjoints of stencils as nests: gathers with margins and faces, mirrors, and what iterations leave at zero."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nests.running import gradient_program

from retrograde.python.lowering import lower
from retrograde.python.nests import Nests, nests_of


def jacobi(a, b, n):
    for _ in range(n):
        b[1:-1] = 0.3 * (a[:-2] + a[1:-1] + a[2:])
        a[1:-1] = 0.3 * (b[:-2] + b[1:-1] + b[2:])
    return a, b


def star(a, b, n):
    for _ in range(n):
        b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:])
        a[1:-1, 1:-1] = np.tanh(b[1:-1, 1:-1] + b[:-2, 1:-1] + b[2:, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:])
    return a, b


def square(a, b, n):
    for _ in range(n):
        b[1:-1, 1:-1] = a[:-2, :-2] * 0.5 - a[2:, 2:] + 0.25 * (a[:-2, 2:] - a[2:, :-2]) + a[1:-1, :-2] - a[1:-1, 2:]
        a[1:-1, 1:-1] = 0.125 * b[1:-1, 1:-1] + b[2:, 2:]
    return a, b


def wide(a, b, n):
    for _ in range(n):
        b[3:-1] = 2.0 * a[:-4] - a[1:-3] * 0.5 + a[4:] * 0.5
        a[2:-2] = b[2:-2] + 0.1 * (b[:-4] + b[4:])
    return a, b


def cube(a, b, n):
    for _ in range(n):
        b[1:-1, 1:-1, 1:-1] = 0.5 * (a[2:, 1:-1, 1:-1] - 2.0 * a[1:-1, 1:-1, 1:-1] + a[:-2, 1:-1, 1:-1]) + 0.25 * (
            a[1:-1, 2:, 1:-1] + a[1:-1, :-2, 1:-1] - a[1:-1, 1:-1, 2:] - a[1:-1, 1:-1, :-2]
        )
        a[1:-1, 1:-1, 1:-1] = b[1:-1, 1:-1, 1:-1] * 0.75 + b[1:-1, 1:-1, 2:]
    return a, b


STENCILS: list[tuple[Callable[..., Any], int]] = [(jacobi, 1), (star, 2), (square, 2), (wide, 1), (cube, 3)]


def agreeing(function: Callable[..., Any], *arguments: Any) -> Nests:
    """The nests of a function's reverse, whose text computes, uncompiled, what the program does."""
    program, inputs = gradient_program(function, *arguments)
    nests = nests_of(lower(program))
    module: dict[str, Any] = dict(nests.namespace)
    exec(compile(nests.text, "<nests>", "exec"), module)
    for name, value, other in zip(program.output_names, module[nests.driver](*inputs), program(*inputs), strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-12, atol=1e-12, err_msg=name)
    return nests


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
@pytest.mark.parametrize(("function", "rank"), STENCILS)
def test_adjoints_of_stencils_agree_with_their_programs(function: Any, rank: int, steps: int) -> None:
    random = np.random.default_rng(3)
    shape = (7, 8, 6)[:rank]
    agreeing(function, random.standard_normal(shape), random.standard_normal(shape), steps)


@pytest.mark.parametrize("size", [5, 6])
def test_adjoints_of_stencils_on_small_grids(size: int) -> None:
    random = np.random.default_rng(4)
    for function, rank in STENCILS:
        agreeing(function, random.standard_normal((size,) * rank), random.standard_normal((size,) * rank), 2)


def test_a_face_collects_what_reaches_it_alone() -> None:
    random = np.random.default_rng(5)
    nests = agreeing(cube, random.standard_normal((6, 6, 6)), random.standard_normal((6, 6, 6)), 3)
    faces = [line for line in nests.text.splitlines() if line.strip().startswith("d_a[0, ")]
    assert faces
    assert all(line.count("g") <= 2 for line in faces)


def test_a_sum_of_multiples_is_multiplied_once() -> None:
    random = np.random.default_rng(6)
    nests = agreeing(jacobi, random.standard_normal(9), random.standard_normal(9), 3)
    inside = [line for line in nests.text.splitlines() if line.count("+") > 5]
    assert all(line.count("0.3") <= 2 for line in inside)


def test_what_an_iteration_leaves_at_zero_is_read_in_the_first_only() -> None:
    random = np.random.default_rng(7)
    nests = agreeing(jacobi, random.standard_normal(9), random.standard_normal(9), 3)
    lines = [line.strip() for line in nests.text.splitlines()]
    assert sum(line.endswith("] = 0.0") for line in lines) == 1
    assert sum(re.match(r"if \w+ == \w+", line) is not None for line in lines) == 1


def test_the_inside_of_an_array_lives_in_its_mirror() -> None:
    random = np.random.default_rng(8)
    nests = agreeing(jacobi, random.standard_normal(9), random.standard_normal(9), 3)
    written = [line for line in nests.text.splitlines() if line.strip().startswith("d_a[at(k0") and "] = g" in line]
    assert [line.startswith("        d_a") for line in written] == [True]


def another_name(x):
    part = x[1:] - x[:-1]
    one = np.where(part > 0.0, part, 0.0)
    part = x[2:] * x[:-2]
    return one[1:] + part * part


def test_a_name_bound_twice_is_two_arrays_of_known_sizes() -> None:
    nests = agreeing(another_name, np.random.default_rng(9).standard_normal(8))
    assert ".shape[0]" not in nests.text.split("def another_name_reversed(")[0]
    assert not nests.reasons


def a_name_in_a_loop(x, n):
    total = 0.0
    for k in range(n):
        part = x * (1.0 + k)
        total += np.sum(part * part)
        part = x[1:] * x[:-1]
        if k > 1:
            part = part * 2.0
        total += np.sum(np.sin(part))
    return total


def test_names_bound_again_in_loops_and_branches_keep_their_values() -> None:
    agreeing(a_name_in_a_loop, np.random.default_rng(10).standard_normal(6), 4)


def of_slices(x, w):
    low = x[1:] - 2.0 * x[:-1]
    high = x[2:] * w[:-2]
    return np.tanh(low[1:] - low[:-1]) + high * w[1:-1]


def test_an_array_that_begins_with_zeros_is_set_once() -> None:
    random = np.random.default_rng(11)
    nests = agreeing(of_slices, random.standard_normal(9), random.standard_normal(9))
    lines = [line.strip() for line in nests.text.splitlines()]
    assert not any(line.endswith("] = 0.0") for line in lines)


def a_part_of_a_part(x):
    y = x[:-2] * 2.0
    return np.sum(y[1:3] * x[4:6]) + np.sum(y[:2] ** 2) + np.sum(y[2:4])


def test_blocks_of_an_array_that_is_larger_than_what_is_added() -> None:
    agreeing(a_part_of_a_part, np.random.default_rng(12).standard_normal(9))


def test_temporaries_stay_with_the_process() -> None:
    random = np.random.default_rng(13)
    nests = agreeing(star, random.standard_normal((6, 7)), random.standard_normal((6, 7)), 3)
    driver = nests.text.split(f"def {nests.driver}(")[1]
    assert sum(line.strip().startswith("np.empty(min(") for line in driver.splitlines()) == 1


def by_a_number(x, c):
    return np.sum(np.sin(x) / c) + np.sum((x[1:] - x[:-1]) / (2.0 * c))


def test_a_sum_of_quotients_by_a_number_is_divided_once() -> None:
    nests = agreeing(by_a_number, np.random.default_rng(14).standard_normal(9), 0.7)
    depth = [len(line) - len(line.lstrip()) for line in nests.text.splitlines() if " / c" in line and "==" in line]
    assert depth
    assert min(depth) == 4


def sparse(x, c):
    return np.sum(np.where(x > 0.0, x, 0.0) / c)


def test_a_sum_of_quotients_by_zero_of_nothing_is_zero() -> None:
    agreeing(sparse, -np.ones(5), 2.0)


def products(x, y):
    rows = [x[row] * y[row + 1] for row in range(12)]
    return np.stack([row * row for row in rows]), sum(rows)


def many_arrays(a, b, c, d, e, f, g, h, i, j, k, m):
    return a * b, b * c, c * d, d * e, e * f, f * g, g * h, h * i, i * j, j * k, k * m, m * a


def test_nests_that_would_not_be_vectorized_are_not_merged() -> None:
    random = np.random.default_rng(15)
    nests = agreeing(many_arrays, *(random.standard_normal(5) for _ in range(12)))
    assert max(_stores_of_nests(nests.text)) < 12
    agreeing(products, random.standard_normal((12, 4)), random.standard_normal((13, 4)))


def _stores_of_nests(text: str) -> list[int]:
    found = [0]
    for line in text.splitlines():
        if line.strip().startswith("for "):
            found.append(0)
        elif "] = " in line:
            found[-1] += 1
    return found
