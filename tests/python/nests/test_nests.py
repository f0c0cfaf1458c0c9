"""Loop nests of functions' reverses, compiled, against the evaluation of the program."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from nests.running import checked, compiled, gradient_program, uncompiled

from retrograde.python.lowering import lower
from retrograde.python.nests import nests_of

RANDOM = np.random.default_rng(3)
Array = Any


def stencil(steps: int, a: Array, b: Array) -> None:
    for _ in range(steps):
        b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1])
        a[1:-1, 1:-1] = np.tanh(b[1:-1, 1:-1]) * b[:-2, 2:]


def triangular(a: Array) -> None:
    for i in range(a.shape[0]):
        for j in range(i):
            a[i, j] -= a[i, :j] @ a[:j, j]
            a[i, j] /= a[j, j]
        for j in range(i, a.shape[0]):
            a[i, j] -= a[i, :i] @ a[:i, j]


def sweep(a: Array) -> None:
    for i in range(1, a.shape[0] - 1):
        a[i, 1:-1] += a[i - 1, :-2] + a[i - 1, 2:] + a[i + 1, 1:-1]
        for j in range(1, a.shape[1] - 1):
            a[i, j] = (a[i, j] + a[i, j - 1]) / 3.0


def gathered(x: Array, rows: Array, columns: Array) -> Array:
    total = np.zeros_like(x)
    for k in range(rows.shape[0]):
        total[rows[k]] += x[columns[k]] ** 2
    return total[rows] * x[columns]


def overlapping(x: Array) -> Array:
    y = x.copy()
    y[1:] += y[:-1]
    y[::2] = y[::-1][::2] * 2.0
    y[2:] -= y[0] * y[1:-1]
    return y


def until(x: Array, tolerance: float) -> Array:
    count = 0
    while np.sum(x * x) > tolerance and count < 50:
        x = 0.5 * x + 0.1 * np.sin(x)
        count += 1
    return x


def branches(x: Array) -> float:
    total = 0.0
    for i in range(x.shape[0]):
        if x[i] > 0.0:
            total += np.sqrt(x[i])
        else:
            total -= x[i] ** 3
    return total


def reductions(x: Array, w: Array) -> Array:
    z = x @ w
    z = np.exp(z - np.max(z, axis=1, keepdims=True))
    p = z / np.sum(z, axis=1, keepdims=True)
    return np.cumsum(p, axis=0) + np.mean(p, axis=0) * np.maximum(p, 0.2)


def ragged(x: Array) -> float:
    total = 0.0
    for i in range(1, x.shape[0]):
        y = np.tanh(x[:i]) * x[i]
        total += np.sum(y * y)
    return total


def masked(x: Array) -> Array:
    y = x * 2.0
    y[x > 0.5] = 0.0
    return np.where(y > 0.0, np.sqrt(np.abs(y) + 1.0), y) + np.minimum(x, 0.1)


ROWS, COLUMNS = np.array([0, 2, 2, 1, 4]), np.array([3, 3, -1, 0, 2])
CASES: dict[str, tuple[Any, ...]] = {
    "stencil": (stencil, 3, RANDOM.standard_normal((6, 7)), RANDOM.standard_normal((6, 7))),
    "triangular": (triangular, RANDOM.standard_normal((6, 6)) + 6.0 * np.eye(6)),
    "sweep": (sweep, RANDOM.standard_normal((5, 7))),
    "gathered": (gathered, RANDOM.standard_normal(6), ROWS, COLUMNS),
    "overlapping": (overlapping, RANDOM.standard_normal(7)),
    "until": (until, RANDOM.standard_normal(5), 1e-2),
    "branches": (branches, RANDOM.standard_normal(8)),
    "reductions": (reductions, RANDOM.standard_normal((4, 3)), RANDOM.standard_normal((3, 5))),
    "ragged": (ragged, RANDOM.standard_normal(6)),
    "masked": (masked, RANDOM.standard_normal(9)),
}


@pytest.mark.parametrize("case", CASES)
def test_compiled_reverses_agree_with_their_programs(case: str) -> None:
    nests = checked(*CASES[case])
    assert not nests.reasons
    assert nests.regions


def test_what_numba_cannot_take_runs_as_python_between_regions() -> None:
    def spectrum(x: Array) -> Array:
        for _ in range(3):
            y = np.fft.fft(x * x)
            x = np.tanh(y.real * 0.1 + x)
        return x

    nests = checked(spectrum, RANDOM.standard_normal(6))
    assert any("fft" in reason for _, reason in nests.reasons)
    assert all(place is not None and place.line > 0 for place, _ in nests.reasons)
    assert nests.regions >= 2


def test_float32_stays_float32() -> None:
    def scaled(x: Array) -> Array:
        return np.exp(x * 0.5) / 3.0 + x**2

    program, inputs = gradient_program(scaled, RANDOM.standard_normal(5).astype(np.float32))
    inputs[-1] = inputs[-1].astype(np.float32)
    found, wanted = compiled(nests_of(lower(program)))(*inputs), program(*inputs)
    for value, other in zip(found, wanted, strict=True):
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, other, rtol=1e-6)


def test_an_index_outside_of_its_array_is_an_error_not_a_crash() -> None:
    program, inputs = gradient_program(gathered, *CASES["gathered"][1:])
    run = compiled(nests_of(lower(program)))
    inputs[1] = np.array([0, 2, 99, 1, 4])
    with pytest.raises(IndexError, match="not inside its array"):
        run(*inputs)


def test_an_array_of_another_shape_is_refused() -> None:
    program, inputs = gradient_program(stencil, *CASES["stencil"][1:])
    run = compiled(nests_of(lower(program)))
    inputs[2] = inputs[2][:-1]
    with pytest.raises(ValueError, match="another shape"):
        run(*inputs)


def test_arrays_in_any_layout_are_taken() -> None:
    program, inputs = gradient_program(stencil, *CASES["stencil"][1:])
    run = compiled(nests_of(lower(program)))
    turned = [np.asfortranarray(value) if np.ndim(value) == 2 else value for value in inputs]
    for value, other in zip(run(*turned), program(*inputs), strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-12)


def test_the_adjoint_of_a_stencil_is_a_gather() -> None:
    program, _ = gradient_program(stencil, *CASES["stencil"][1:])
    text = nests_of(lower(program)).text
    assert "np.zeros" in text
    sums = [line for line in text.splitlines() if line.strip().startswith("d_a[")]
    assert any(len(set(re.findall(r"g\d+\[[^]]*\]", line))) >= 4 for line in sums)


def smoothed(u: Array, f: Array, turns: int) -> Array:
    for _ in range(turns):
        new = u.copy()
        new[1:-1] = 0.5 * np.sin(u[:-2] + u[2:]) - f[1:-1] * u[1:-1]
        u = new
    return u


def long_body(u: Array, f: Array, steps: int, turns: int) -> Array:
    for _ in range(steps):
        u = smoothed(u, f, turns)
        coarse = smoothed(u[::2] * 0.5, f[::2], turns)
        u[::2] += smoothed(coarse, u[::2], turns)
        u = smoothed(u, f * u, turns)
        u[1:] = smoothed(u[1:], u[:-1] * f[1:], turns)
        coarse = smoothed(u[::2] * 0.5, f[::2], turns)
        u[::2] += smoothed(coarse, u[::2], turns)
        u = smoothed(u, f * u, turns)
    return u


def halves(x: Array, rows: int) -> Array:
    while x.shape[0] < rows:
        middle = int(x.shape[1] / 2)
        turned = np.cos(np.arange(x.shape[0]) / x.shape[0])[:, None] * x[:, middle:]
        x = np.vstack([x[:, :middle] ** 2 + turned, x[:, :middle] - turned])
    return x


def handed_over(old: Array, rate: float, steps: int) -> Array:
    new = old.copy()
    for _ in range(steps):
        new[1:-1] = old[1:-1] + rate * (old[2:] - 2.0 * old[1:-1] + old[:-2]) * old[1:-1]
        old = new
    return old * new


def exchanged(old: Array, rate: float, steps: int) -> Array:
    new = np.zeros_like(old)
    for _ in range(steps):
        new[1:-1] = old[1:-1] + rate * (old[2:] - 2.0 * old[1:-1] + old[:-2]) * old[1:-1]
        old, new = new, old
    return old * new


def lengths(a: Array, b: Array, z: Array) -> Array:
    rows = np.linalg.norm(a[:, None] - b, axis=2)
    return rows / np.linalg.norm(z) + np.linalg.norm(a, axis=1, keepdims=True) * np.linalg.norm(a[0] * np.int64(2))


def normalized(a: Array, b: Array) -> Array:
    a = (a - np.mean(a, axis=0)) / np.sqrt(np.var(a, axis=0) + 1e-5)
    return a * np.std(b) + np.var(b, axis=1, keepdims=True, ddof=1).sum() + np.std(b, axis=(0, 1))


PAIR = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(2, 3))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lengths, (*PAIR, RANDOM.normal(size=70) + 1j)),
        (lengths, (*PAIR, RANDOM.normal(size=(2, 2)))),
        (normalized, PAIR),
        (handed_over, (RANDOM.normal(size=8), 0.2, 4)),
        (exchanged, (RANDOM.normal(size=8), 0.2, 4)),
        (long_body, (RANDOM.uniform(-0.5, 0.5, 9), RANDOM.uniform(-0.5, 0.5, 9), 2, 2)),
        (halves, (RANDOM.normal(size=(2, 8)), 16)),
    ],
)
def test_texts_that_are_run_by_python(function: Any, arguments: tuple[Any, ...]) -> None:
    program, inputs = gradient_program(function, *arguments)
    found, wanted = uncompiled(nests_of(lower(program)))(*inputs), program(*inputs)
    for value, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-12, atol=1e-12)


def element_sum(a: Array, x: Array, at: Array) -> Any:
    total = 0.0
    for j in range(at.shape[0]):
        k = at[j]
        total += x[k] * x[j]
    return total * total + np.sum(a)


def rows_cleared(a: Array, x: Array, at: Array) -> Any:
    total = 0.0
    for j in range(at.shape[0]):
        total += x[j] * x[j]
        a[at[j], :] = 0.0
    return total * np.sum(a * a)


def rows_beside(a: Array, x: Array, at: Array) -> Any:
    total = 0.0
    for j in range(at.shape[0]):
        y = x * 2.0
        total += np.sum(a[at[j]] * y * y)
    return total


@pytest.mark.parametrize("function", [element_sum, rows_cleared, rows_beside])
@pytest.mark.parametrize("index", [5, 1 << 40, -6])
def test_nothing_outside_of_an_array_is_touched_before_the_check(function: Any, index: int) -> None:
    program, inputs = gradient_program(function, RANDOM.random((5, 5)), RANDOM.random(5), np.arange(5))
    inputs[2] = np.array([0, 1, index, 2, 3])
    with pytest.raises(IndexError, match="an index is not inside its array"):
        uncompiled(nests_of(lower(program)))(*inputs)
