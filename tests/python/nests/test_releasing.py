"""Nests where memory is short: arrays are made late and let go of, and the numbers stay what they are."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
from nests.running import gradient_program

from retrograde.python.lowering import lower
from retrograde.python.nests import nests_of


def wave(u: Any) -> Any:
    a = u @ u
    return np.cos(a) * np.linalg.solve(a + 9.0 * np.eye(a.shape[0]), u) + u


def waves(u: Any, steps: Any) -> Any:
    for _ in range(steps):
        u = np.sin(u)
    return np.sum(wave(wave(wave(wave(wave(wave(u)))))) ** 2)


def test_arrays_are_made_late_and_let_go_of() -> None:
    program, inputs = gradient_program(waves, 0.1 * np.arange(1.0, 401.0).reshape(20, 20) / 400.0, 2)
    peaks: list[int] = []
    found: list[Any] = []
    for frugal in (False, True):
        nests = nests_of(lower(program, frugal), frugal)
        module: dict[str, Any] = dict(nests.namespace)
        exec(compile(nests.text, "<nests>", "exec"), module)
        tracemalloc.start()
        found.append(module[nests.driver](*inputs))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert ("    del " in nests.text) == frugal
    for one, other, wanted in zip(*found, program(*inputs), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, wanted, rtol=1e-12)
    assert peaks[1] < 0.75 * peaks[0]
