"""Bounds against brute force over all schedules of small graphs: never above the optimum, equal where known."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from random_graphs import random_graph
from small_graphs import small_graphs

from retrograde import Graph, Operation, Storage, Value
from retrograde.planning.certificate import (
    Effort,
    OverheadBound,
    fixed_order_bound,
    overhead_bound,
    overhead_bounds,
    prove_infeasible,
)

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def check_against_oracle(graph: Graph, budgets: list[int]) -> None:
    """No bound exceeds the least cost of any schedule, and nothing that a schedule meets is called infeasible."""
    oracle = Oracle(graph)
    bounds = overhead_bounds(graph, budgets, effort=Effort(single_cuts=8, added_cuts=3))
    for bound in bounds:
        least = oracle.least_cost(bound.budget_bytes)
        assert bound.certificate is None or bound.certificate.verify(graph)
        if least is None:
            continue
        assert bound.infeasible is None
        assert (1 + Fraction(bound.overhead)) * Fraction(graph.base_cost) <= Fraction(least)
    for smaller, larger in zip(sorted(bounds, key=budget_of), sorted(bounds, key=budget_of)[1:], strict=False):
        assert smaller.overhead >= larger.overhead


def budget_of(bound: OverheadBound) -> int:
    return bound.budget_bytes


def budgets_below(graph: Graph) -> list[int]:
    """Budgets from the store-all peak down to what no schedule meets."""
    peak = graph.store_all_peak_bytes
    return sorted({peak, peak - 1, peak * 7 // 8, peak * 3 // 4, peak * 5 // 8, peak // 2}) if peak else [0]


@settings(max_examples=60, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_bounds_of_small_graphs(graph: Graph) -> None:
    check_against_oracle(graph, budgets_below(graph))


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.booleans())
def test_bounds_of_random_graphs(seed: int, odd: bool) -> None:
    graph = random_graph(seed, operations=7, odd=odd)
    check_against_oracle(graph, budgets_below(graph))


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=8))
def test_bounds_of_larger_graphs(graph: Graph) -> None:
    check_against_oracle(graph, budgets_below(graph))
