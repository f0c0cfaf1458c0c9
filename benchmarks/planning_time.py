"""How long planning takes: a graph of about 1,200 operations, Numba warm, and cold in a fresh process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from models import GPT
from timing import CLOCKS

import retrograde as rg
from retrograde.planning.remembered import forget

LAYERS = 13
_COLD = """
import sys, time
import retrograde as rg
graph = rg.Graph.from_json(open(sys.argv[1]).read())
clock = getattr(time, sys.argv[2])
start = clock()
rg.plan(graph, "50%")
print(clock() - start)
"""


@dataclass(frozen=True)
class PlanningTimes:
    """Seconds that planning took.

    Attributes:
        operations: of the graph.
        warm: pairs of a budget and seconds, each with nothing remembered of the graph.
        cold_seconds: at half the store-all peak in a fresh process whose Numba cache is empty.
    """

    operations: int
    warm: tuple[tuple[str, float], ...]
    cold_seconds: float


def planning_times(budgets: Sequence[str], clock: str = "wall") -> PlanningTimes:
    """Plan the joint graph of a GPT for each budget, in seconds of a clock of ``timing``."""
    read = CLOCKS[clock]
    module = GPT(LAYERS, 96, 4, 512, 256)
    tokens = torch.zeros(4, 256, dtype=torch.int64)
    graph = rg.torch.capture_graph(module, (tokens, tokens))
    rg.plan(rg.Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)]), 16)
    rg.plan(graph, "70%")
    warm: list[tuple[str, float]] = []
    for budget in budgets:
        forget()
        start = read()
        with contextlib.suppress(rg.BudgetError):
            rg.plan(graph, budget)
        warm.append((budget, read() - start))
    return PlanningTimes(len(graph.operations), tuple(warm), _cold_seconds(graph, read.__name__))


def _cold_seconds(graph: rg.Graph, clock: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.json")
        path.write_text(graph.to_json())
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _COLD, str(path), clock]
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(output.stdout)
