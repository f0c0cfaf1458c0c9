"""Explanations of derivatives: the backend and why, what is kept and for which line, what is computed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg

U = np.linspace(0.1, 0.9, 50)


def decays(u, steps):
    for _ in range(steps):
        u = np.tanh(u)
    return np.sum(u)


def diffuses(u, steps):
    for _ in range(steps):
        u[1:-1] = 0.5 * (u[:-2] + u[2:])
    return np.sum(u * u)


def writes(u):
    u[0] = u[1] * u[2]
    return np.sum(u)


def of_layers(weights, x):
    for weight in weights:
        x = np.tanh(weight @ x)
    return np.sum(x)


def until(x):
    while np.sum(x * x) > 1.0:
        x = np.sin(x)
    return np.sum(x)


def line_of(function: Callable[..., Any], text: str) -> int:
    import inspect

    lines, first = inspect.getsourcelines(function)
    return first + next(at for at, line in enumerate(lines) if text in line)


def test_what_a_nonlinear_loop_keeps():
    found = rg.explain(rg.grad(decays, backend="python"), U, 20)
    assert (found.function, found.backend, found.reason) == ("decays", "python", 'backend="python" was asked for')
    (kept,) = found.kept
    line = line_of(decays, "np.tanh")
    assert (kept.name, kept.function, kept.line, kept.iterations) == ("u", "decays", line, 20)
    assert kept.bytes == found.kept_bytes == 20 * U.nbytes
    assert kept.read_by == (line,)
    text = str(found)
    assert (
        f"u (decays, line {line}), 7.81 KiB, one for each of 20 iterations: the reversal of line {line} reads" in text
    )
    assert json.loads(json.dumps(found.to_json()))["kept"][0]["bytes"] == 20 * U.nbytes


def test_a_linear_loop_keeps_nothing_of_its_iterations():
    found = rg.explain(rg.grad(diffuses, backend="python"), U, 20)
    assert not any(kept.in_loop for kept in found.kept)
    assert (found.kept_bytes or 0) <= U.nbytes


def test_how_much_a_while_loop_keeps_is_not_known():
    found = rg.explain(rg.grad(until, backend="python"), U)
    assert found.kept_bytes is None
    assert "as much as the run needs, one an iteration" in str(found)


@pytest.mark.parametrize(
    ("derivative", "arguments", "backend", "reason"),
    [
        (rg.grad(np.sin), (0.5,), "tape", "not written in Python"),
        (rg.grad(lambda x: np.sum(x * x)), (U,), "tape", "it has no loop and writes into no array"),
        (rg.grad(decays, backend="tape"), (U, 2), "tape", 'backend="tape" was asked for'),
        (rg.grad(of_layers), ([np.eye(3)] * 2, np.ones(3)), "tape", "it has no loop over data"),
        (rg.grad(writes), (U,), "python", "it writes into an array (writes, line "),
        (rg.grad(lambda x: decays(rg.checkpoint(np.sin)(x), 3)), (U,), "tape", "it uses rg.checkpoint"),
        (rg.grad(eval("lambda x: [x := np.sin(x) for _ in range(3)][-1]")), (0.5,), "tape", "no loop"),
    ],
)
def test_the_rule_for_auto(derivative: Callable[..., Any], arguments: tuple[Any, ...], backend: str, reason: str):
    found = rg.explain(derivative, *arguments)
    assert found.backend == backend
    assert reason in found.reason


def test_a_loop_without_source_runs_on_the_tape():
    scope: dict[str, Any] = {"np": np}
    exec("def f(x):\n    for _ in range(3):\n        x = np.sin(x)\n    return x\n", scope)
    derivative = rg.grad(scope["f"])
    found = rg.explain(derivative, 0.5)
    assert found.backend == "tape"
    assert "the source of f" in found.reason
    assert derivative(0.5) == pytest.approx(np.cos(0.5) * np.cos(np.sin(0.5)) * np.cos(np.sin(np.sin(0.5))))
    with pytest.raises(rg.UnsupportedError, match="the source of f"):
        rg.grad(scope["f"], backend="python")(0.5)


def test_what_cannot_be_read_is_no_reason_to_change_the_backend():
    def printing(x):
        for _ in range(2):
            print(x)
        return x

    with pytest.raises(rg.UnsupportedError, match='backend="tape"'):
        rg.grad(printing)(0.5)


@pytest.mark.slow
def test_what_is_compiled_and_what_is_not():
    def mixed(u, steps):
        for _ in range(steps):
            u = u + np.real(np.fft.ifft(np.fft.fft(u * u)))
            u = np.tanh(u) * 0.5
        return np.sum(u)

    found = rg.explain(rg.grad(mixed), U, 3)
    assert found.backend == "numba"
    assert "there is a loop over data (mixed, line " in found.reason
    assert found.compiled_regions > 0
    assert any("fft" in part.text for part in found.in_python)
    assert any(part.line == line_of(test_what_is_compiled_and_what_is_not, "np.fft") for part in found.in_python)
