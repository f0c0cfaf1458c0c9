"""Plans with tiers: within the budget by the referee, never worse than one kind of action alone, often optimal."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from chains import training_chain
from choosing_graphs import random_choosing_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_graphs import random_graph
from small_graphs import small_graphs
from spill_oracle import SpillOracle
from training_graphs import gpt, unet

from retrograde import BudgetError, Compute, Graph, Spill, Tier, plan
from retrograde.analysis import peak_bound_bytes
from retrograde.planning import Lowering, Plan, makespan
from retrograde.planning.remembered import forget
from retrograde.planning.spilling.course import Absence, Course
from retrograde.planning.spilling.lighter import lighter
from retrograde.planning.spilling.search import search
from retrograde.planning.spilling.timing import timing
from retrograde.planning.strategies import STRATEGIES, Options

CHAIN = training_chain(9)
"""Each operation takes a second and makes 10 bytes."""

FAST = Tier("fast", 20.0, 20.0)
SLOW = Tier("slow", 4.0, 4.0)


def planned(graph: Graph, budget: int, *tiers: Tier, strategy: str = "auto", iterations: int = 2000) -> Plan:
    found = plan(graph, budget, strategy, iterations=iterations, tiers=tiers)
    assert found.peak_bytes <= budget
    assert found.verify(graph).peak_bytes == found.peak_bytes
    return found


def smallest(graph: Graph, *tiers: Tier, strategy: str = "auto") -> int:
    with pytest.raises(BudgetError) as caught:
        plan(graph, 1, strategy, iterations=2000, tiers=tiers)
    return caught.value.minimum_bytes


def ran_again(found: Plan, graph: Graph) -> int:
    return sum(isinstance(action, Compute) for action in found.actions) - len(graph.operations)


# What is chosen


def test_what_a_fast_tier_hides_costs_nothing() -> None:
    found = planned(CHAIN, 60, FAST)
    assert found.overhead == 0.0
    assert ran_again(found, CHAIN) == 0
    assert any(isinstance(action, Spill) for action in found.actions)


def test_nothing_is_moved_where_the_budget_is_wide() -> None:
    for budget in (CHAIN.store_all_peak_bytes, None):
        found = plan(CHAIN, budget, iterations=100, tiers=[SLOW])
        assert found.actions == plan(CHAIN, budget, "store_all").actions
        assert found.tiers == (SLOW,)


def test_a_slow_tier_is_worth_using_beside_recomputation() -> None:
    both = planned(CHAIN, 50, SLOW)
    assert both.cost < planned(CHAIN, 50, SLOW, strategy="spill").cost
    assert both.cost < plan(CHAIN, 50, iterations=2000).cost
    assert ran_again(both, CHAIN) > 0
    assert any(isinstance(action, Spill) for action in both.actions)


def test_a_tier_so_slow_that_recomputation_is_better_is_left_alone() -> None:
    found = planned(CHAIN, 50, Tier("tape", 1e-3, 1e-3))
    assert found.cost == plan(CHAIN, 50, iterations=2000).cost
    assert not any(isinstance(action, Spill) for action in found.actions)


def test_spill_with_tiers_computes_nothing_again() -> None:
    found = planned(CHAIN, 50, SLOW, strategy="spill")
    assert ran_again(found, CHAIN) == 0
    assert found.cost > found.base_cost
    timeline = found.verify(CHAIN).timeline
    assert timeline is not None
    assert found.cost == pytest.approx(found.base_cost + timeline.waiting)


def test_of_two_tiers_the_fast_one_is_filled_first() -> None:
    found = planned(CHAIN, 50, SLOW, replace(FAST, capacity_bytes=20), strategy="spill")
    timeline = found.verify(CHAIN).timeline
    assert timeline is not None
    assert timeline.tier_bytes[1] == 20
    assert timeline.tier_bytes[0] > 0


def test_a_tier_without_room_is_not_used() -> None:
    found = planned(CHAIN, 50, replace(FAST, capacity_bytes=0))
    assert not any(isinstance(action, Spill) for action in found.actions)
    assert found.cost == plan(CHAIN, 50, iterations=2000).cost


def test_a_full_tier_sets_the_smallest_budget() -> None:
    half = replace(FAST, capacity_bytes=30)
    minimum = smallest(CHAIN, half, strategy="spill")
    assert minimum > smallest(CHAIN, FAST, strategy="spill")
    assert planned(CHAIN, minimum, half, strategy="spill").peak_bytes <= minimum


def test_the_minimum_can_be_asked_for() -> None:
    for tier in (FAST, SLOW):
        minimum = smallest(CHAIN, tier)
        planned(CHAIN, minimum, tier)
        with pytest.raises(BudgetError, match="is not met by strategy 'auto'"):
            plan(CHAIN, minimum - 1, iterations=2000, tiers=[tier])


def test_what_is_retained_stays() -> None:
    graph = replace(CHAIN, retain=True)
    assert smallest(graph, FAST, strategy="spill") == graph.store_all_peak_bytes


def test_latency_makes_recomputation_the_better_choice() -> None:
    found = planned(CHAIN, 50, replace(FAST, latency_seconds=50.0))
    assert not any(isinstance(action, Spill) for action in found.actions)


def test_a_larger_budget_is_never_dearer() -> None:
    """However little is looked for at the larger one."""
    forget()
    graph = unet(1).graph
    rate = 0.5 * graph.store_all_peak_bytes / graph.base_cost
    costs: list[float] = []
    for share in (0.6, 0.7, 0.8, 0.9):
        budget = int(share * graph.store_all_peak_bytes)
        costs.append(planned(graph, budget, Tier("disk", rate, rate), iterations=300 if share < 0.7 else 0).cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > graph.base_cost


def test_the_same_call_gives_the_same_plan() -> None:
    graph = unet(2).graph
    tier = Tier("disk", 1e9, 2e9)
    budget = int(0.6 * graph.store_all_peak_bytes)
    first = planned(graph, budget, tier, iterations=60)
    forget()
    assert planned(graph, budget, tier, iterations=60) == first


@pytest.mark.parametrize("share", [0.8, 0.6, pytest.param(0.45, marks=pytest.mark.slow)])
@pytest.mark.parametrize("speed", [0.2, 1.0])
def test_training_graphs(speed: float, share: float) -> None:
    """A tier that moves so many times the peak in the time of a step: both together beat either."""
    for graph in (gpt(1).graph, unet(2).graph):
        rate = speed * graph.store_all_peak_bytes / graph.base_cost
        budget = int(share * graph.store_all_peak_bytes)
        both = planned(graph, budget, Tier("disk", rate, rate), iterations=300)
        assert both.cost <= cost_of(graph, budget, ()) * (1 + 1e-12)
        assert both.cost <= cost_of(graph, budget, (Tier("disk", rate, rate),), "spill") * (1 + 1e-12)


def cost_of(graph: Graph, budget: int, tiers: tuple[Tier, ...], strategy: str = "auto") -> float:
    try:
        return plan(graph, budget, strategy, iterations=300, tiers=tiers).cost
    except BudgetError:
        return float("inf")


# Beside choices, and beside what is overwritten


@pytest.mark.parametrize("seed", range(12))
def test_graphs_with_choices(seed: int) -> None:
    """Storages have the size of the choice that made them, on the way to a tier as well."""
    graph = random_choosing_graph(seed)
    tier = Tier("disk", 3.0, 3.0)
    minimum = 1
    try:
        plan(graph, 1, iterations=50, tiers=[tier])
    except BudgetError as error:
        minimum = error.minimum_bytes
    top = graph.store_all_peak_bytes
    for budget in sorted({minimum, (minimum + top) // 2, max(minimum, top)}):
        both = planned(graph, budget, tier, iterations=50)
        try:
            alone = plan(graph, budget, iterations=50).cost
        except BudgetError:
            continue
        assert both.cost <= alone * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_lighter_graphs_are_graphs_and_have_the_same_operations(seed: int) -> None:
    graph = random_graph(seed, operations=16)
    some = range(0, len(graph.storages), 2)
    found = lighter(graph, some)
    assert all(
        found.storages[s].bytes == (0 if s in some else graph.storages[s].bytes) for s in range(len(graph.storages))
    )
    assert [o.reads for o in found.operations] == [o.reads for o in graph.operations]
    for order in STRATEGIES["sqrt"](found, Options()):
        Course(graph, Lowering(graph).lower(order))


# Against brute force


def chain_like(seed: int, operations: int) -> Graph:
    """A random graph of one value in one storage for each operation, with long waits in it."""
    rng = random.Random(seed)
    edges = [
        (u, v)
        for v in range(1, operations)
        for u in range(v)
        if (u == v - 1 and rng.random() < 0.8) or rng.random() < 0.3 or (u < 2 and v == operations - 1)
    ]
    return Graph.from_arrays(
        cost=[rng.randint(1, 5) for _ in range(operations)],
        bytes=[2 * rng.randint(1, 6) for _ in range(operations)],
        edges=edges,
        outputs=[operations - 1],
    )


def gap_to_optimum(graph: Graph, budget: int, tier: Tier) -> float:
    """What the plan costs above the least cost of any, as a fraction of that."""
    least = SpillOracle(graph, tier).least_makespan(budget)
    if least is None:
        with pytest.raises(BudgetError):
            plan(graph, budget, iterations=500, tiers=[tier])
        return 0.0
    found = planned(graph, budget, tier, iterations=500)
    assert found.cost >= least - 1e-9
    return found.cost / least - 1


@pytest.mark.slow
def test_small_graphs_against_brute_force() -> None:
    """Of all plans nine in ten are optimal, and none is a tenth above."""
    gaps: list[float] = []
    for seed in range(40):
        graph = chain_like(seed, 5)
        tier = Tier("disk", 2.0, 2.0, duplex=seed % 2 == 0)
        low, high = peak_bound_bytes(graph), graph.store_all_peak_bytes
        gaps += [
            gap_to_optimum(graph, budget, tier)
            for budget in sorted({low, (low + high) // 4 * 2, high - 2})
            if low <= budget < high
        ]
    assert len(gaps) > 15
    assert max(gaps) < 0.1
    assert sum(gap < 1e-9 for gap in gaps) >= 0.9 * len(gaps)


def test_a_training_chain_against_brute_force() -> None:
    graph = training_chain(3, size=6, cost=2.0)
    assert gap_to_optimum(graph, 24, Tier("disk", 3.0, 2.0)) < 1e-9
    assert gap_to_optimum(graph, 18, Tier("disk", 6.0, 6.0, capacity_bytes=6)) < 1e-9


# The search's own clock


@given(small_graphs(), st.integers(0, 10**6))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_the_search_knows_the_makespan(graph: Graph, seed: int) -> None:
    check_timing(graph, random.Random(seed))


@pytest.mark.parametrize("seed", range(60))
def test_the_search_knows_the_makespan_of_random_graphs(seed: int) -> None:
    check_timing(random_graph(seed, operations=16), random.Random(seed))


def check_timing(graph: Graph, rng: random.Random) -> None:
    """Random absences in random courses take as long as the referee's clock says."""
    lowering = Lowering(graph)
    name = rng.choice(["store_all", "recompute_all", "sqrt"])
    for order in STRATEGIES[name](graph, Options()):
        course = Course(graph, lowering.lower(order))
        tiers = [
            Tier("a", rng.choice([1.0, 3.0]), rng.choice([1.0, 4.0]), duplex=rng.random() < 0.5),
            Tier("b", 2.0, 2.0, latency_seconds=0.5),
        ]
        absences = []
        for gap in course.gaps:
            if rng.random() < 0.6:
                spill = rng.randrange(gap.before, gap.after)
                load = rng.randint(spill + 1, gap.after)
                absences.append(Absence(gap, spill, load, rng.randrange(2)))
        schedule = course.schedule(absences)
        seen = makespan(graph, schedule.actions, schedule.segments, tiers)
        found = timing(course, absences, tiers)
        assert found.makespan == pytest.approx(seen.makespan)
        assert sum(map(sum, found.waits.values())) == pytest.approx(seen.waiting)
        assert float(found.begins(course)[-1]) == pytest.approx(seen.makespan)


