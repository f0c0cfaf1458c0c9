"""The tape beside autograd 1.9 and JAX, in one run: `pip install autograd jax`, then `python benchmarks/tape.py`.

For each of the programs of `tape_programs.py`, in a small and in a large size, a process of its own takes gradients by
turns. Each figure is a ratio of ours to theirs, below 1 where ours is better: of times (the median of the rounds, CPU
seconds of the process), of overheads (the same less three times the plain program's, a gradient's arithmetic being
about that), and of the peaks of Python's allocations, NumPy's among them. JAX runs without jit, as a tape does, on the
wall's clock, for small sizes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from tape_programs import CASES, Case
from turns import seconds

import retrograde as rg
from retrograde.runtime.meters import measure_python

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}


def leaves(gradient: Any) -> list[Any]:
    """The arrays of a gradient, in order."""
    if isinstance(gradient, dict):
        return [leaf for key in sorted(gradient) for leaf in leaves(gradient[key])]
    if isinstance(gradient, (tuple, list)):
        return [leaf for part in gradient for leaf in leaves(part)]
    return [gradient]


def compare(case: Case, large: bool) -> dict[str, float]:
    """The ratios of one program."""
    import autograd
    import autograd.numpy

    x, data = case.inputs(large)
    grad_of_ours = rg.grad(lambda x: case.run(np, x, data))
    grad_of_theirs = autograd.grad(lambda x: case.run(autograd.numpy, x, data))

    def ours() -> Any:
        return grad_of_ours(x)

    def theirs() -> Any:
        return grad_of_theirs(x)

    for one, other in zip(leaves(ours()), leaves(theirs()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    rounds = 15 if large else 101
    our_time, their_time, plain = seconds([ours, theirs, lambda: case.run(np, x, data)], rounds, time.process_time)
    found = {"time": our_time / their_time, "peak": measure_python(ours).peak_bytes / measure_python(theirs).peak_bytes}
    if not large:
        found["overhead"] = (our_time - 3 * plain) / (their_time - 3 * plain)
        found["jax"] = time_against_jax(case, x, data, ours)
    return found


def time_against_jax(case: Case, x: Any, data: dict[str, Any], ours: Callable[[], Any]) -> float:
    """The time of a gradient beside that of `jax.grad` without jit."""
    import jax
    import jax.numpy

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(lambda x, data: case.run(jax.numpy, x, data))
    theirs_x = jax.tree.map(jax.numpy.asarray, x)
    arrays = {name: jax.tree.map(jax.numpy.asarray, value) for name, value in data.items()}
    theirs_data = {name: data[name] if isinstance(data[name], int) else arrays[name] for name in data}

    def theirs() -> None:
        jax.block_until_ready(grad(theirs_x, theirs_data))

    theirs()
    our_time, their_time = seconds([ours, theirs], 7, time.perf_counter)
    return our_time / their_time


def in_a_process(name: str, large: bool) -> dict[str, float]:
    """The ratios of one program, from a process of its own."""
    command = [sys.executable, __file__, "--one", name, *(["--large"] if large else [])]
    output = subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True, capture_output=True, text=True)
    return json.loads(output.stdout)


def mean(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(statistics.mean(map(math.log, values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", help="run one program here, and print its figures as JSON")
    parser.add_argument("--large", action="store_true", help="of that program the large size")
    parser.add_argument("names", nargs="*", help="only these programs")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # autograd's cosh overflows
    if arguments.one:
        (case,) = (case for case in CASES if case.name == arguments.one)
        print(json.dumps(compare(case, arguments.large)))
        return
    columns = [(False, "time"), (False, "overhead"), (False, "peak"), (False, "jax"), (True, "time"), (True, "peak")]
    print("| program | small: time | overhead | peak | time (JAX) | large: time | peak |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows: list[list[float]] = []
    for case in CASES:
        if not arguments.names or case.name in arguments.names:
            found = {large: in_a_process(case.name, large) for large in (False, True)}
            rows.append([found[large][column] for large, column in columns])
            print(f"| {case.name} | " + " | ".join(f"{value:.2g}" for value in rows[-1]) + " |", flush=True)
    means = [mean(list(column)) for column in zip(*rows, strict=True)]
    print("| geometric mean | " + " | ".join(f"{value:.2g}" for value in means) + " |")


if __name__ == "__main__":
    main()
