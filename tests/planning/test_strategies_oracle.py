"""Every strategy against brute force over all schedules of small random graphs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from oracle import Oracle
from small_graphs import small_graphs

from retrograde import BudgetError, Graph, Plan
from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.planning import STRATEGIES, Lowering, certify, plan
from retrograde.planning.strategies import Options

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def check_every_candidate(graph: Graph) -> None:
    """The referee takes each candidate and sees what was measured; no schedule beats the oracle's."""
    oracle = Oracle(graph)
    least_peak = oracle.least_peak()
    assert peak_bound_bytes(graph) <= least_peak
    lowering = Lowering(graph)
    least_cost: dict[int, float | None] = {}
    for name, candidates in STRATEGIES.items():
        for candidate in candidates(graph, Options()):
            schedule = lowering.lower(candidate)
            found = certify(graph, schedule.actions, schedule.segments, strategy=name)
            assert (found.peak_bytes, found.cost) == lowering.measure(candidate)
            assert found.peak_bytes >= least_peak
            if found.peak_bytes not in least_cost:
                least_cost[found.peak_bytes] = oracle.least_cost(found.peak_bytes)
            best = least_cost[found.peak_bytes]
            assert best is not None
            assert found.cost >= best


@settings(max_examples=150, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_candidates_on_small_graphs(graph: Graph) -> None:
    check_every_candidate(graph)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=8))
def test_candidates_on_larger_graphs(graph: Graph) -> None:
    check_every_candidate(graph)


@settings(max_examples=150, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=8))
def test_store_all_reaches_its_peak(graph: Graph) -> None:
    found = plan(graph, None, "store_all")
    assert found.peak_bytes == graph.store_all_peak_bytes
    assert found.cost == graph.base_cost


@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_budgets(graph: Graph) -> None:
    least_peak = Oracle(graph).least_peak()
    for name in STRATEGIES:
        free = plan(graph, None, name)
        free.verify(graph)
        assert Plan.from_json(free.to_json()) == free
        smallest = smallest_budget(graph, name)
        if smallest == 0:
            continue
        assert smallest >= least_peak
        found = plan(graph, smallest, name)
        assert found.peak_bytes == smallest
        assert found.cost >= free.cost
        if smallest > 1:
            with pytest.raises(BudgetError, match="is not met by strategy") as caught:
                plan(graph, smallest - 1, name)
            assert caught.value.minimum_bytes == smallest
            assert caught.value.bound_bytes <= least_peak


def smallest_budget(graph: Graph, name: str) -> int:
    lowering = Lowering(graph)
    return min(lowering.measure(c)[0] for c in STRATEGIES[name](graph, Options()))
