"""What the bytecode of a function shows: loops, writes, functions of the tape."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.python import choosing


def _straight(x):
    y = [x[i] * 2 for i in range(3)]
    y += [sum(part for part in y)]
    return {"total": np.sum(y)}


def _for(x):
    total = 0.0
    for value in x:
        total = total + value
    return total


def _while(x):
    while np.sum(x) > 1.0:
        x = x / 2
    return x


def _comprehension_in_loop(x):
    for _ in range(3):
        x = np.stack([part * 2 for part in x])
    return x


def _calls_a_loop(x):
    return np.sin(_for(x))


class _Model:
    def loss(self, x):
        x[0] = 1.0
        return x


class _Called:
    def __call__(self, x):
        while x > 1.0:
            x = x / 2
        return x


def _writes_an_item(x):
    x[1:] = 0.0


def _augments_a_parameter(x):
    x += 1.0


def _augments_a_local(x):
    y = x * 2
    y += 1.0
    return y


def _writes_out(x, y):
    np.add(x, 1.0, out=y)


def _fills(x):
    x.fill(0.0)


def _sorts_in_place(x):
    x.sort()


def _sorts_a_copy(x):
    return np.sort(x)


def _scatters(x, at):
    np.add.at(x, at, 1.0)


def _checkpoints(x):
    for _ in range(3):
        x = rg.checkpoint(np.sin)(x)
    return x


_INNER = rg.grad(np.sin)


def _differentiates(x):
    return _INNER(x)


def _recursive(x, n):
    return x if n == 0 else _recursive(x * 2, n - 1)


@pytest.mark.parametrize(
    ("function", "loop", "write", "tape"),
    [
        (_straight, False, False, None),
        (_for, "_for", False, None),
        (_while, "_while", False, None),
        (_comprehension_in_loop, "_comprehension_in_loop", False, None),
        (_calls_a_loop, "_for", False, None),
        (lambda x: _for(x), "_for", False, None),
        (partial(_for), "_for", False, None),
        (partial(partial(_Model().loss)), False, "loss", None),
        (_Called(), "__call__", False, None),
        (_Model().loss, False, "loss", None),
        (_writes_an_item, False, "_writes_an_item", None),
        (_augments_a_parameter, False, "_augments_a_parameter", None),
        (_augments_a_local, False, False, None),
        (_writes_out, False, "_writes_out", None),
        (_fills, False, "_fills", None),
        (_sorts_in_place, False, "_sorts_in_place", None),
        (_sorts_a_copy, False, False, None),
        (_scatters, False, "_scatters", None),
        (_checkpoints, "_checkpoints", False, "rg.checkpoint"),
        (_differentiates, False, False, "_INNER"),
        (_recursive, False, False, None),
    ],
)
def test_what_is_found(function: Any, loop: Any, write: Any, tape: str | None):
    found = choosing.look_at(function)
    assert found is not None
    assert (found.loop or "").split(",")[0] == (loop or "")
    assert (found.write or "").split(",")[0] == (write or "")
    assert found.tape == tape


def test_the_line_of_a_loop():
    found = choosing.look_at(_for)
    first = _for.__code__.co_firstlineno
    assert found is not None
    assert found.loop == f"_for, line {first + 2}"


@pytest.mark.parametrize("function", [np.sin, partial(np.sin), len, rg.grad(_for), int])
def test_what_is_not_written_in_python_shows_nothing(function: Any):
    assert choosing.look_at(function) is None
