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

import kernel_paths  # noqa: F401
import numpy as np
from kernels import KERNELS
from turns import seconds

import retrograde as rg
from retrograde.runtime.meters import measure_process


@dataclass(frozen=True)
class Case:
    """A program and a budget.

    Attributes:
        program: makes the function and its arguments.
        budget: bytes, or a share of the peak of storing everything.
        rounds: how often it is timed; 0 where storing everything is out of the question.
        wrt: the arguments to differentiate by.
        of: the outputs, where the function is no scalar.
    """

    program: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]
    budget: int | str
    rounds: int = 5
    wrt: Any = 0
    of: Any = None

    def gradient(self, backend: str, budget: int | str | None) -> tuple[Any, Callable[[], Any]]:
        """The derivative, and a call of it: with cotangents of one and on outputs that are there before."""
        function, arguments = self.program()
        if self.of is None:
            derivative = rg.grad(function, self.wrt, backend=backend, budget=budget)
            return derivative, lambda: derivative(*arguments)
        derivative = rg.vjp(function, self.wrt, of=self.of, backend=backend, budget=budget)
        outputs, _ = derivative(*arguments)
        ones = [np.ones_like(output) for output in outputs]
        cotangents = tuple(ones) if isinstance(outputs, tuple) else ones[0]
        return derivative, lambda: derivative(*arguments)[1](cotangents)


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


def kernel(name: str) -> dict[str, Any]:
    """A kernel at the size that NPBench calls "paper", with all of its outputs."""
    found = KERNELS[name]
    return {
        "program": lambda: (found.function, found.arguments("paper")),
        "wrt": found.wrt,
        "of": found.of if len(found.of) > 1 else found.of[0],
    }


CASES: dict[str, Case] = {
    "tanh 2.4 MB": Case(tanh_loop, 2_400_000),
    "tanh 4 MB": Case(tanh_loop, 4_000_000),
    "million steps 5 MB": Case(million_steps, 5_000_000, rounds=0),
    "large arrays 160 MB": Case(large_arrays, 160_000_000, rounds=1),
    "cavity_flow paper 1 %": Case(budget="1%", rounds=1, **kernel("cavity_flow")),
    "nbody paper 1 %": Case(budget="1%", rounds=1, **kernel("nbody")),
}


def main() -> None:
    """Print the table, or, for one case and backend, what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--backend", default="")
    parser.add_argument("--alone", action="store_true", help="measure in this process")
    parser.add_argument("--everything", action="store_true", help="and that only of storing everything")
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measured(CASES[options.names[0]], options.backend, everything=options.everything)))
        return
    header = f"{'case':26}{'backend':9}{'all MB':>9}{'budget MB':>10}{'peak MB':>9}{'time':>7}{'steps ahead':>12}  bits"
    print(header)
    for name in options.names or CASES:
        for backend in [options.backend] if options.backend else ("python", "numba"):
            print_line(name, backend)


def print_line(name: str, backend: str) -> None:
    """Measure a case in a process of its own, and storing everything in another, where that is within reach."""
    everything = alone(name, backend, "--everything") if CASES[name].rounds else {"peak": 0}
    found = alone(name, backend)
    if isinstance(found, str) or isinstance(everything, str):
        print(f"{name:26}{backend:9} {found if isinstance(found, str) else everything}")
        return
    ratio = f"{found['ratio']:.2f}x" if found["ratio"] else f"{found['seconds']:.1f} s"
    whole = f"{everything['peak'] / 1e6:.1f}" if everything["peak"] else "–"
    print(
        f"{name:26}{backend:9}{whole:>9}{found['budget'] / 1e6:10.2f}{found['peak'] / 1e6:9.2f}{ratio:>7}"
        f"{found['steps']:12,}  {found['same']}",
        flush=True,
    )


def alone(name: str, backend: str, *options: str) -> dict[str, Any] | str:
    """What a process of its own measures; where it fails, why."""
    command = [sys.executable, str(Path(__file__)), name, "--backend", backend, "--alone", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout.splitlines()[-1])


def measured(case: Case, backend: str, *, everything: bool = False) -> dict[str, Any]:
    """Peak, time and bits of a case; of storing everything the peak alone."""
    if everything:
        _, plain = case.gradient(backend, None)
        return {"peak": measure_process(plain).peak_bytes}
    derivative, planned = case.gradient(backend, case.budget)
    begun = time.perf_counter()
    gradient = planned()
    once = time.perf_counter() - begun
    report = rg.explain(derivative, *case.program()[1])
    same: bool | None = None
    ratio = 0.0
    if case.rounds:
        _, plain = case.gradient(backend, None)
        same = all(map(np.array_equal, arrays(gradient), arrays(plain())))
        plan, storing = seconds([planned, plain], case.rounds)
        ratio = plan / storing
    # The meter tells the allocator to give memory back at once, which costs time from then on.
    peak = measure_process(planned).peak_bytes
    return {
        "budget": report.budget.budget_bytes if report.budget is not None else 0,
        "peak": peak,
        "ratio": ratio,
        "seconds": once,
        "steps": steps_ahead(str(report)),
        "same": same,
    }


def arrays(gradient: Any) -> list[Any]:
    """The gradients of a tuple of arguments, or of one."""
    return list(gradient) if isinstance(gradient, tuple) else [gradient]


def steps_ahead(text: str) -> int:
    """The steps that run ahead of those that are reversed, as the explanation says."""
    before, found, _ = text.partition(" steps run ahead")
    return int(before.rsplit(" ", 1)[1].replace(",", "")) if found else 0


if __name__ == "__main__":
    main()
