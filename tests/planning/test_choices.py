"""Planning operations with choices: the referee's rules, the best choices of a schedule, the search, the reports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from choosing_graphs import random_choosing_graph, regions_in_training
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oracle import Oracle

from retrograde import (
    BudgetError,
    Choice,
    Compute,
    Free,
    Graph,
    Load,
    Operation,
    Plan,
    PlanError,
    Spill,
    Storage,
    UsageError,
    Value,
    analyze,
)
from retrograde.analysis.bounds import lower_bounds, peak_bound_bytes
from retrograde.analysis.working_sets import working_sets
from retrograde.planning import STRATEGIES, Action, Progress, certify, lower, plan, replay
from retrograde.planning.certificate import overhead_bound, prove_infeasible
from retrograde.planning.choices import (
    Bundles,
    Settling,
    best_found,
    choices_used,
    ladder,
    plan_choices,
    with_assignment,
)
from retrograde.planning.remembered import forget
from retrograde.report import choices_table, plan_timeline

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]

REGION = Graph(
    operations=(
        Operation("loop", 10.0, (0,), (1, 2), choices=(Choice(10.0), Choice(10.0, 5, ((2, 40),)))),
        Operation("loss", 1.0, (1,), (3,)),
        Operation("back", 20.0, (2, 3), (4,), segment=1, choices=(Choice(20.0), Choice(26.0, 9)), choice_of=0),
    ),
    values=(Value(0, 0), *(Value(i) for i in range(1, 5))),
    storages=(Storage(8), Storage(8), Storage(400), Storage(8), Storage(8)),
    order=(0, 1, 2),
    outputs=(4,),
)
"""A loop in a training step: all its residuals, or a tenth of them and more time in the backward."""


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    forget()
    yield
    forget()


def chosen(forward: int, backward: int) -> tuple[Action, ...]:
    return (Compute(0, forward), Compute(1), Free(1), Compute(2, backward), Free(2), Free(3))


def refused(actions: tuple[Action, ...], message: str, graph: Graph = REGION, border: int = 3) -> None:
    with pytest.raises(PlanError, match=message):
        replay(graph, actions, (0, border))


# The referee


def test_bytes_workspace_and_cost_are_those_of_the_choice() -> None:
    default, other = replay(REGION, chosen(0, 0), (0, 3)), replay(REGION, chosen(1, 1), (0, 3))
    assert default.live_bytes == (408, 416, 416, 416, 416, 16)
    assert other.live_bytes == (53, 56, 56, 65, 56, 16)
    assert (default.cost, other.cost) == (31.0, 37.0)
    assert (default.border_bytes, other.border_bytes) == ((408,), (48,))


def test_a_choice_that_is_not_there() -> None:
    refused(chosen(2, 1), r"action 0: operation 0 \(loop\) has no choice 2; it has choices 0 to 1")
    refused(chosen(-1, 1), r"operation 0 \(loop\) has no choice -1")
    refused(
        (Compute(0), Compute(1, 1), Free(0)),
        r"action 1: operation 1 \(loss\) has no choice 1; it can be run in one way",
    )


def test_a_follower_runs_by_the_choice_that_made_what_it_reads() -> None:
    refused(
        chosen(1, 0),
        r"action 3: operation 2 \(back\) runs by choice 0, but storage 2, which it reads, was made by choice 1",
    )
    refused(chosen(0, 1), "runs by choice 1, but storage 2, which it reads, was made by choice 0")


def test_another_choice_waits_until_what_the_first_made_is_gone() -> None:
    refused(
        (Compute(0), Free(1), Compute(0, 1)),
        r"action 2: operation 0 \(loop\) runs by choice 1 while storage 2, which its choice 0 made, is live",
    )
    actions = (Compute(0, 1), Free(2), Compute(1), Free(1), Compute(0), Free(1), Compute(2), Free(2), Free(3))
    seen = replay(REGION, actions, (0, 4))
    assert seen.cost == 41
    assert seen.live_bytes == (53, 48, 16, 16, 416, 416, 416, 416, 16)


def test_a_second_run_by_the_same_choice_writes_a_duplicate_of_its_size() -> None:
    actions = (Compute(0, 1), Free(1), Compute(0, 1), *chosen(1, 1)[1:])
    assert replay(REGION, actions, (0, 5)).live_bytes[2] == 8 + 40 + 40 + 5


def test_contents_that_do_not_depend_on_the_choice_bind_nothing() -> None:
    graph = Graph(
        (Operation("a", 4.0, (), (0,), choices=(Choice(4.0), Choice(1.0, 64))), Operation("b", 1.0, (0,), (1,))),
        (Value(0), Value(1)),
        (Storage(8), Storage(8)),
        order=(0, 1),
        outputs=(1,),
    )
    actions = (Compute(0), Compute(0, 1), Compute(1), Free(0))
    assert replay(graph, actions, (0,)).live_bytes == (8, 80, 16, 16)


def test_what_is_spilled_keeps_its_size_and_its_choice() -> None:
    spilled = (Compute(0, 1), Spill(2), Compute(1), Free(1), Load(2), Compute(2, 1), Free(2), Free(3))
    seen = replay(REGION, spilled, (0, 4))
    assert (seen.spilled_bytes, seen.live_bytes[4]) == (40, 48)
    refused((*spilled[:5], Compute(2, 0)), "was made by choice 1", border=4)


def test_what_is_retained_keeps_its_size() -> None:
    graph = replace(REGION, retain=True)
    assert replay(graph, chosen(1, 1), (0, 3)).live_bytes[-1] == 8 + 8 + 40
    assert replay(graph, chosen(0, 0), (0, 3)).live_bytes[-1] == 8 + 8 + 400


def test_a_plan_with_choices_comes_back_from_json() -> None:
    made = certify(REGION, chosen(1, 1), (0, 3), strategy="by hand")
    copy = Plan.from_json(made.to_json())
    assert copy == made
    assert copy.verify(REGION).peak_bytes == 65
    assert made.overhead == pytest.approx(6 / 31)
    with pytest.raises(PlanError, match="belongs to graph"):
        copy.verify(REGION.with_choices({0: 1}))


# Bounds


def test_a_working_set_is_that_of_the_smallest_choice() -> None:
    assert working_sets(REGION) == (53, 16, 65)
    assert peak_bound_bytes(REGION) == 65
    assert analyze(REGION).bound_bytes == 65


@settings(max_examples=120, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.booleans())
def test_bounds_never_exceed_what_brute_force_reaches(seed: int, odd: bool) -> None:
    graph = random_choosing_graph(seed, operations=5, odd=odd)
    oracle = Oracle(graph)
    least = oracle.least_peak()
    assert max(bound.bytes for bound in lower_bounds(graph)) <= least
    cost = oracle.least_cost(least)
    assert cost is not None
    assert cost >= graph.base_cost


@settings(max_examples=60, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.floats(0, 1))
@example(38, 0.0)
@example(38, 0.5)
def test_proved_overheads_never_exceed_the_optimum(seed: int, share: float) -> None:
    graph = random_choosing_graph(seed, operations=6)
    oracle = Oracle(graph)
    least, most = oracle.least_peak(), graph.store_all_peak_bytes
    budget = max(1, least + int(share * (most - least)))
    cost = oracle.least_cost(budget)
    assert cost is not None
    assert prove_infeasible(graph, budget) is None
    assert graph.base_cost * (1 + overhead_bound(graph, budget).overhead) <= cost + 1e-9


# The best choices of one schedule


def schedules_by(graph: Graph, strategy: str) -> Iterator[Bundles]:
    """Schedules of a graph in which recomputation was planned by default choices."""
    from retrograde.planning.strategies import Options

    settled = graph.with_choices({})
    for candidate in STRATEGIES[strategy](settled, Options()):
        yield Bundles(graph, with_assignment(graph, lower(settled, candidate), {}))


@settings(max_examples=80, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(["store_all", "recompute_all", "selective"]))
def test_bytes_and_costs_of_bundles_are_the_referees(seed: int, retain: bool, strategy: str) -> None:
    """Whatever the choices of the bundles, the referee takes them and sees the bytes and the cost that they say."""
    graph = replace(random_choosing_graph(seed, operations=7), retain=retain)
    for bundles in schedules_by(graph, strategy):
        settling = Settling(bundles, None)
        rest = replay(graph, bundles.schedule.actions, bundles.schedule.segments).cost - settling.cost
        for bundle, runs in enumerate(bundles.bundles):
            settling.put(bundle, (seed + 3 * bundle) % len(runs.costs))
        schedule = bundles.with_choices(settling.choice)
        seen = replay(graph, schedule.actions, schedule.segments)
        assert seen.cost == pytest.approx(rest + settling.cost)
        assert [*seen.live_bytes, *seen.border_bytes] == bundles.live_with(settling.choice).tolist()
        for budget in (seen.peak_bytes, seen.peak_bytes - 1):
            tight = Settling(Bundles(graph, schedule), budget)
            assert (tight.overload == 0) == (budget >= seen.peak_bytes)


@settings(max_examples=60, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.floats(0.3, 1.0))
def test_settling_finds_the_best_choices(seed: int, share: float) -> None:
    graph = random_choosing_graph(seed, operations=7)
    budget = max(1, int(share * graph.store_all_peak_bytes))
    for bundles in schedules_by(graph, "recompute_all"):
        every = product(*(range(len(bundle.costs)) for bundle in bundles.bundles))
        fit = [cost for choices in every if (cost := cost_within(bundles, choices, budget)) is not None]
        settling = Settling(bundles, budget)
        found = settling.settle()
        assert found == bool(fit)
        if fit:
            assert settling.cost == pytest.approx(min(fit))


def cost_within(bundles: Bundles, choices: tuple[int, ...], budget: int) -> float | None:
    schedule = bundles.with_choices(choices)
    seen = replay(bundles.graph, schedule.actions, schedule.segments)
    return sum(b.costs[k] for b, k in zip(bundles.bundles, choices, strict=True)) if seen.peak_bytes <= budget else None


@pytest.mark.parametrize("percent", [80, 60, 40, 25])
def test_many_bundles_are_settled_greedily_near_the_best(percent: int) -> None:
    """Ten regions with five choices each: within 5 % of the extra cost of the best, which brute force finds."""
    graph = regions_in_training(8)
    (bundles,) = schedules_by(graph, "store_all")
    budget = graph.store_all_peak_bytes * percent // 100
    greedy, exact = Settling(bundles, budget), Settling(bundles, budget)
    assert greedy.settle()
    assert exact.try_all()
    least = sum(min(bundle.costs) for bundle in bundles.bundles)
    assert exact.cost <= greedy.cost <= least + 1.05 * (exact.cost - least)


def test_a_second_run_takes_another_choice() -> None:
    """Recomputed for its residuals: the first run keeps none, and only the second pays for them."""
    actions = (Compute(0), Free(2), Compute(1), Free(1), Compute(0), Free(1), Compute(2), Free(2), Free(3))
    from retrograde.planning import Schedule

    bundles = Bundles(REGION, Schedule(actions, (0, 4)))
    assert sorted(bundle.runs for bundle in bundles.bundles) == [[0], [4, 6]]
    settling = Settling(bundles, 417)
    assert settling.settle()
    assert settling.cost == 40
    assert Settling(bundles, 64).settle() is False


# The search


def test_a_budget_picks_the_choice() -> None:
    for budget, choice, cost in [(None, 0, 31.0), (416, 0, 31.0), (415, 1, 37.0), (65, 1, 37.0)]:
        found = plan(REGION, budget)
        assert (found.actions[0], found.cost) == (Compute(0, choice), cost)
        assert found.verify(REGION).peak_bytes == found.peak_bytes <= (budget or 1000)
        assert found.base_cost == REGION.base_cost == 31
    with pytest.raises(BudgetError, match="the smallest it reaches is 65 bytes") as caught:
        plan(REGION, 64)
    assert (caught.value.minimum_bytes, caught.value.bound_bytes) == (65, 65)


def test_a_percentage_is_of_the_default_choices() -> None:
    assert plan(REGION, "50%").budget_bytes == REGION.store_all_peak_bytes // 2 == 208


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(st.integers(0, 10**6), st.floats(0, 1), st.sampled_from([*STRATEGIES, "auto"]))
def test_no_assignment_is_better_and_no_schedule_cheaper(seed: int, share: float, strategy: str) -> None:
    """At least as good as the strategy on each settled graph; never below what brute force proves."""
    graph = random_choosing_graph(seed, operations=5)
    oracle = Oracle(graph)
    least, most = oracle.least_peak(), graph.store_all_peak_bytes
    budget = max(1, least + int(share * (most - least)))
    single = best_of_all_assignments(graph, budget, strategy)
    cheapest = oracle.least_cost(budget)
    assert cheapest is not None
    found, error = plan_or_error(graph, budget, strategy)
    if found is None:
        assert error is not None
        assert single is None
        assert error.bound_bytes <= least <= error.minimum_bytes
        again = plan(graph, error.minimum_bytes, strategy, iterations=10**5)
        assert again.peak_bytes == error.minimum_bytes > budget
        return
    found.verify(graph)
    assert found.strategy == strategy
    assert found.cost >= cheapest - 1e-9
    assert single is None or found.cost <= single + 1e-9


def plan_or_error(graph: Graph, budget: int, strategy: str) -> tuple[Plan | None, BudgetError | None]:
    try:
        return plan(graph, budget, strategy, iterations=10**5), None
    except BudgetError as error:
        return None, error


def best_of_all_assignments(graph: Graph, budget: int, strategy: str) -> float | None:
    costs: list[float] = []
    for choices in product(*(range(len(graph.operations[i].choices)) for i in graph.choosers)):
        settled = graph.with_choices(dict(zip(graph.choosers, choices, strict=True)))
        try:
            costs.append(plan(settled, budget, strategy, iterations=10**3).cost)
        except BudgetError:
            continue
    return min(costs, default=None)


def test_brute_force_is_reached_on_most_graphs() -> None:
    """``auto`` is greedy where it recomputes, so not on all; by choices alone nothing is left on the table."""
    reached = 0
    for seed in range(40):
        graph = random_choosing_graph(seed, operations=5)
        oracle = Oracle(graph)
        budget = max(1, (oracle.least_peak() + graph.store_all_peak_bytes) // 2)
        try:
            reached += plan(graph, budget, iterations=10**5).cost == oracle.least_cost(budget)
        except BudgetError:
            continue
    assert reached >= 34


@pytest.mark.parametrize("strategy", [*STRATEGIES, "auto", "spill"])
def test_every_strategy_takes_choices(strategy: str) -> None:
    graph = regions_in_training(2, plain=1)
    found = plan(graph, "60%", strategy, iterations=10**5)
    found.verify(graph)
    assert found.strategy == strategy
    assert choices_used(found)


def test_by_hand_takes_choices() -> None:
    graph = regions_in_training(2, plain=1)
    found = plan(graph, "60%", recompute=["plain 1.0"])
    found.verify(graph)
    assert found.strategy == "recompute"
    kept = plan(graph, None, recompute=[])
    assert kept.cost == graph.base_cost < plan(graph, None, recompute=["plain 1.0"]).cost


def test_options_of_a_strategy_are_not_mixed_up() -> None:
    graph = regions_in_training(3)
    costs = {size: plan(graph, None, "block", block_size=size).cost for size in (1, 4)}
    assert costs[1] != costs[4]
    assert plan(graph, None, "block", block_size=1).cost == costs[1]


def test_a_larger_budget_never_costs_more() -> None:
    graph = regions_in_training(5)
    costs = [plan(graph, f"{percent}%", iterations=4000).cost for percent in (30, 45, 60, 80, 100)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == graph.base_cost


def test_choices_are_planned_together_with_recomputation() -> None:
    """The plain operations' values are worth dropping as well: neither alone gets there as cheaply."""
    graph = regions_in_training(6, plain=4)
    budget = graph.store_all_peak_bytes * 15 // 100
    found = plan(graph, budget, iterations=40_000)
    assert found.verify(graph).peak_bytes <= budget
    alone = min(costs_of(graph, budget, iterations=4000), default=math.inf)
    assert found.cost <= alone


