"""``auto``: never worse than a simple strategy, far better than checkpointing blocks, and the same every time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from random_graphs import random_graph
from training_graphs import Training, gpt, mlp, resnet, unet

from retrograde import BudgetError, Graph
from retrograde.disk_cache import DiskCache
from retrograde.errors import UsageError
from retrograde.planning import STRATEGIES, Lowering
from retrograde.planning.compiling import compiled
from retrograde.planning.improve import Curve, Descent, Effort
from retrograde.planning.progress import Progress
from retrograde.planning.remembered import MOST_GRAPHS, forget
from retrograde.planning.searching import record, warming
from retrograde.planning.simulator import Simulator, condense
from retrograde.planning.strategies import Options, auto

NETWORKS = {"gpt": lambda: gpt(3), "mlp": lambda: mlp(10), "resnet": lambda: resnet((1, 2)), "unet": lambda: unet(3)}


@pytest.fixture(autouse=True)
def fresh_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    forget()
    yield
    forget()


def simple_plans(graph: Graph) -> list[tuple[int, float]]:
    lowering = Lowering(graph)
    found: list[tuple[int, float]] = []
    for candidates in STRATEGIES.values():
        try:
            found += [lowering.measure(sequence) for sequence in candidates(graph, Options())]
        except UsageError:
            continue
    return found


@given(st.integers(0, 10**9), st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_never_worse_than_a_simple_strategy_nor_better_than_brute_force(seed: int, odd: bool) -> None:
    graph = random_graph(seed, operations=6, odd=odd)
    oracle = Oracle(graph)
    for budget in sorted({peak for peak, _ in simple_plans(graph) if peak}):
        found = auto.search(graph, budget, iterations=4000)
        found.verify(graph)
        assert found.cost <= min(cost for peak, cost in simple_plans(graph) if peak <= budget)
        least = oracle.least_cost(budget)
        assert least is not None
        assert found.cost >= least


@given(st.integers(0, 10**9))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_the_minimum_can_be_asked_for(seed: int) -> None:
    graph = random_graph(seed, operations=12)
    with pytest.raises(BudgetError) as caught:
        auto.search(graph, -1)
    assert auto.search(graph, caught.value.minimum_bytes).peak_bytes <= caught.value.minimum_bytes
    assert caught.value.bound_bytes <= caught.value.minimum_bytes


@pytest.mark.parametrize("name", NETWORKS)
def test_much_cheaper_than_checkpointing_each_block(name: str) -> None:
    training: Training = NETWORKS[name]()
    graph = training.graph
    peak, cost = Lowering(graph).measure(training.block_checkpointed())
    found = auto.search(graph, peak)
    found.verify(graph)
    assert found.overhead <= 0.75 * (cost / graph.base_cost - 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_smaller_than_checkpointing_each_block(name: str) -> None:
    training: Training = NETWORKS[name]()
    with pytest.raises(BudgetError) as caught:
        auto.search(training.graph, 1)
    assert caught.value.minimum_bytes < Lowering(training.graph).measure(training.block_checkpointed())[0]
    assert caught.value.bound_bytes <= caught.value.minimum_bytes


def test_the_minimum_can_be_asked_for_in_another_process() -> None:
    graph = gpt(1).graph
    with pytest.raises(BudgetError) as caught:
        auto.search(graph, 1)
    forget()
    assert auto.search(graph, caught.value.minimum_bytes, time_limit=0.0).peak_bytes <= caught.value.minimum_bytes


def test_a_stored_plan_that_is_not_usable_is_reported_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    graph = gpt(1).graph
    stored = DiskCache("smallest-peak")
    stored.put(graph.fingerprint, {"sequence": [[0, 0, 10**6], []]})
    with caplog.at_level(logging.WARNING, "retrograde"), pytest.raises(BudgetError) as caught:
        auto.search(graph, 1)
    assert "is not usable" in caplog.text
    document = stored.get(graph.fingerprint)
    assert document is not None
    assert document["peak_bytes"] == caught.value.minimum_bytes


def test_deterministic_for_a_seed_when_iterations_bound_the_search() -> None:
    graph = mlp(8).graph
    budget = graph.store_all_peak_bytes // 3
    first = auto.search(graph, budget, iterations=2000, seed=3)
    forget()
    assert auto.search(graph, budget, iterations=2000, seed=3) == first
    assert dict(first.statistics)["visits"] <= 2000 + 256


def test_a_larger_budget_is_never_dearer() -> None:
    graph = unet(3).graph
    costs: list[float] = []
    for percent in (40, 45, 50, 60, 70, 85, 100):
        costs.append(auto.search(graph, graph.store_all_peak_bytes * percent // 100, iterations=1500).cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == graph.base_cost


def test_no_budget_and_no_time_still_give_a_plan() -> None:
    graph = gpt(1).graph
    assert auto.search(graph, None).overhead == 0
    assert auto.search(graph, graph.store_all_peak_bytes, time_limit=0.0).overhead == 0


def test_progress_is_told_of_both_stages() -> None:
    seen: list[Progress] = []
    with pytest.raises(BudgetError):
        auto.search(gpt(1).graph, 1, progress=seen.append)
    assert {"greedy descent", "smallest peak"} <= {report.stage for report in seen}


def test_warming_up_is_told_once_and_postpones_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_is_warm", [])
    seen: list[Progress] = []
    assert warming.warm_up(seen.append) > 0
    assert warming.warm_up(seen.append) == 0
    assert [report.stage for report in seen] == ["loading compiled kernels"]
    effort = Effort(seconds=0.0)
    effort.postpone(60.0)
    assert not effort.is_spent


def test_memory_of_graphs_is_bounded() -> None:
    for size in range(MOST_GRAPHS + 3):
        auto.search(Graph.from_arrays(cost=[1], bytes=[size], edges=[]), 100)
    assert len(record._records) == MOST_GRAPHS


def test_a_descent_ends_within_its_budget_and_agrees_with_the_referee() -> None:
    graph = resnet((1, 1)).graph
    problem = condense(graph)
    descent = Descent(problem, Effort(), 1, lambda peak_bytes, nodes: None)
    budget = int(0.6 * graph.store_all_peak_bytes)
    assert descent.fit(problem.sequence, budget)
    sequence = descent.simulator.sequence()
    peak, cost = Lowering(graph).measure(sequence)
    assert peak <= budget
    assert cost == pytest.approx(descent.simulator.cost)
    assert Simulator(graph, sequence).peak_bytes == peak


def test_an_effort_is_spent_by_visits_or_by_time() -> None:
    effort = Effort(visits=10)
    assert not effort.is_spent
    effort.done = 10
    assert effort.is_spent
    assert Effort(seconds=0.0).is_spent
    assert Effort(visits=5).part(100).visits == 5
    assert not Effort().part(100).is_spent


def test_a_curve_keeps_what_no_other_beats() -> None:
    curve = Curve(lambda sequence: (sequence[0][0], float(sequence[0][1])))
    for peak, cost in ((10, 1), (5, 3), (6, 4), (5, 2)):
        curve.add([[peak, cost]])
    assert curve.smallest.cost == 2.0
    best = curve.best(9)
    assert best is not None
    assert best.peak_bytes == 5


def test_kernels_compile_where_nothing_is_writable(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    def nowhere(*_: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(caching.FunctionCache, "__init__", nowhere)
    assert compiled(_double)(4) == 8


def _double(x: int) -> int:
    return 2 * x


def test_the_core_loads_no_compiler(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, retrograde.planning.simulator, retrograde.planning.strategies.auto; print('numba' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "False"
