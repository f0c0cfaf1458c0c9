"""One trial of ``planner.py``: a plan and a bound for one graph and one budget, timed apart."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import retrograde as rg
from retrograde.planning.certificate import fixed_order_bound
from retrograde.planning.proving import proved_overhead
from retrograde.planning.searching.warming import warm_up, warm_up_exact


@dataclass(frozen=True)
class Trial:
    """What is planned.

    Attributes:
        graph: path of a graph in JSON.
        percent: budget in percent of the peak of the given order.
        seconds: time limit of the search.
        with_order: whether the bound on schedules in the given order is computed, too.
    """

    graph: str
    percent: float
    seconds: float
    with_order: bool = False

    @property
    def key(self) -> str:
        """What names it in the document of measurements."""
        return f"{Path(self.graph).stem}@{self.percent:g}"


@dataclass(frozen=True)
class Outcome:
    """What a trial found. Seconds are wall time; ``busy_seconds`` are CPU seconds of the process, all threads.

    Attributes:
        operations: of the graph.
        budget_bytes: the budget.
        overhead: of the plan found; None where none was.
        peak_bytes: of the plan found, or of the smallest plan where none fits.
        bound: proved on the overhead, in any order; None where it is proved that no schedule fits.
        order_bound: proved on the overhead of schedules in the given order; None where it was not asked for.
        seconds: that planning took, kernels loaded before; the search asks for a bound, too, to end when it is met.
        busy_seconds: the same in CPU seconds.
        bound_seconds: that the bound alone took, afterwards.
    """

    operations: int
    budget_bytes: int
    overhead: float | None
    peak_bytes: int
    bound: float | None
    order_bound: float | None
    seconds: float
    busy_seconds: float
    bound_seconds: float


def load_graph(path: str) -> tuple[rg.Graph, int]:
    """A graph, and the peak that budgets in percent refer to."""
    text = Path(path).read_text()
    document = json.loads(text)
    if "edges" not in document:
        graph = rg.Graph.from_json(text)
        return graph, graph.store_all_peak_bytes
    arrays = {name: document[name] for name in ("cost", "bytes", "edges", "order")}
    graph = rg.Graph.from_arrays(**arrays, name=Path(path).stem)
    return graph, document.get("baseline_peak_bytes", graph.store_all_peak_bytes)


def run_trial(trial: Trial) -> Outcome:
    """Plan and bound one graph."""
    graph, whole = load_graph(trial.graph)
    budget_bytes = int(whole * trial.percent / 100)
    warm_up()
    warm_up_exact()
    start, busy = time.perf_counter(), time.process_time()
    overhead: float | None = None
    proved = 0.0
    try:
        found = rg.plan(graph, budget_bytes, time_limit=trial.seconds)
        found.verify(graph)
        overhead, peak_bytes, proved = found.overhead, found.peak_bytes, found.bound
    except rg.BudgetError as error:
        peak_bytes = error.minimum_bytes
    seconds, busy_seconds = time.perf_counter() - start, time.process_time() - busy
    start = time.perf_counter()
    bound = max(proved, proved_overhead(graph, budget_bytes, math.inf if overhead is None else overhead))
    bound_seconds = time.perf_counter() - start
    order_bound = fixed_order_bound(graph, budget_bytes).overhead if trial.with_order else None
    return Outcome(
        operations=len(graph.operations),
        budget_bytes=budget_bytes,
        overhead=overhead,
        peak_bytes=peak_bytes,
        bound=_finite(bound),
        order_bound=None if order_bound is None else _finite(order_bound),
        seconds=seconds,
        busy_seconds=busy_seconds,
        bound_seconds=bound_seconds,
    )


def _finite(bound: float) -> float | None:
    return None if bound == float("inf") else bound
