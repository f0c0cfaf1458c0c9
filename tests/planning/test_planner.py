"""``plan``: budgets, strategies, choices by hand, progress, and what it refuses."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import pytest
from chains import training_chain

from retrograde import Budget, BudgetError, Graph, Operation, Storage, UsageError, Value
from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.planning import STRATEGIES, Progress, plan

NINE = training_chain(9)


# Budgets


def test_no_limit() -> None:
    found = plan(NINE, None, "sqrt")
    assert (found.peak_bytes, found.cost, found.budget_bytes) == (60, 22, None)
    assert found.strategy == "sqrt"


@pytest.mark.parametrize("budget", [60, "60 B", "60%", Budget(60), Budget("60%")])
def test_a_budget_in_every_form(budget: int | str | Budget) -> None:
    found = plan(NINE, budget, "block")
    assert found.budget_bytes == 60
    assert found.peak_bytes <= 60
    found.verify(NINE)


def test_the_cheapest_candidate_that_fits() -> None:
    costs = [plan(NINE, budget, "interval_tree").cost for budget in (50, 59, 60, 100)]
    assert costs == [25, 25, 22, 22]
    assert plan(NINE, 100, "block").cost == 18


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_larger_budget_never_costs_more(strategy: str) -> None:
    graph = training_chain(20)
    smallest = least_budget(graph, strategy)
    costs = [plan(graph, budget, strategy).cost for budget in range(smallest, graph.store_all_peak_bytes + 1, 10)]
    assert costs == sorted(costs, reverse=True)


def least_budget(graph: Graph, strategy: str) -> int:
    with pytest.raises(BudgetError) as caught:
        plan(graph, 1, strategy)
    return caught.value.minimum_bytes


# What cannot be met


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_minimum_can_be_asked_for(strategy: str) -> None:
    minimum = least_budget(NINE, strategy)
    assert plan(NINE, minimum, strategy).peak_bytes == minimum
    with pytest.raises(BudgetError):
        plan(NINE, minimum - 1, strategy)


def test_auto_names_a_minimum_that_can_be_asked_for() -> None:
    minimum = least_budget(NINE, "auto")
    assert plan(NINE, minimum).peak_bytes <= minimum


def test_a_budget_that_only_this_strategy_misses() -> None:
    with pytest.raises(BudgetError) as caught:
        plan(NINE, 55, "sqrt")
    assert str(caught.value) == (
        "a budget of 55 bytes (55 B) is not met by strategy 'sqrt': the smallest it reaches is 60 bytes (60 B), ask "
        "for that or more; no plan can go below 30 bytes; another strategy may get closer to that"
    )
    assert (caught.value.budget_bytes, caught.value.minimum_bytes, caught.value.bound_bytes) == (55, 60, 30)


def test_a_budget_that_no_plan_meets() -> None:
    with pytest.raises(BudgetError, match="no plan at all can go below 30 bytes"):
        plan(NINE, 29, "recompute_all")


def test_a_budget_error_pickles() -> None:
    error = BudgetError("too little", budget_bytes=1, minimum_bytes=2, bound_bytes=3)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, BudgetError)
    assert (str(copy), copy.budget_bytes, copy.minimum_bytes, copy.bound_bytes) == ("too little", 1, 2, 3)


def test_the_bound_counts_borders() -> None:
    graph = Graph(
        (Operation("a", 1, (), (0,)),), (Value(0), Value(1, 1)), (Storage(4), Storage(50)), (0,), (0,), (0, 3)
    )
    assert peak_bound_bytes(graph) == 57
    assert graph.store_all_peak_bytes == 57


# Strategies and options


def test_every_strategy_of_the_contract_is_known() -> None:
    assert list(STRATEGIES) == ["store_all", "recompute_all", "sqrt", "block", "selective", "interval_tree"]


@pytest.mark.parametrize("name", ["revolve", "best", "Auto", ""])
def test_an_unknown_strategy(name: str) -> None:
    known = "auto, search, optimal, store_all, recompute_all, sqrt, block, selective, interval_tree"
    with pytest.raises(UsageError, match=f"there is no strategy {name!r}; the strategies are {known}"):
        plan(NINE, None, name)


@pytest.mark.parametrize("size", [0, -1, 2.5, "4", True])
def test_a_block_size_that_means_nothing(size: object) -> None:
    with pytest.raises(UsageError, match="block_size must be an int of 1 or more, found"):
        plan(NINE, None, "block", block_size=size)  # type: ignore[arg-type]


def test_a_block_size_for_another_strategy() -> None:
    with pytest.raises(UsageError, match="block_size is an option of strategy 'block', not of 'sqrt'"):
        plan(NINE, None, "sqrt", block_size=3)


def test_a_block_size_is_obeyed() -> None:
    assert plan(NINE, None, "block", block_size=4).cost == 24
    assert plan(NINE, None, "block").cost == 18


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_time_limit_that_means_nothing(seconds: float) -> None:
    with pytest.raises(UsageError, match="time_limit must be a number of seconds above 0, found"):
        plan(NINE, None, time_limit=seconds)


def test_iterations_that_mean_nothing() -> None:
    with pytest.raises(UsageError, match="iterations must be None or an int of 0 or more, found -1"):
        plan(NINE, None, iterations=-1)


def test_progress() -> None:
    reports: list[Progress] = []
    plan(NINE, 60, "interval_tree", progress=reports.append)
    assert reports[0] == Progress("interval_tree", None, 60, 22)
    assert len(reports) == 6
    reports.clear()
    with pytest.raises(BudgetError):
        plan(NINE, 10, "sqrt", progress=reports.append)
    assert reports == [Progress("sqrt")]


# Choices by hand


def test_operations_by_name_and_by_index() -> None:
    by_name = plan(NINE, None, recompute=["forward 3", "forward 4"])
    by_index = plan(NINE, None, recompute=[3, 4])
    assert by_name == by_index
    assert (by_name.peak_bytes, by_name.cost, by_name.strategy) == (80, 20, "recompute")
    assert plan(NINE, None, recompute="forward 3").cost == 19
    assert plan(NINE, None, recompute=()).cost == 18


def test_a_choice_by_hand_that_misses_the_budget() -> None:
    with pytest.raises(BudgetError, match="is not met by strategy 'recompute': the smallest it reaches is 80 bytes"):
        plan(NINE, 70, recompute=[3, 4])


def test_a_name_that_several_operations_have() -> None:
    chain = training_chain(4)
    graph = replace(chain, operations=tuple(replace(o, name="same") for o in chain.operations))
    assert plan(graph, None, recompute=["same"]).cost == plan(graph, None, recompute=[0, 1, 2]).cost


@pytest.mark.parametrize("item", ["backward", 18, -1, 1.5])
def test_a_choice_that_is_not_there(item: str | int) -> None:
    with pytest.raises(UsageError, match=f"recompute names {item!r}; none of the graph's 18 operations has that name"):
        plan(NINE, None, recompute=[item])


def test_a_choice_that_cannot_be_dropped() -> None:
    message = r"recompute names operation 9 \(backward 8\), which cannot be dropped: it runs behind the turn"
    with pytest.raises(UsageError, match=message):
        plan(NINE, None, recompute=["backward 8"])


def test_a_choice_beside_a_strategy() -> None:
    with pytest.raises(UsageError, match="in place of a strategy; leave out strategy='sqrt'"):
        plan(NINE, None, "sqrt", recompute=[1])
