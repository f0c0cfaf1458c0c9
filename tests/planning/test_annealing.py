"""Annealing: the state after any moves is exact, results are certified, the same seed gives the same result."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle
from random_graphs import random_graph

from retrograde import Graph
from retrograde.errors import UsageError
from retrograde.planning.improve import Annealing, Effort
from retrograde.planning.improve.annealing_kernels import ACCEPTED, BEST, FEE, PRICE, TEMPERATURE, anneal_steps
from retrograde.planning.improve.worker import Task, Worker
from retrograde.planning.lowering import Lowering
from retrograde.planning.plan import Plan, certify
from retrograde.planning.simulator import Problem, Simulator, condense, sequence_of
from retrograde.planning.simulator.layout import MISSING, OVERLOAD
from retrograde.planning.simulator.order_kernels import watch


def annealed(simulator: Simulator, budget_bytes: int, steps: int, seed: int, *, coarse: int = 0) -> int:
    """Make moves at a temperature at which many are accepted; returns how many were."""
    state = simulator.state
    watch(state, budget_bytes, coarse)
    control = np.zeros(6)
    control[TEMPERATURE], control[PRICE], control[FEE], control[BEST] = 2.0, 0.3, 0.5, np.inf
    counts = np.zeros(3, dtype=np.int64)
    best = np.zeros(state.slot.shape[1], dtype=np.int64)
    random = np.array([seed + 1], dtype=np.int64)
    anneal_steps(simulator.problem.arrays, state, steps, control, random, counts, best)
    return int(counts[ACCEPTED])


def check_against_fresh(simulator: Simulator, budget_bytes: int) -> None:
    """The state is that of its own sequence, simulated anew."""
    fresh = Simulator(simulator.problem)
    fresh.load(simulator.nodes())
    watch(fresh.state, budget_bytes, 0)
    assert [simulator.bytes_at(s) for s in simulator.slots()] == [fresh.bytes_at(s) for s in fresh.slots()]
    assert simulator.cost == pytest.approx(fresh.cost, rel=1e-9, abs=1e-9)
    assert simulator.state.number[MISSING] == 0
    assert simulator.state.number[OVERLOAD] == fresh.state.number[OVERLOAD] == simulator.overload(budget_bytes)
    assert simulator.is_valid


def certified(problem: Problem, nodes: list[int], budget_bytes: int) -> Plan:
    schedule = Lowering(problem.graph).lower(sequence_of(problem, nodes))
    return certify(problem.graph, schedule.actions, schedule.segments, strategy="annealing", budget_bytes=budget_bytes)


def layered(seed: int, operations: int) -> Graph:
    """A graph of one segment in which values are read long after they are made."""
    rng = np.random.default_rng(seed)
    edges = [(v - 1, v) for v in range(1, operations)]
    edges += [(int(rng.integers(0, v)), v) for v in range(2, operations) if rng.random() < 0.7]
    return Graph.from_arrays(
        cost=rng.integers(1, 20, operations).tolist(),
        bytes=rng.integers(1, 20, operations).tolist(),
        edges=sorted(set(edges)),
    )


@given(st.integers(0, 10**9), st.booleans(), st.integers(1, 400))
@settings(max_examples=120, deadline=None)
def test_the_state_after_any_moves_is_that_of_a_fresh_simulation(seed: int, odd: bool, steps: int) -> None:
    graph = random_graph(seed, operations=seed % 14 + 1, odd=odd)
    simulator = Simulator(graph, slots=200)
    budget_bytes = simulator.peak_bytes * 2 // 3
    annealed(simulator, budget_bytes, steps, seed)
    check_against_fresh(simulator, budget_bytes)


def test_long_sequences_stay_exact_through_many_accepted_moves() -> None:
    simulator = Simulator(layered(3, 300), slots=4000)
    budget_bytes = simulator.peak_bytes // 2
    for seed in range(4):
        assert annealed(simulator, budget_bytes, 5000, seed) > 100
        check_against_fresh(simulator, budget_bytes)


@given(st.integers(0, 10**9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_fits_is_certified_and_never_dearer_than_the_start(seed: int, odd: bool) -> None:
    problem = condense(random_graph(seed, operations=10, odd=odd))
    start = Simulator(problem)
    annealing = Annealing(problem, Effort(3000), seed, threads=1)
    assert annealing.fit(problem.sequence, start.peak_bytes)
    plan = certified(problem, annealing.nodes, start.peak_bytes)
    assert annealing.cost <= start.cost
    smaller = Annealing(problem, Effort(3000), seed, threads=1)
    if smaller.fit(problem.sequence, start.peak_bytes * 4 // 5):
        assert certified(problem, smaller.nodes, start.peak_bytes * 4 // 5).cost >= plan.cost


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_and_moves_give_the_same_result(threads: int) -> None:
    problem = condense(layered(1, 60))
    budget_bytes = Simulator(problem).peak_bytes * 7 // 10
    found = []
    for _ in range(2):
        annealing = Annealing(problem, Effort(150_000), 7, threads=threads)
        assert annealing.fit(problem.sequence, budget_bytes)
        found.append((annealing.cost, annealing.nodes, annealing.effort.done))
    assert found[0] == found[1]
    assert found[0][2] == 150_000


@given(st.integers(0, 10**9), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_coarse_overload_is_nothing_only_if_everything_fits(seed: int, coarse: int) -> None:
    simulator = Simulator(random_graph(seed, operations=9), slots=200)
    for budget_bytes in (simulator.peak_bytes, simulator.peak_bytes - 1, simulator.peak_bytes // 2):
        annealed(simulator, budget_bytes, 50, seed, coarse=coarse)
        watched = simulator.state.number[OVERLOAD]
        above = [max(0, simulator.bytes_at(s) - budget_bytes) for s in simulator.slots()]
        assert watched == sum(-(-bytes_above // 2**coarse) for bytes_above in above)


def test_reordering_alone_finds_a_free_plan_that_the_given_order_is_not() -> None:
    """Two branches, each wide inside: the given order runs them side by side, one after the other needs less."""
    graph = Graph.from_arrays(
        cost=[1] * 7,
        bytes=[1, 8, 8, 8, 8, 1, 1],
        edges=[(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)],
    )
    problem = condense(graph)
    assert Simulator(problem).peak_bytes == 24
    annealing = Annealing(problem, Effort(20_000), threads=1)
    assert annealing.fit(problem.sequence, 18)
    assert certified(problem, annealing.nodes, 18).cost == 7.0
    assert annealing.effort.done < 20_000, "it ends once nothing is left to save"
    lower = Annealing(problem, Effort(20_000), threads=1)
    assert lower.lower(problem.sequence, reorder_only=True) == 17
    assert lower.cost == 7.0


def test_it_finds_the_optimum_of_small_graphs() -> None:
    """Graphs of eight operations at a budget halfway between the smallest peak and that of the given order."""
    found = []
    for seed in range(12):
        graph = layered(seed, 8)
        oracle = Oracle(graph)
        budget_bytes = (oracle.least_peak() + graph.store_all_peak_bytes) // 2
        problem = condense(graph)
        annealing = Annealing(problem, Effort(60_000), seed, threads=1)
        assert annealing.fit(problem.sequence, budget_bytes)
        plan = certified(problem, annealing.nodes, budget_bytes)
        optimum = oracle.least_cost(budget_bytes)
        assert optimum is not None
        assert plan.cost >= optimum
        found.append(plan.cost == optimum)
    assert found == [True] * 12


def test_the_smallest_peak_of_small_graphs_is_found() -> None:
    found = []
    for seed in range(12):
        graph = layered(seed, 8)
        least = Oracle(graph).least_peak()
        problem = condense(graph)
        annealing = Annealing(problem, Effort(150_000), seed, threads=1)
        peak_bytes = annealing.lower(problem.sequence, least_bytes=least)
        assert certified(problem, annealing.nodes, peak_bytes).peak_bytes == peak_bytes
        found.append(peak_bytes == least)
    assert found == [True] * 12


def test_a_search_for_the_smallest_peak_ends_at_what_is_proved_to_be_the_least() -> None:
    problem = condense(layered(2, 20))
    annealing = Annealing(problem, Effort(10**9), threads=1)
    peak_bytes = Simulator(problem).peak_bytes
    assert annealing.lower(problem.sequence, least_bytes=peak_bytes) == peak_bytes
    assert annealing.effort.done == 0


def test_costs_of_very_different_size_lose_nothing() -> None:
    cost = [1e12, 1.0, 1e-3, 1e12, 2.0, 1e-3, 1e12, 3.0]
    edges = [(v - 1, v) for v in range(1, 8)] + [(1, 6), (2, 7), (0, 5)]
    graph = Graph.from_arrays(cost=cost, bytes=[4, 4, 4, 4, 4, 4, 4, 4], edges=edges)
    problem = condense(graph)
    budget_bytes = Oracle(graph).least_peak()
    annealing = Annealing(problem, Effort(60_000), 1, threads=1)
    assert annealing.fit(problem.sequence, budget_bytes)
    plan = certified(problem, annealing.nodes, budget_bytes)
    assert plan.cost == annealing.cost == Oracle(graph).least_cost(budget_bytes)


def test_bytes_beyond_the_exact_floats_are_summed_exactly() -> None:
    huge = 2**55 + 1
    edges = [(0, 1), (1, 2), (0, 3), (2, 3), (3, 4), (1, 4)]
    graph = Graph.from_arrays(cost=[1, 5, 5, 5, 5], bytes=[huge, huge, 3, huge, 5], edges=edges)
    problem = condense(graph)
    budget_bytes = Oracle(graph).least_peak()
    annealing = Annealing(problem, Effort(20_000), threads=1)
    assert annealing.fit(problem.sequence, budget_bytes)
    assert certified(problem, annealing.nodes, budget_bytes).cost == Oracle(graph).least_cost(budget_bytes)


def test_more_bytes_than_can_be_summed_are_refused() -> None:
    graph = Graph.from_arrays(cost=[1, 1], bytes=[2**58, 2**58], edges=[(0, 1)])
    with pytest.raises(UsageError, match=r"come to 576460752303423488 bytes; .* Describe the graph in a larger unit"):
        Annealing(condense(graph), Effort(10))


def test_graphs_with_nothing_to_do_end_at_once() -> None:
    for graph in (
        Graph.from_arrays(cost=[0], bytes=[8], edges=[]),
        Graph.from_arrays(cost=[0, 0, 0], bytes=[0, 0, 0], edges=[(0, 1)]),
    ):
        problem = condense(graph)
        annealing = Annealing(problem, Effort(1000))
        assert annealing.fit(problem.sequence, graph.store_all_peak_bytes)
        assert annealing.effort.done == 0


def test_what_cannot_fit_is_said_to_fit_not() -> None:
    problem = condense(Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)]))
    annealing = Annealing(problem, Effort(5000), threads=1)
    assert not annealing.fit(problem.sequence, 15)
    assert annealing.nodes == []


def test_a_budget_that_nothing_fits_is_approached_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = condense(layered(4, 9))
    least = Oracle(problem.graph).least_peak()
    budgets: list[int] = []
    cycle = Worker.cycle

    def recorded(worker: Worker, task: Task) -> None:
        budgets.append(task.budget_bytes)
        cycle(worker, task)

    monkeypatch.setattr(Worker, "cycle", recorded)
    annealing = Annealing(problem, Effort(200_000), threads=1)
    assert not annealing.fit(problem.sequence, least - 1)
    assert budgets[:2] == [least - 1] * 2
    assert max(budgets) > least
    assert budgets[2] == max(budgets)


def test_an_interrupt_leaves_the_best_so_far() -> None:
    problem = condense(layered(1, 60))
    peak_bytes = Simulator(problem).peak_bytes
    seen: list[float] = []

    def report(cost: float, nodes: list[int]) -> None:
        seen.append(cost)
        if len(seen) == 2:
            raise KeyboardInterrupt

    annealing = Annealing(problem, Effort(10**12), report=report)
    start = Annealing(problem, Effort(200_000), 3)
    start.lower(problem.sequence)
    with pytest.raises(KeyboardInterrupt):
        annealing.fit(start.nodes, peak_bytes * 3 // 4)
    assert annealing.cost == seen[-1] < seen[0]
    assert certified(problem, annealing.nodes, peak_bytes * 3 // 4).cost == pytest.approx(seen[-1])


def test_a_stop_from_another_thread_ends_the_search() -> None:
    problem = condense(layered(1, 60))
    annealing = Annealing(problem, Effort(10**12))
    timer = threading.Timer(0.5, annealing.stop)
    timer.start()
    annealing.fit(problem.sequence, Simulator(problem).peak_bytes * 6 // 10)
    timer.join()
    assert 0 < annealing.effort.done < 10**12


def test_a_deadline_ends_the_search() -> None:
    problem = condense(layered(1, 60))
    annealing = Annealing(problem, Effort(seconds=0.5))
    annealing.fit(problem.sequence, Simulator(problem).peak_bytes * 6 // 10)
    assert annealing.effort.is_spent


def test_what_a_thread_raises_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = condense(layered(1, 20))
    annealing = Annealing(problem, Effort(10_000))
    monkeypatch.setattr("retrograde.planning.improve.worker._set", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        annealing.fit(problem.sequence, Simulator(problem).peak_bytes // 2)
