"""The strategy that spills: as little as the budget needs, never a rule broken, never a cost added."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chains import training_chain
from hypothesis import HealthCheck, given, settings
from random_graphs import random_graph
from small_graphs import small_graphs

from retrograde import BudgetError, Graph, Load, Operation, Spill, UsageError, plan
from retrograde.planning import STRATEGIES, Compute, certify
from retrograde.planning.strategies import spill

NINE = training_chain(9)
"""Live: 10, 20, … 90 in the forward; then 90 with the arriving gradient, 100 while the first backward runs."""


def spilled(found) -> list[int]:
    return [action.storage for action in found.actions if isinstance(action, Spill)]


def least_budget(graph: Graph) -> int:
    with pytest.raises(BudgetError) as caught:
        plan(graph, 1, "spill")
    return caught.value.minimum_bytes


def test_nothing_is_spilled_that_need_not_be() -> None:
    for budget in ("100%", None):
        found = plan(NINE, budget, "spill")
        assert spilled(found) == []
        assert found.peak_bytes == NINE.store_all_peak_bytes
        assert found.actions == plan(NINE, budget, "store_all").actions


def test_the_longest_idle_goes_first() -> None:
    """Storage 1 waits longest: made first, read last."""
    assert spilled(plan(NINE, 90, "spill")) == [1]
    assert spilled(plan(NINE, 80, "spill")) == [1, 2]


def test_larger_ones_go_before_smaller_ones() -> None:
    sizes = [10, 10, 10, 40, *[10] * 16]
    graph = replace(NINE, storages=tuple(replace(s, bytes=b) for s, b in zip(NINE.storages, sizes, strict=True)))
    assert spilled(plan(graph, graph.store_all_peak_bytes - 40, "spill")) == [3]


def test_the_schedule_of_the_tightest_budget() -> None:
    """The one that has to leaves right after its reader in the forward, and is back right before the one behind."""
    graph = training_chain(3)
    found = plan(graph, least_budget(graph), "spill")
    names = [
        f"{type(a).__name__[0].lower()}{a.operation if isinstance(a, Compute) else a.storage}" for a in found.actions
    ]
    assert " ".join(names) == "c0 c1 s1 c2 f3 c3 f2 f4 l1 c4 f1 f5 c5 f6"
    assert found.segments == (0, 5)
    assert found.cost == found.base_cost


def test_a_load_stands_ahead_where_there_is_room() -> None:
    """Four operations ahead at most, and only as far as the budget allows."""

    def distance(budget: int) -> int:
        actions = plan(NINE, budget, "spill").actions
        loaded = actions.index(Load(1))
        use = next(
            i
            for i, a in enumerate(actions)
            if i > loaded and isinstance(a, Compute) and 1 in NINE.read_storages(a.operation)
        )
        return sum(isinstance(a, Compute) for a in actions[loaded:use])

    assert distance(90) == 4
    assert distance(least_budget(NINE)) < 4


def test_the_minimum_can_be_asked_for() -> None:
    minimum = least_budget(NINE)
    found = plan(NINE, minimum, "spill")
    assert found.peak_bytes <= minimum
    with pytest.raises(BudgetError, match="not met by strategy 'spill'"):
        plan(NINE, minimum - 1, "spill")


def test_every_budget_between_is_met_with_no_more_spilled_than_below() -> None:
    volumes = []
    for budget in range(least_budget(NINE), NINE.store_all_peak_bytes + 1, 5):
        found = plan(NINE, budget, "spill")
        assert found.peak_bytes <= budget
        volumes.append(found.verify(NINE).spilled_bytes)
    assert volumes == sorted(volumes, reverse=True)
    assert volumes[-1] == 0


def test_what_is_retained_stays() -> None:
    graph = replace(NINE, retain=True)
    assert least_budget(graph) == graph.store_all_peak_bytes


def test_outputs_stay() -> None:
    graph = replace(NINE, outputs=(1, *NINE.outputs))
    found = plan(graph, least_budget(graph), "spill")
    assert 1 not in spilled(found)
    assert 2 in spilled(found)


def test_what_is_handed_to_code_outside_stays() -> None:
    """An operation that makes nothing hands on what it reads: value 2 may be held by whoever got it."""
    outside = Operation("your own code", 0.0, (2,), (), recomputable=False)
    operations = (*NINE.operations, outside)
    graph = replace(NINE, operations=operations, order=(*range(9), 18, *range(9, 18)))
    found = plan(graph, least_budget(graph), "spill")
    assert 2 not in spilled(found)
    assert 1 in spilled(found)


def test_a_graph_of_one_segment_has_nothing_to_spill() -> None:
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 2), (1, 2)])
    assert least_budget(graph) == graph.store_all_peak_bytes


def test_costs_of_zero() -> None:
    graph = training_chain(9, cost=0.0)
    assert spilled(plan(graph, 90, "spill")) == [1]


def test_auto_does_not_use_it_unasked() -> None:
    assert "spill" not in STRATEGIES
    minimum = plan(NINE, "60%").peak_bytes
    assert not spilled(plan(NINE, minimum))


def test_it_takes_no_options_of_others() -> None:
    with pytest.raises(UsageError, match="block_size is an option of strategy 'block', not of 'spill'"):
        plan(NINE, 90, "spill", block_size=3)
    with pytest.raises(UsageError, match=r"the strategies are .*, spill"):
        plan(NINE, 90, "spil")


@given(small_graphs())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_small_graphs_at_every_budget(graph: Graph) -> None:
    """The referee accepts every schedule; the smallest is met, and no budget above it is refused."""
    check_every_budget(graph)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(seed: int) -> None:
    check_every_budget(random_graph(seed, operations=14))


def check_every_budget(graph: Graph) -> None:
    everything = list(spill.schedules(graph, None))[-1]
    smallest = certify(graph, everything.actions, everything.segments, strategy="spill").peak_bytes
    for budget in range(max(1, smallest), graph.store_all_peak_bytes + 1):
        found = plan(graph, budget, "spill")
        assert found.peak_bytes <= budget
        assert found.cost == found.base_cost
        found.verify(graph)
    if smallest > 1:
        with pytest.raises(BudgetError):
            plan(graph, smallest - 1, "spill")
