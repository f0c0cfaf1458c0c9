"""The corpus through `rg.vjp`, as people call it: pullbacks against differences of the outputs, containers included."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from language import (
    test_branches,
    test_calls,
    test_containers,
    test_loops,
    test_numbers,
    test_random_numbers,
    test_writes,
)
from language.corpus import Case
from retrograde.autodiff.containers import leaves, rebuild

_FILES = (test_branches, test_calls, test_containers, test_loops, test_numbers, test_random_numbers, test_writes)
_CASES = [case for file in _FILES for case in file.corpus.smooth]


def _is_float(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, float, complex)) and np.asarray(value).dtype.kind in "fc"


def _drawn(random: np.random.Generator, value: Any) -> Any:
    """Random numbers like a leaf; a leaf that has no derivative as it is."""
    if not _is_float(value):
        return value
    array = np.asarray(value)
    drawn = random.standard_normal(array.shape)
    drawn = drawn + 1j * random.standard_normal(array.shape) if array.dtype.kind == "c" else drawn
    return drawn.astype(array.dtype)[()]


def _moved(argument: Any, direction: list[Any], step: float) -> Any:
    parts = [
        type(leaf)(leaf + step * part) if isinstance(leaf, (float, complex)) else leaf + step * part
        for leaf, part in zip(leaves(argument), direction, strict=True)
    ]
    return parts[0] if isinstance(argument, (np.ndarray, float, complex)) else rebuild(argument, parts)


def _inner(ones: list[Any], others: list[Any]) -> float:
    return sum(float(np.real(np.vdot(x, y))) for x, y in zip(ones, others, strict=True) if _is_float(x))


@pytest.mark.parametrize("case", _CASES, ids=repr)
def test_pullbacks(case: Case, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path))
    arguments = case.arguments()
    before = deepcopy(arguments)
    random = np.random.default_rng(1)
    containers_of_floats = (np.ndarray, float, complex, tuple, list, dict)
    wrt = tuple(
        at
        for at, argument in enumerate(arguments)
        if isinstance(argument, containers_of_floats) and all(map(_is_float, leaves(argument)))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        function = rg.vjp(case.function, wrt=wrt, backend="python")
        outputs, pullback = function(*arguments)
        cotangents = [_drawn(random, leaf) for leaf in leaves(outputs)]
        gradients = pullback(rebuild(outputs, cotangents))
        directions = {at: [_drawn(random, leaf) for leaf in leaves(arguments[at])] for at in wrt}

        def along(step: float) -> float:
            moved = list(arguments)
            for at in wrt:
                moved[at] = _moved(arguments[at], directions[at], step)
            return _inner(cotangents, leaves(function(*moved)[0]))

        step = 1e-5
        expected = (8 * (along(step) - along(-step)) - (along(2 * step) - along(-2 * step))) / (12 * step)
    found = sum(_inner(leaves(gradient), directions[at]) for gradient, at in zip(gradients, wrt, strict=True))
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)
    np.testing.assert_equal(
        [leaves(argument) for at, argument in enumerate(arguments) if at in wrt],
        [leaves(argument) for at, argument in enumerate(before) if at in wrt],
    )
