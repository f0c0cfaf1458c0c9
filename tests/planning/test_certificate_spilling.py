"""Bounds for plans that may move storages to a slower tier: never above what a schedule takes, tight where known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_graphs import small_graphs
from training_graphs import gpt, mlp

from retrograde import BudgetError, Graph
from retrograde.errors import UsageError
from retrograde.planning import certify, plan
from retrograde.planning.actions import Action, Compute, Load, Spill
from retrograde.planning.certificate import overhead_bound
from retrograde.planning.strategies import SPILLING

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@dataclass(frozen=True)
class Place:
    """A slower tier."""

    write_bytes_per_second: float
    read_bytes_per_second: float
    capacity_bytes: int | None = None


def waiting_time(graph: Graph, actions: Sequence[Action], place: Place) -> float:
    """How long a schedule takes if everything waits for everything: no schedule of the same actions takes longer."""
    seconds = 0.0
    for action in actions:
        if isinstance(action, Compute):
            seconds += graph.operations[action.operation].cost
        elif isinstance(action, Spill):
            seconds += graph.storages[action.storage].bytes / place.write_bytes_per_second
        elif isinstance(action, Load):
            seconds += graph.storages[action.storage].bytes / place.read_bytes_per_second
    return seconds


def overlapped_time(graph: Graph, actions: Sequence[Action], place: Place) -> float:
    """How long a schedule takes at the least: transfers beside the computation, ended before what waits for them.

    A spill is over before the next action, a load begins after the one before it and is over when its storage is
    read; reads and writes have a channel each.
    """
    now, channels = 0.0, {"write": 0.0, "read": 0.0}
    made: dict[int, float] = {}
    coming: dict[int, float] = {}
    for action in actions:
        if isinstance(action, Compute):
            now = max([now, *(coming.pop(s) for s in graph.read_storages(action.operation) if s in coming)])
            now += graph.operations[action.operation].cost
            operation = graph.operations[action.operation]
            made.update({graph.values[v].storage: now for v in operation.makes})
        elif isinstance(action, Spill):
            begin = max(channels["write"], coming.pop(action.storage, made.get(action.storage, 0.0)))
            channels["write"] = begin + graph.storages[action.storage].bytes / place.write_bytes_per_second
            now = max(now, channels["write"])
        elif isinstance(action, Load):
            begin = max(channels["read"], now)
            channels["read"] = begin + graph.storages[action.storage].bytes / place.read_bytes_per_second
            coming[action.storage] = channels["read"]
    return max([now, *coming.values()])


def check_schedules(graph: Graph, place: Place) -> int:
    """Every schedule that the strategy proposes takes at least what the bound says; how many bounds say something."""
    positive = 0
    for schedule in SPILLING["spill"](graph, None):
        peak = certify(graph, schedule.actions, schedule.segments, strategy="spill").peak_bytes
        bound = overhead_bound(graph, peak, tiers=[place])
        assert bound.infeasible is None
        least = (1 + Fraction(bound.overhead)) * Fraction(graph.base_cost)
        taken = overlapped_time(graph, schedule.actions, place)
        assert taken <= waiting_time(graph, schedule.actions, place) * (1 + 1e-9) + 1e-12
        assert float(least) <= taken * (1 + 1e-9)
        assert bound.certificate is None or bound.certificate.verify(graph)
        positive += bound.overhead > 0
    return positive


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=8), st.sampled_from([0.5, 2.0, 8.0]), st.sampled_from([0.5, 4.0]))
def test_spilling_schedules_of_small_graphs(graph: Graph, write: float, read: float) -> None:
    check_schedules(graph, Place(write, read))


@pytest.mark.parametrize("graph", [gpt(3).graph, mlp(10).graph], ids=["gpt", "mlp"])
def test_spilling_schedules_of_networks(graph: Graph) -> None:
    total = sum(s.bytes for s in graph.storages)
    slow = total / graph.base_cost / 20
    assert check_schedules(graph, Place(slow, slow)) >= 1


def test_bandwidth_decides_between_recomputing_and_spilling() -> None:
    graph = gpt(3).graph
    budget = graph.store_all_peak_bytes // 2
    recomputed = overhead_bound(graph, budget).overhead
    speeds = [10.0**exponent for exponent in range(-3, 16, 2)]
    bounds = [overhead_bound(graph, budget, tiers=[Place(speed, speed)]) for speed in speeds]
    values = [bound.overhead for bound in bounds]
    assert all(bound.certificate is None or bound.certificate.verify(graph) for bound in bounds)
    assert all(value <= recomputed + 1e-9 for value in values)
    assert all(slow >= fast - 1e-7 for slow, fast in pairwise(values))
    assert values[0] == pytest.approx(overhead_bound(graph, budget).overhead, rel=0.05)
    assert values[-1] == 0
    assert 0 < values[5] < recomputed


def test_two_tiers_are_one_of_their_bandwidths_together() -> None:
    graph = gpt(3).graph
    budget = graph.store_all_peak_bytes // 2
    speed = 1e9
    one = overhead_bound(graph, budget, tiers=[Place(speed, speed)])
    halves = overhead_bound(graph, budget, tiers=[Place(speed / 2, speed / 2)] * 2)
    assert one.overhead == pytest.approx(halves.overhead, rel=1e-9)


def test_a_full_tier_is_no_help() -> None:
    graph = gpt(3).graph
    budget = graph.store_all_peak_bytes // 2
    roomy, small, full = (
        overhead_bound(graph, budget, tiers=[Place(1e15, 1e15, capacity)])
        for capacity in (None, graph.store_all_peak_bytes // 8, 0)
    )
    assert roomy.overhead == 0
    assert 0 < small.overhead < full.overhead
    assert full.overhead == pytest.approx(overhead_bound(graph, budget).overhead, rel=0.05)
    assert full.certificate is not None
    assert full.certificate.verify(graph)


def test_what_cannot_fit_with_tiers_either() -> None:
    graph = Graph.from_arrays(cost=[1, 1], bytes=[4, 4], edges=[(0, 1)])
    with pytest.raises(BudgetError):
        plan(graph, 7, "spill")
    assert overhead_bound(graph, 7, tiers=[Place(1.0, 1.0)]).infeasible is not None


def test_a_tier_without_bandwidth() -> None:
    graph = Graph.from_arrays(cost=[1, 1], bytes=[4, 4], edges=[(0, 1)])
    with pytest.raises(UsageError, match=r"read_bytes_per_second must be above 0 and finite, found 0\.0"):
        overhead_bound(graph, 7, tiers=[Place(1.0, 0.0)])
