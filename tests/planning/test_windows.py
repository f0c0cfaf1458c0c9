"""Exact windows: never dearer, never above the budget, and as cheap as the optimum where the window is everything."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from oracle import Oracle
from random_graphs import random_graph
from small_graphs import small_graphs

from retrograde import BudgetError, Graph
from retrograde.planning import Compute, Lowering, Plan, certify, plan
from retrograde.planning.exact import windows
from retrograde.planning.exact.windows import polish_with_windows
from retrograde.planning.improve import Effort

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def sequence_of(found: Plan) -> list[list[int]]:
    return [
        [action.operation for action in found.segment_actions(segment) if isinstance(action, Compute)]
        for segment in range(len(found.segments))
    ]


def polished(graph: Graph, sequence: Sequence[Sequence[int]], budget: int, seed: int = 0) -> tuple[int, float]:
    """The peak and cost after polishing, as the referee sees them."""
    better = polish_with_windows(graph, sequence, budget, Effort(50_000), seed)
    schedule = Lowering(graph).lower(better)
    found = certify(graph, schedule.actions, schedule.segments, strategy="windows", budget_bytes=budget)
    return found.peak_bytes, found.cost


@settings(max_examples=150, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=7))
def test_a_window_over_everything_is_optimal(graph: Graph) -> None:
    """Unless the graph retains, or the lowering cannot say what the optimum does, nothing cheaper exists."""
    budget = max(1, (Oracle(graph).least_peak() + graph.store_all_peak_bytes) // 2)
    try:
        start = plan(graph, budget, "recompute_all")
    except BudgetError:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "LENGTHS", ((200, False),))
        peak, cost = polished(graph, sequence_of(start), budget)
    least = Oracle(graph).least_cost(budget)
    assert least is not None
    assert peak <= budget
    assert least <= cost <= start.cost
    if not graph.retain and not any(o.may_overwrite or graph.is_view(i) for i, o in enumerate(graph.operations)):
        assert cost == least


@pytest.mark.parametrize("seed", range(12))
def test_short_windows_never_hurt(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "LENGTHS", ((5, False), (9, True)))
    graph = random_graph(seed, operations=24)
    start = plan(graph, None, "recompute_all")
    budget = start.peak_bytes + random.Random(seed).randint(0, 8)
    peak, cost = polished(graph, sequence_of(start), budget, seed)
    assert peak <= budget
    assert cost <= start.cost


def test_short_windows_save() -> None:
    """A value made twice although there is room for it, in a chain far too long for one window."""
    count = 300
    edges = [(i, i + 1) for i in range(count - 1)] + [(100, 105), (200, 205)]
    graph = Graph.from_arrays(cost=[1] * count, bytes=[8] * count, edges=edges)
    wasteful = [*range(102), 100, *range(102, count)]
    assert Lowering(graph).measure([wasteful])[1] == count + 1
    assert polished(graph, [wasteful], 32)[1] == count


def test_the_same_seed_gives_the_same_sequence() -> None:
    graph = random_graph(5, operations=30)
    start = sequence_of(plan(graph, None, "recompute_all"))
    budget = Lowering(graph).measure(start)[0] + 4
    one, two = (polish_with_windows(graph, start, budget, Effort(20_000), 3) for _ in range(2))
    assert one == two


def test_what_cannot_be_polished_comes_back() -> None:
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
    assert polish_with_windows(graph, [[0, 1, 2]], 16, Effort(100)) == [[0, 1, 2]]
    assert polish_with_windows(graph, [[0, 1, 0, 1, 2]], 8, Effort(100)) == [[0, 1, 0, 1, 2]]
    assert polish_with_windows(graph, [[0, 0, 1, 2]], 16, Effort(0)) == [[0, 0, 1, 2]]
