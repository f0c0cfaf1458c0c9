"""Stacks that branches fill or leave empty, and what only one side of a branch has: loop nests against the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nests.running import checked, gradient_program

from retrograde.python.lowering import lower
from retrograde.python.nests import Nests, nests_of

Array = Any


def one_side(x: Array, y: Array, steps: int) -> Array:
    if x[0] > 0.0:
        for _ in range(steps):
            x = np.tanh(x * y)
    else:
        x = x * y
    return x


def both_sides(x: Array, y: Array, steps: int) -> Array:
    if x[0] > 0.0:
        for _ in range(steps):
            x = np.tanh(x) * y
    else:
        for _ in range(2 * steps):
            x = np.sin(x[::-1]) * y
    return x


def until(x: Array, y: Array, steps: int) -> Array:
    if y[0] > 0.0:
        count = 0
        while np.sum(x * x) > 0.1 and count < steps:
            x = np.sin(x) * y
            count += 1
    return x * y


def inside(x: Array, y: Array, steps: int) -> Array:
    for i in range(steps):
        if x[i] > 0.0:
            for j in range(i):
                x = x * np.tanh(x[j]) + y
        elif y[i] > 0.0:
            while x[i] < 1.0:
                x = x * x + 0.7
    return x


def of_any_length(x: Array, y: Array, steps: int) -> Array:
    if x[0] > 0.0:
        for _ in range(steps):
            positive = y[y > 0.0] * x[1]
            x = x + np.sum(np.sin(positive) * positive)
    return x * y


def in_turn(x: Array, y: Array, steps: int) -> Array:
    for i in range(steps):
        if i % 2:
            few = x[x > 0.0]
            x = x + np.sum(few * few) * y
        else:
            x[1:] = np.tanh(x[:-1]) * y[1:]
    return x


def reversed_views(x: Array, y: Array, steps: int) -> Array:
    part = x[1:]
    for _ in range(steps):
        part = part[::-1] * y[1:]
        part[1:] += np.sin(part[:-1])
    return part


def repeated_places(x: Array, y: Array, steps: int) -> Array:
    for _ in range(steps):
        x[[0, 2, 0]] = y[[1, 2, 0]] * x[1]
    return x


def along(x: Array, y: Array, steps: int) -> Array:
    for i in range(steps):
        order = np.array([2, 0, 2, i])
        y[:4] = np.take_along_axis(x, order, 0) * x[0]
        square = np.outer(x, y)
        x[:4] += np.sum(np.take_along_axis(square, order[:, None], 0)[:, :1], axis=1)
    return x * y


def duplicated_places(a: Array, y: Array) -> Array:
    a[:, [0, 1, 0], [2, 2, 2]] = np.sin(y[:3]) * a[:, :3, 0]
    return a


def masks_beside_others(a: Array, y: Array) -> Array:
    for k in range(2):
        a[k, y[:3] > 0.5, 1:] *= np.sin(y[1])
        a[:, y[1:4] > 0.0, k] = a[:, y[1:4] > 0.0, 2] * y[0]
    return a[1, :, y[:3] > 0.5] * y[2]


def steps_of_the_run(a: Array, y: Array) -> Array:
    step = 1 + int(y[0] > 0.0)
    for _ in range(2):
        y[::step] *= np.cos(a[0, 0, 0])
        y = y * 1.5
    return a * np.sum(y)


X = np.array([0.3, -0.2, 0.5, 0.1, -0.7])
Y = np.array([0.4, 0.8, -0.3, 0.6, 0.9])
FUNCTIONS: list[Callable[..., Any]] = [
    one_side,
    both_sides,
    until,
    inside,
    of_any_length,
    in_turn,
    reversed_views,
    repeated_places,
    along,
]


def uncompiled(function: Callable[..., Any], *arguments: Any) -> Nests:
    program, inputs = gradient_program(function, *arguments)
    nests = nests_of(lower(program))
    names: dict[str, Any] = dict(nests.namespace)
    exec(compile(nests.text, "<nests>", "exec"), names)
    for found, wanted in zip(names[nests.driver](*inputs), program(*inputs), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    return nests


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("x", "y"), [(X, Y), (-X, Y), (X, -Y), (-X, -Y)])
def test_either_side_gives_what_the_program_gives(function: Callable[..., Any], x: Array, y: Array) -> None:
    assert not uncompiled(function, x, y, 4).reasons
    assert not uncompiled(function, x, y, 0).reasons


def test_the_last_write_to_a_place_stays_along_several_axes() -> None:
    assert not uncompiled(duplicated_places, np.random.default_rng(4).standard_normal((2, 3, 3)), Y).reasons


def test_masks_beside_other_parts_of_an_index() -> None:
    assert not uncompiled(masks_beside_others, np.random.default_rng(4).standard_normal((2, 3, 3)), Y).reasons


def test_a_write_that_numba_does_not_take_runs_as_python_and_nothing_else_does() -> None:
    nests = uncompiled(steps_of_the_run, np.random.default_rng(4).standard_normal((2, 3, 3)), Y)
    assert {reason for _, reason in nests.reasons} == {"the step of a slice is no constant"}
    assert nests.compiled


def test_numba_takes_stacks_of_branches() -> None:
    assert not checked(inside, X, Y, 4).reasons
