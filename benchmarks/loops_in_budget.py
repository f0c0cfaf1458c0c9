"""Gradients of programs with loops inside a budget: resident memory, and time beside that of storing everything.

`.venv/bin/python benchmarks/loops_in_budget.py` prints a table; names of cases select some. Each line is measured in a
process of its own, which is warm; bits are compared with those of storing everything, where that fits.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from turns import seconds

import retrograde as rg
from retrograde.graph.units import parse_bytes
from retrograde.runtime.meters import measure_process


@dataclass(frozen=True)
class Case:
    """A program and a budget.

    Attributes:
        program: makes the function and its arguments.
        budget: bytes, or a share of the peak of storing everything.
        rounds: how often it is timed; 0 where storing everything is out of the question.
        floats: the arguments to differentiate by.
    """

    program: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]
    budget: int | str
    rounds: int = 5
    floats: Any = 0


def tanh_loop() -> Any:
    """A thousand steps of ten thousand doubles."""

    def loop(u: Any, rate: float, steps: int) -> Any:
        for _ in range(steps):
            u = np.tanh(rate * u)
        return np.sum(u)

    return loop, (np.linspace(0.1, 2.0, 10_000), 0.9, 1000)


def million_steps() -> Any:
    """A million steps of a thousand doubles."""

    def loop(u: Any, rate: float, steps: int) -> Any:
        for _ in range(steps):
            u = u + rate * u * (1.0 - u)
        return np.sum(u)

    return loop, (np.linspace(0.1, 0.9, 1000), 1e-6, 1_000_000)


def large_arrays() -> Any:
    """A hundred steps of arrays of 16 MB."""

    def loop(u: Any, rate: float, steps: int) -> Any:
        for _ in range(steps):
            u = u + rate * np.sin(u)
        return np.sum(u * u)

    return loop, (np.linspace(0.1, 2.0, 2_000_000), 0.1, 100)


CASES: dict[str, Case] = {
    "tanh 2.4 MB": Case(tanh_loop, 2_400_000),
    "tanh 4 MB": Case(tanh_loop, 4_000_000),
    "million steps 5 MB": Case(million_steps, 5_000_000, rounds=0),
    "large arrays 160 MB": Case(large_arrays, 160_000_000, rounds=1),
}


def main() -> None:
    """Print the table, or, for one case and backend, what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--backend", default="")
    parser.add_argument("--alone", action="store_true", help="measure in this process")
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measured(CASES[options.names[0]], options.backend)))
        return
    header = f"{'case':26}{'backend':9}{'budget MB':>10}{'peak MB':>9}{'time':>7}{'steps ahead':>12}  bits"
    print(header)
    for name in options.names or CASES:
        for backend in [options.backend] if options.backend else ("python", "numba"):
            print_line(name, backend)


def print_line(name: str, backend: str) -> None:
    """Measure a case in a process of its own."""
    command = [sys.executable, str(Path(__file__)), name, "--backend", backend, "--alone"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name:26}{backend:9} {done.stderr.strip().splitlines()[-1]}")
        return
    found = json.loads(done.stdout.splitlines()[-1])
    ratio = f"{found['ratio']:.2f}x" if found["ratio"] else f"{found['seconds']:.1f} s"
    print(
        f"{name:26}{backend:9}{found['budget'] / 1e6:10.2f}{found['peak'] / 1e6:9.2f}{ratio:>7}"
        f"{found['steps']:12,}  {found['same']}",
        flush=True,
    )


def measured(case: Case, backend: str) -> dict[str, Any]:
    """Peak, time and bits of a case."""
    function, arguments = case.program()
    plain = rg.grad(function, case.floats, backend=backend)
    planned = rg.grad(function, case.floats, backend=backend, budget=case.budget)
    begun = time.perf_counter()
    gradient = planned(*arguments)
    once = time.perf_counter() - begun
    report = rg.explain(planned, *arguments)
    same: bool | None = None
    ratio = 0.0
    if case.rounds:
        same = np.array_equal(gradient, plain(*arguments))
        plan, everything = seconds([lambda: planned(*arguments), lambda: plain(*arguments)], case.rounds)
        ratio = plan / everything
    # The meter tells the allocator to give memory back at once, which costs time from then on.
    peak = measure_process(lambda: planned(*arguments)).peak_bytes
    return {
        "budget": parse_bytes(case.budget) if isinstance(case.budget, int) else 0,
        "peak": peak,
        "ratio": ratio,
        "seconds": once,
        "steps": steps_ahead(str(report)),
        "same": same,
    }


def steps_ahead(text: str) -> int:
    """The steps that run ahead of those that are reversed, as the explanation says."""
    before, found, _ = text.partition(" steps run ahead")
    return int(before.rsplit(" ", 1)[1].replace(",", "")) if found else 0


if __name__ == "__main__":
    main()