# Everything that a graph may have


@given(small_graphs(), st.integers(0, 10**6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_small_graphs_within_every_budget(graph: Graph, seed: int) -> None:
    check_budgets(graph, random.Random(seed))


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_within_every_budget(seed: int) -> None:
    check_budgets(random_graph(seed, operations=14), random.Random(seed))


def check_budgets(graph: Graph, rng: random.Random) -> None:
    """The referee accepts every plan, and no budget above the smallest is refused."""
    if graph.base_cost == 0:
        return
    capacity = rng.choice([None, 8, 20])
    tiers = [Tier("a", 1.0, 2.0, capacity_bytes=capacity), Tier("b", 0.5, 0.5, duplex=True)][: rng.choice([1, 2])]

    def recomputing(graph: Graph, budget: int, fraction: float) -> Plan:
        return plan(graph, budget, "sqrt")

    try:
        found = search(graph, 1, tiers, recomputing, iterations=4)
        minimum = 1
        found.verify(graph)
    except BudgetError as error:
        minimum = error.minimum_bytes
    for budget in {minimum, max(minimum, (minimum + graph.store_all_peak_bytes) // 2)}:
        found = search(graph, budget, tiers, recomputing, iterations=4)
        assert found.peak_bytes <= budget
        found.verify(graph)
