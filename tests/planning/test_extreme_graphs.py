"""Graphs that are at the edge of what can be planned: empty of costs, of bytes, of edges, or with numbers far apart."""

from __future__ import annotations

import math

import pytest

import retrograde as rg

LAYERS = 7


def step(cost: list[float], size: list[int]) -> rg.Graph:
    """A forward of some layers and their backward, each of which reads the layer that it mirrors."""
    count = len(cost)
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, count - 1 - i) for i in range(count // 2 - 1)]
    return rg.Graph.from_arrays(cost=cost, bytes=size, edges=edges)


def planned(graph: rg.Graph, budget: str | int) -> rg.Plan:
    found = rg.plan(graph, budget, iterations=3000)
    found.verify(graph)
    assert 0 <= found.bound <= found.overhead + 1e-12
    return found


def test_operations_without_cost_are_recomputed_for_nothing() -> None:
    graph = step([0.0] * 2 * LAYERS, [8] * 2 * LAYERS)
    found = planned(graph, "60%")
    assert found.base_cost == found.cost == found.overhead == found.bound == 0
    assert len(found.actions) > len(graph.operations)


def test_storages_without_bytes_fit_any_budget() -> None:
    graph = step([1.0] * 2 * LAYERS, [0] * 2 * LAYERS)
    assert graph.store_all_peak_bytes == 0
    assert planned(graph, 1).overhead == 0


def test_some_free_operations_among_others() -> None:
    cost = [float(i % 2) for i in range(2 * LAYERS)]
    found = planned(step(cost, [8] * 2 * LAYERS), "60%")
    assert math.isfinite(found.overhead)


def test_a_single_operation() -> None:
    graph = rg.Graph.from_arrays(cost=[3.0], bytes=[8], edges=[])
    assert planned(graph, 8).actions == (rg.Compute(0), rg.Free(0))
    with pytest.raises(rg.BudgetError) as error:
        rg.plan(graph, 7)
    assert (error.value.minimum_bytes, error.value.bound_bytes) == (8, 8)
    (point,) = rg.tradeoff(graph, points=1, iterations=10)
    assert point.bound == 0


def test_parts_that_do_not_touch() -> None:
    one = step([1.0] * 2 * LAYERS, [8] * 2 * LAYERS)
    count = len(one.operations)
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, count - 1 - i) for i in range(LAYERS - 1)]
    both = rg.Graph.from_arrays(
        cost=[1.0] * 2 * count,
        bytes=[8] * 2 * count,
        edges=[*edges, *((u + count, v + count) for u, v in edges)],
    )
    alone, together = planned(one, 40), planned(both, 40)
    assert together.cost <= 2 * alone.cost
    lonely = rg.Graph.from_arrays(cost=[1.0, 2.0, 3.0], bytes=[8, 8, 8], edges=[])
    assert planned(lonely, 8).overhead == 0


def test_costs_that_differ_by_a_million_millions_are_not_rounded_away() -> None:
    """The cheap half is what a plan recomputes, and its cost is in the overhead to the last digit."""
    cost = [1e-6 if i % 2 else 1e6 for i in range(2 * LAYERS)]
    graph = step(cost, [8] * 2 * LAYERS)
    found = planned(graph, "80%")
    again = math.fsum(cost[a.operation] for a in found.actions if isinstance(a, rg.Compute)) - math.fsum(cost)
    assert 0 < again < 1e-3
    assert found.cost > found.base_cost


@pytest.mark.parametrize("size", [2**31 + 1, 2**53 + 1, 2**56 + 1])
def test_bytes_beyond_what_ints_of_32_bits_and_floats_hold(size: int) -> None:
    graph = step([1.0] * 2 * LAYERS, [size] * 2 * LAYERS)
    small = step([1.0] * 2 * LAYERS, [1] * 2 * LAYERS)
    assert graph.store_all_peak_bytes == size * small.store_all_peak_bytes
    budget = small.store_all_peak_bytes - 2
    found = planned(graph, size * budget)
    assert found.peak_bytes == size * planned(small, budget).peak_bytes
    assert found.cost == planned(small, budget).cost
    with pytest.raises(rg.BudgetError) as error:
        rg.plan(graph, 3 * size - 1, iterations=100)
    assert error.value.bound_bytes == 3 * size


def test_an_interrupted_search_keeps_what_it_found() -> None:
    graph = step([float(1 + i % 3) for i in range(40)], [8 + i % 5 for i in range(40)])
    calls = 0

    def interrupt(progress: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rg.plan(graph, "70%", iterations=10**7, progress=interrupt)
    planned(graph, "70%")


@pytest.mark.slow
def test_a_hundred_thousand_operations() -> None:
    count = 50_000
    edges = [(i, i + 1) for i in range(2 * count - 1)] + [(i, 2 * count - 1 - i) for i in range(count - 1)]
    graph = rg.Graph.from_arrays(cost=[1.0] * 2 * count, bytes=[1] * 2 * count, edges=edges)
    found = rg.plan(graph, "50%", time_limit=90.0)
    assert found.peak_bytes <= graph.store_all_peak_bytes // 2
    assert found.overhead < 0.5
