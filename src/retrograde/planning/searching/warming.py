"""Loading compiled kernels ahead of a search, so that no time limit pays for it."""

from __future__ import annotations

import time

from retrograde.graph import Graph
from retrograde.planning.exact.windows import polish_with_windows
from retrograde.planning.improve import Annealing, Descent, Effort
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.simulator import condense


def warm_up(progress: ProgressCallback | None = None) -> float:
    """Load the compiled kernels, or compile them where no cache holds them (some half a minute, once a machine).

    A search does this by itself, and its time limit begins afterwards; call it early to be rid of the wait.

    Returns:
        The seconds that it took; 0 when it was done before.
    """
    if _is_warm:
        return 0.0
    begun = time.monotonic()
    if progress is not None:
        progress(Progress("loading compiled kernels"))
    graph = Graph.from_arrays(cost=[1, 1, 1, 1], bytes=[8, 8, 8, 8], edges=[(0, 1), (1, 2), (0, 3), (2, 3)])
    problem = condense(graph)
    descent = Descent(problem, Effort(), 0, lambda peak_bytes, nodes: None)
    descent.fit(problem.sequence, 16, always=True)
    descent.polish(1 << 40)
    Annealing(problem, Effort(64), threads=1).fit(problem.sequence, 16)
    _is_warm.append(True)
    return time.monotonic() - begun


def warm_up_exact(progress: ProgressCallback | None = None) -> float:
    """``warm_up`` for the kernels of the exact search, which only small graphs and windows need."""
    if _is_warm_exact:
        return 0.0
    begun = time.monotonic()
    if progress is not None:
        progress(Progress("loading compiled kernels"))
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)])
    polish_with_windows(graph, [[0, 1, 0, 2]], 24, Effort(100))
    _is_warm_exact.append(True)
    return time.monotonic() - begun


_is_warm: list[bool] = []
_is_warm_exact: list[bool] = []