def costs_of(graph: Graph, budget: int, iterations: int) -> Iterator[float]:
    """What single rungs of the ladder cost."""
    for rung in ladder(graph, budget)[::8]:
        try:
            yield plan(graph.with_choices(dict(rung)), budget, iterations=iterations).cost
        except BudgetError:
            continue


def test_the_same_iterations_give_the_same_plan() -> None:
    graph = regions_in_training(4)
    found: list[Plan] = []
    for _ in range(2):
        forget()
        found.append(plan(graph, "25%", iterations=5000))
    assert found[0] == found[1]


def test_dozens_of_regions_with_a_fast_strategy() -> None:
    graph = regions_in_training(24, plain=1)
    found = plan(graph, "30%", "selective")
    found.verify(graph)
    assert 0 < found.overhead < 0.5
    assert dict(found.statistics)["assignments"] > 8


def test_the_minimum_is_met_in_another_process() -> None:
    graph = regions_in_training(3)
    with pytest.raises(BudgetError) as caught:
        plan(graph, 10, iterations=3000)
    forget()
    found = plan(graph, caught.value.minimum_bytes, iterations=10)
    assert found.verify(graph).peak_bytes == caught.value.minimum_bytes


def test_a_stored_minimum_that_is_spoilt_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    from retrograde.disk_cache import DiskCache

    class Spoilt(DiskCache):
        def get(self, key: str) -> object:
            return {"plan": "{}"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retrograde.planning.choices.record.DiskCache", Spoilt)
        found = plan(REGION, 100)
    assert found.cost == 37
    assert "is not usable: not a valid plan document" in caplog.text


def test_progress_is_told() -> None:
    told: list[Progress] = []
    plan(regions_in_training(3), "40%", "selective", progress=told.append)
    assert {progress.stage for progress in told} == {"choices of regions"}
    costs = [progress.cost for progress in told if progress.cost is not None]
    assert costs == sorted(costs, reverse=True)
    assert all(0 < (progress.fraction or 0) <= 1 for progress in told)


def test_an_interrupt_leaves_what_was_found() -> None:
    graph = regions_in_training(3)
    budget = graph.store_all_peak_bytes // 2

    def interrupt(told: Progress) -> None:
        if told.stage == "choices of regions" and told.cost is not None:
            raise KeyboardInterrupt

    assert best_found(graph, budget, "selective") is None
    with pytest.raises(KeyboardInterrupt):
        plan(graph, budget, "selective", progress=interrupt)
    found = best_found(graph, budget, "selective")
    assert found is not None
    assert found.verify(graph).peak_bytes <= budget


def test_errors_of_a_strategy_go_on() -> None:
    def never(graph: Graph, budget_bytes: int | None, share: object) -> Plan:
        raise UsageError("not this graph")

    with pytest.raises(UsageError, match="not this graph"):
        plan_choices(REGION, 100, never, strategy="never")


def test_the_ladder_goes_from_cheap_to_small() -> None:
    graph = regions_in_training(4)
    rungs = ladder(graph, graph.store_all_peak_bytes // 3)
    kept = [sum(s.bytes for s in graph.with_choices(dict(rung)).storages) for rung in rungs]
    costs = [graph.with_choices(dict(rung)).base_cost for rung in rungs]
    assert costs[0] == graph.base_cost
    assert costs == sorted(costs)
    assert kept == sorted(kept, reverse=True)
    assert len(set(rungs)) == len(rungs) > 8


# Extremes


def test_large_and_small_numbers() -> None:
    graph = replace(
        REGION,
        operations=(
            replace(REGION.operations[0], cost=1e-6, choices=(Choice(1e-6), Choice(1e-6, 0, ((2, 2**54),)))),
            REGION.operations[1],
            replace(REGION.operations[2], cost=1e6, choices=(Choice(1e6), Choice(2e6))),
        ),
        storages=(Storage(8), Storage(8), Storage(2**60), Storage(8), Storage(8)),
    )
    assert plan(graph, None).actions[0] == Compute(0, 0)
    found = plan(graph, 2**55)
    assert found.actions[0] == Compute(0, 1)
    assert found.peak_bytes == 2**54 + 16


def test_a_single_operation_with_choices() -> None:
    choices = (Choice(0.0), Choice(0.0, 0, ((0, 0),)))
    graph = Graph((Operation("only", 0.0, (), (0,), choices=choices),), (Value(0),), (Storage(8),), order=(0,))
    assert graph.base_cost == 0
    assert plan(graph, 7).actions == (Compute(0, 1), Free(0))


# Reports


def test_tables_and_timelines_know_the_choice() -> None:
    found = plan(REGION, 100)
    table = choices_table(REGION, found)
    assert [row[:4] for row in table.rows] == [
        ("operation 0 (loop)", "1 of 0 to 1", "1", "10"),
        ("operation 2 (back)", "1 of 0 to 1", "1", "26"),
    ]
    assert plan_timeline(REGION, found).end == pytest.approx(37 / 31)


def test_a_long_table_is_cut() -> None:
    graph = regions_in_training(36, plain=0)
    table = choices_table(graph, plan(graph, None, "store_all"))
    assert (len(table.rows), table.notes) == (40, ("and 32 rows more",))
