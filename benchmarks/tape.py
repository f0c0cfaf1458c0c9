"""The tape against autograd 1.9, side by side in one run: `pip install autograd`, then `python benchmarks/tape.py`.

Prints, for a chain of 1000 elementwise operations at several sizes: the time of a gradient, the overhead (that time
less three times the plain function's, a gradient's arithmetic being about that), and the peak of Python's allocations.
Each is a ratio, retrograde to autograd; below 1 is better.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy
import numpy as np

import retrograde as rg

SIZES = (4, 1_000, 100_000)
ROUNDS = 15


def chain(numpy: Any, x: Any) -> Any:
    """1000 operations, of which half need a residual."""
    y = x
    for _ in range(250):
        y = numpy.sin(y * 1.01)
        y = numpy.tanh(y + x)
    return numpy.sum(y)


def seconds(functions: list[Callable[[Any], Any]], x: Any) -> list[float]:
    """The median time of each, in turns."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, found in zip(functions, times, strict=True):
            begun = time.perf_counter()
            function(x)
            found.append(time.perf_counter() - begun)
    return [statistics.median(found) for found in times]


def peak_bytes(function: Callable[[Any], Any], x: Any) -> int:
    """The most that Python allocated at one moment of a call."""
    gc.collect()
    tracemalloc.start()
    function(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    ours = rg.grad(lambda x: chain(np, x))
    theirs = autograd.grad(lambda x: chain(autograd.numpy, x))
    print(f"{'size':>8} {'time':>6} {'overhead':>9} {'peak':>6}")
    for size in SIZES:
        x = np.linspace(0.1, 0.9, size)
        np.testing.assert_allclose(ours(x), theirs(x))
        our_time, their_time, plain = seconds([ours, theirs, lambda x: chain(np, x)], x)
        overhead = (our_time - 3 * plain) / (their_time - 3 * plain) if their_time > 6 * plain else float("nan")
        peaks = peak_bytes(ours, x) / peak_bytes(theirs, x)
        print(f"{size:>8} {our_time / their_time:>6.2f} {overhead:>9.2f} {peaks:>6.2f}")


if __name__ == "__main__":
    main()
