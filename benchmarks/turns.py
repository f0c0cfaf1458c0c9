"""Median times of functions that are called in turns, so that what disturbs one disturbs the others alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def seconds(
    functions: list[Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
    uncounted: int = 0,
) -> list[float]:
    """The median time of each function.

    Args:
        functions: called without arguments.
        rounds: how often each is timed.
        clock: the process's, or the wall's.
        uncounted: rounds before those that count.
    """
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(uncounted + rounds):
        for function, found in zip(functions, times, strict=True):
            begun = clock()
            function()
            if turn >= uncounted:
                found.append(clock() - begun)
    return [statistics.median(found) for found in times]
