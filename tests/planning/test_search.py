"""``search``: one record for each graph, time limits, interrupts, bounds."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator

import pytest
from chains import training_chain
from oracle import Oracle
from random_graphs import random_graph
from training_graphs import gpt, mlp, unet

from retrograde import BudgetError, Graph, plan
from retrograde.planning import certify
from retrograde.planning.blocks import Chain
from retrograde.planning.demand import Split
from retrograde.planning.improve import Annealing, Curve, Descent
from retrograde.planning.lowering import Lowering
from retrograde.planning.progress import Progress
from retrograde.planning.remembered import forget
from retrograde.planning.searching import record
from retrograde.planning.searching.seeds import Seeds
from retrograde.planning.strategies import search


@pytest.fixture(autouse=True)
def fresh_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    forget()
    yield
    forget()


def no_bound(graph: Graph, budget_bytes: int, known_overhead: float, time_limit: float | None) -> float:
    return 0.0


def test_the_same_search_twice_gives_the_same_plan() -> None:
    graph = unet(2).graph
    budget = graph.store_all_peak_bytes * 6 // 10
    first = search.search(graph, budget, iterations=30_000, seed=5)
    assert dict(first.statistics)["moves"] > 0
    forget()
    assert search.search(graph, budget, iterations=30_000, seed=5) == first


@pytest.mark.parametrize("percents", [(40, 55, 70, 85), (85, 70, 55, 40)])
def test_a_larger_budget_is_never_dearer_in_whatever_order_they_are_asked(percents: tuple[int, ...]) -> None:
    graph = mlp(6).graph
    budgets = [graph.store_all_peak_bytes * percent // 100 for percent in percents]
    for budget in budgets:
        search.search(graph, budget, iterations=3000)
    costs = [search.search(graph, budget, iterations=0).cost for budget in sorted(budgets)]
    assert costs == sorted(costs, reverse=True)


def test_a_smaller_budget_improves_the_answer_of_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = mlp(6).graph
    budget = graph.store_all_peak_bytes * 6 // 10
    monkeypatch.setattr(Seeds, "plant", lambda *_: None)
    with pytest.raises(BudgetError):
        search.search(graph, budget, iterations=0)
    smaller = search.search(graph, budget - 1, iterations=20_000)
    assert search.search(graph, budget, iterations=0).cost == smaller.cost


class Ticking:
    """A clock that a millisecond passes on whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.mark.parametrize("time_limit", [0.05, 0.4])
def test_a_search_ends_with_its_time_limit(time_limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = unet(2).graph
    search.search(graph, graph.store_all_peak_bytes * 7 // 10, iterations=2000)
    forget()
    clock = Ticking()
    monkeypatch.setattr(time, "monotonic", clock)
    budget = graph.store_all_peak_bytes // 2
    with contextlib.suppress(BudgetError):
        search.search(graph, budget, time_limit=time_limit, bound=no_bound)
    assert clock.now <= 1.1 * time_limit + 0.05


def test_every_stage_looks_at_the_clock() -> None:
    graph = gpt(2).graph
    curve = Curve(Lowering(graph).measure)
    seeds = Seeds(graph, curve)
    ticks = itertools.count()
    seeds.plant(graph.store_all_peak_bytes // 2, 10.0, lambda: float(next(ticks)))
    assert not seeds.is_complete
    assert next(ticks) < 20
    seeds.plant(graph.store_all_peak_bytes // 2, None)
    assert seeds.is_complete


def test_an_interrupt_goes_through_and_what_was_found_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = unet(2).graph
    budget = graph.store_all_peak_bytes * 7 // 10

    def interrupted(self: Annealing, nodes: list[int], budget_bytes: int) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Annealing, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.search(graph, budget, iterations=10**6, bound=no_bound)
    found = record.best_in_hand(graph, budget)
    assert found is not None
    found.verify(graph)
    assert found.peak_bytes <= budget
    assert record.best_in_hand(graph, 1) is None


def test_an_interrupted_descent_keeps_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = gpt(2).graph

    def interrupted(self: Descent, *_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Descent, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.search(graph, graph.store_all_peak_bytes // 2, iterations=5000)
    assert record.best_in_hand(graph, graph.store_all_peak_bytes // 2) is not None


def test_it_ends_when_no_more_is_proved_to_be_needed() -> None:
    graph = mlp(6).graph
    budget = graph.store_all_peak_bytes * 8 // 10
    asked: list[int] = []

    def generous(graph: Graph, budget_bytes: int, known_overhead: float, time_limit: float | None) -> float:
        asked.append(budget_bytes)
        return 1.0

    found = search.search(graph, budget, iterations=10**9, bound=generous)
    assert asked == [budget]
    assert dict(found.statistics)["moves"] == 0
    assert 0 < found.bound <= found.overhead


def test_the_bound_of_a_plan_is_the_certificate() -> None:
    graph = mlp(4).graph
    found = search.search(graph, graph.store_all_peak_bytes * 7 // 10, iterations=3000)
    assert 0 < found.bound <= found.overhead
    assert found.gap < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_a_small_graph_is_solved_to_the_optimum(seed: int) -> None:
    graph = random_graph(seed, operations=6)
    for percent in (60, 80, 95):
        budget = graph.store_all_peak_bytes * percent // 100
        least = Oracle(graph).least_cost(budget)
        if least is None:
            with pytest.raises(BudgetError):
                plan(graph, budget, iterations=2000)
        else:
            assert plan(graph, budget, iterations=2000).cost == pytest.approx(least)


def test_both_names_search_alike_and_say_so() -> None:
    graph = mlp(3).graph
    budget = graph.store_all_peak_bytes * 8 // 10
    assert plan(graph, budget, "search", iterations=3000).strategy == "search"
    assert plan(graph, budget, "auto", iterations=3000).strategy == "auto"


def test_stages_are_told() -> None:
    graph = unet(2).graph
    seen: list[Progress] = []
    search.search(graph, graph.store_all_peak_bytes * 7 // 10, iterations=20_000, progress=seen.append, bound=no_bound)
    assert {"seeds", "greedy descent", "annealing"} <= {report.stage for report in seen}


def test_bytes_too_many_for_annealing_are_still_planned() -> None:
    size = 1 << 57
    graph = Graph.from_arrays(
        cost=[1] * 20,
        bytes=[size] * 20,
        edges=[(i, i + 1) for i in range(19)] + [(i, 19 - i) for i in range(9)],
    )
    found = search.search(graph, graph.store_all_peak_bytes - size, iterations=2000, bound=no_bound)
    assert found.verify(graph).peak_bytes <= graph.store_all_peak_bytes - size


@pytest.mark.slow
def test_a_hundred_thousand_operations() -> None:
    graph = training_chain(50_000)
    budget = graph.store_all_peak_bytes // 10
    lowering = Lowering(graph)
    schedule = lowering.lower(next(iter(Chain(Split(graph)).sequences(budget))))
    found = certify(graph, schedule.actions, schedule.segments, strategy="blocks", budget_bytes=budget)
    assert found.overhead < 0.47


def test_without_reordering_nothing_is_annealed() -> None:
    graph = unet(2).graph
    budget = graph.store_all_peak_bytes * 6 // 10
    moves = {
        reorder: dict(search.search(graph, budget, iterations=20_000, bound=no_bound, reorder=reorder).statistics)[
            "moves"
        ]
        for reorder in (False, True)
    }
    assert moves[False] == 0
    assert moves[True] > 0
