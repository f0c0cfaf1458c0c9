"""Bounds against brute force over all schedules of small graphs: never above the optimum, equal where known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Move, Oracle, State
from random_graphs import random_graph
from small_graphs import small_graphs
from training_graphs import gpt, mlp, resnet, unet

from retrograde import Graph, Operation, Storage, Value
from retrograde.planning.certificate import (
    Effort,
    OverheadBound,
    fixed_order_bound,
    overhead_bound,
    overhead_bounds,
    peak_bound,
    prove_infeasible,
)
from retrograde.planning.planner import plan

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
LIGHT = Effort(single_cuts=6, added_cuts=3, cases=11)


class InOrder(Oracle):
    """Brute force over the schedules whose first runs follow the given order."""

    def _computations(self, state: State) -> Iterator[Move]:
        following = next((o for o in self.graph.order if not state.ran >> o & 1), None)
        for move in super()._computations(state):
            fresh = move.state.ran & ~state.ran
            if not fresh or fresh == 1 << (following or 0):
                yield move


def check_against_oracle(
    graph: Graph, oracle: Oracle, bound_of: Callable[[Graph, int], OverheadBound], budgets: list[int]
) -> int:
    """No bound exceeds the least cost, nothing that is possible is called infeasible; how many bounds say something."""
    positive = 0
    for budget in sorted(budgets, reverse=True):
        bound = bound_of(graph, budget)
        least = oracle.least_cost(budget)
        positive += bound.overhead > 0
        assert bound.certificate is None or bound.certificate.verify(graph)
        if least is not None:
            assert bound.infeasible is None
            assert (1 + Fraction(bound.overhead)) * Fraction(graph.base_cost) <= Fraction(least)
            assert graph.base_cost == 0 or bound.overhead <= least / graph.base_cost - 1
    return positive


def any_order(graph: Graph, budget_bytes: int) -> OverheadBound:
    return overhead_bound(graph, budget_bytes, effort=LIGHT)


def given_order(graph: Graph, budget_bytes: int) -> OverheadBound:
    return fixed_order_bound(graph, budget_bytes, effort=LIGHT)


def budgets_below(graph: Graph) -> list[int]:
    """Budgets from the store-all peak down to what no schedule meets."""
    peak = graph.store_all_peak_bytes
    return sorted({peak, peak - 1, peak * 7 // 8, peak * 3 // 4, peak * 5 // 8, peak // 2}) if peak else [0]


def training_chain(count: int, *, cost: float = 1.0, size: int = 1) -> Graph:
    """A chain of forward operations and its mirror, each of which reads the forward operation that it mirrors."""
    edges = [(i, i + 1) for i in range(2 * count - 1)] + [(i, 2 * count - 1 - i) for i in range(count - 1)]
    return Graph.from_arrays(cost=[cost] * (2 * count), bytes=[size] * (2 * count), edges=edges)


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_bounds_of_small_graphs(graph: Graph) -> None:
    check_against_oracle(graph, Oracle(graph), any_order, budgets_below(graph))


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_fixed_order_bounds_of_small_graphs(graph: Graph) -> None:
    check_against_oracle(graph, InOrder(graph), given_order, budgets_below(graph))


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.booleans())
def test_bounds_of_random_graphs(seed: int, odd: bool) -> None:
    graph = random_graph(seed, operations=7, odd=odd)
    check_against_oracle(graph, Oracle(graph), any_order, budgets_below(graph))


@settings(max_examples=60, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_peak_bounds_of_small_graphs(graph: Graph) -> None:
    bound = peak_bound(graph)
    least = Oracle(graph).least_peak()
    assert bound.bytes <= least
    assert bound.certificate is None or bound.certificate.verify(graph)
    assert prove_infeasible(graph, least) is None


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=8))
def test_bounds_of_larger_graphs(graph: Graph) -> None:
    check_against_oracle(graph, Oracle(graph), any_order, budgets_below(graph))
    check_against_oracle(graph, InOrder(graph), given_order, budgets_below(graph))


def test_bounds_of_training_chains_say_something() -> None:
    graph = training_chain(4)
    budgets = list(range(3, graph.store_all_peak_bytes + 1))
    assert check_against_oracle(graph, Oracle(graph), any_order, budgets) >= 2
    assert check_against_oracle(graph, InOrder(graph), given_order, budgets) >= 2


@pytest.mark.parametrize("kept", [10, 15, 19])
def test_chain_bound_is_tight_while_once_is_enough(kept: int) -> None:
    """At the turn what is not kept of 20 has to run again, and running each again once is enough for that."""
    graph = training_chain(20)
    bound = overhead_bound(graph, kept)
    assert bound.overhead * graph.base_cost == pytest.approx(graph.store_all_peak_bytes - kept, abs=1e-9)
    least = plan(graph, kept + 1, iterations=200).cost - graph.base_cost
    assert bound.overhead * graph.base_cost <= least + 2


def test_more_cuts_prove_more_where_values_run_again_twice() -> None:
    graph = resnet((1, 1, 1, 1)).graph
    budget_bytes = int(0.3 * graph.store_all_peak_bytes)
    one, two = (overhead_bound(graph, budget_bytes, effort=Effort(more_cuts=cuts, cases=0)) for cuts in (1, 2))
    assert len(two.operations) == 2
    assert two.overhead > 1.01 * one.overhead


def test_fixed_order_proves_more_than_any_order() -> None:
    """Two branches: one after the other they need 17 bytes, in turns 34."""
    graph = Graph.from_arrays(
        cost=[1, 1, 1, 1, 1], bytes=[1, 16, 16, 1, 1], edges=[(0, 1), (0, 2), (1, 3), (2, 4)], order=[0, 1, 2, 3, 4]
    )
    assert overhead_bound(graph, 20).overhead == 0
    assert fixed_order_bound(graph, 20).overhead > 0


def test_curve_is_monotone_and_shares_certificates() -> None:
    graph = gpt(3).graph
    peak = graph.store_all_peak_bytes
    budgets = [peak * share // 20 for share in range(6, 21)]
    bounds = overhead_bounds(graph, budgets)
    values = [bound.overhead for bound in bounds]
    assert values == sorted(values, reverse=True)
    assert [bound.budget_bytes for bound in bounds] == budgets
    assert 0 < len({id(bound.certificate) for bound in bounds if bound.certificate}) < len(budgets)


@pytest.mark.parametrize("graph", [gpt(3).graph, mlp(10).graph, unet(3).graph], ids=["gpt", "mlp", "unet"])
def test_plans_of_networks_respect_their_bounds(graph: Graph) -> None:
    for share in (80, 60, 45):
        found = plan(graph, f"{share}%", iterations=50)
        bound = overhead_bound(graph, graph.store_all_peak_bytes * share // 100)
        assert bound.certificate is not None
        assert bound.certificate.verify(graph)
        assert 0 < bound.overhead <= found.overhead


def test_view_and_workspace_and_arrival_count() -> None:
    """Held at the peak: the value that the last operation reads through a view, or it runs again."""
    graph = Graph(
        operations=(
            Operation("make", 8.0, reads=(), makes=(0,)),
            Operation("view", 0.0, reads=(0,), makes=(1,)),
            Operation("reduce", 1.0, reads=(1,), makes=(2,)),
            Operation("peak", 1.0, reads=(2, 3), makes=(4,), workspace_bytes=6, segment=1),
            Operation("last", 1.0, reads=(1, 4), makes=(), segment=1),
        ),
        values=(Value(0), Value(0), Value(1), Value(2, available_from=1), Value(3)),
        storages=(Storage(4), Storage(1), Storage(2), Storage(1)),
        order=(0, 1, 2, 3, 4),
    )
    assert graph.store_all_peak_bytes == 14
    assert overhead_bound(graph, 13).overhead * graph.base_cost == pytest.approx(8.0)
    assert overhead_bound(graph, 10).overhead * graph.base_cost == pytest.approx(8.0)
    assert overhead_bound(graph, 9).infeasible == (
        "largest working set: operation 3 (peak) needs 10 bytes (10 B), the budget is 9 bytes (9 B)"
    )


def test_time_limit_gives_what_is_proved_so_far() -> None:
    graph = gpt(3).graph
    budget = graph.store_all_peak_bytes // 2
    short = overhead_bound(graph, budget, effort=Effort(time_limit=1e-9))
    assert short.overhead == 0
    assert short.certificate is None
    assert overhead_bound(graph, budget).overhead > 0


def test_the_same_twice() -> None:
    graph = unet(3).graph
    budget = graph.store_all_peak_bytes // 2
    first, second = overhead_bound(graph, budget), overhead_bound(graph, budget)
    assert (first.overhead, first.operations) == (second.overhead, second.operations)
