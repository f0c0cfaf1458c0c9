"""The trade-off curve: monotone, within its budgets, above its bound, and written down and read again."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from training_graphs import gpt

import retrograde as rg
from retrograde.planning import Tradeoff, TradeoffPoint
from retrograde.planning.proving import held_against
from retrograde.planning.remembered import forget

GRAPH = gpt(2).graph


@pytest.fixture(scope="module")
def curve() -> Tradeoff:
    return rg.tradeoff(GRAPH, points=6, iterations=30_000)


def test_points_go_from_the_store_all_peak_to_the_smallest_plan(curve: Tradeoff) -> None:
    assert curve.points[0].budget_bytes == GRAPH.store_all_peak_bytes
    assert curve.points[0].plan is not None
    assert curve.points[0].plan.overhead == 0
    assert len(curve) == 6
    assert all(after.budget_bytes < before.budget_bytes for before, after in pairwise(curve))
    assert curve.points[-1].plan is not None


def test_plans_are_within_their_budgets_and_above_their_bounds(curve: Tradeoff) -> None:
    for point in curve:
        assert point.plan is not None
        point.plan.verify(GRAPH)
        assert point.plan.budget_bytes == point.budget_bytes
        assert point.plan.peak_bytes <= point.budget_bytes
        assert 0 <= point.bound <= point.plan.overhead + 1e-12
        assert point.plan.bound == pytest.approx(point.bound)


def test_overheads_and_bounds_never_fall_with_the_budget(curve: Tradeoff) -> None:
    for before, after in pairwise(curve):
        assert before.plan is not None
        assert after.plan is not None
        assert before.plan.cost <= after.plan.cost
        assert before.bound <= after.bound
    assert curve.points[-1].bound > 0


def test_a_curve_is_about_as_good_as_its_points_one_by_one(curve: Tradeoff) -> None:
    alone: list[float] = []
    for point in curve:
        forget()
        alone.append(rg.plan(GRAPH, point.budget_bytes, iterations=5000, bound=False).cost)
    together = sum(point.plan.cost for point in curve if point.plan is not None)
    assert together <= 1.005 * sum(alone)


def test_budgets_may_be_given_in_any_order_and_form() -> None:
    curve = rg.tradeoff(GRAPH, points=["60%", 10**9, rg.Budget("80%")], iterations=2000)
    whole = GRAPH.store_all_peak_bytes
    assert [point.budget_bytes for point in curve] == [10**9, int(0.8 * whole), int(0.6 * whole)]


def test_a_budget_that_nothing_meets_has_no_plan_and_an_infinite_bound() -> None:
    curve = rg.tradeoff(GRAPH, points=["100%", 1], iterations=2000)
    assert curve.points[1].plan is None
    assert curve.points[1].is_infeasible
    assert len(curve.plans) >= 1


def test_the_best_plan_of_a_curve_for_a_budget(curve: Tradeoff) -> None:
    middle = (curve.points[2].budget_bytes + curve.points[3].budget_bytes) // 2
    best = curve.best(middle)
    assert best.peak_bytes <= middle
    assert curve.points[3].plan is not None
    assert best.cost <= curve.points[3].plan.cost
    assert curve.best("100%").overhead == 0


def test_a_budget_below_the_curve_is_refused(curve: Tradeoff) -> None:
    with pytest.raises(
        rg.BudgetError, match=r"no plan of this curve fits 1 bytes; the smallest takes \d+ bytes"
    ) as error:
        curve.best(1)
    assert curve.best(error.value.minimum_bytes).peak_bytes == error.value.minimum_bytes
    assert error.value.bound_bytes <= error.value.minimum_bytes


def test_a_curve_is_written_down_and_read_again() -> None:
    curve = rg.tradeoff(GRAPH, points=["100%", "70%", 1], iterations=2000)
    assert Tradeoff.from_json(curve.to_json()) == curve


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "not a valid trade-off document"),
        ('{"format": "retrograde trade-off", "version": 99}', "unknown format .* version 99"),
        ('{"format": "retrograde trade-off", "version": 1}', "KeyError"),
    ],
)
def test_what_is_no_curve_is_refused(text: str, message: str) -> None:
    with pytest.raises(rg.PlanError, match=message):
        Tradeoff.from_json(text)


def test_no_points_are_refused() -> None:
    with pytest.raises(rg.UsageError, match="points must be 1 or more, or a list of budgets, found 0"):
        rg.tradeoff(GRAPH, points=0)
    with pytest.raises(rg.UsageError, match="points is empty"):
        rg.tradeoff(GRAPH, points=[])


def test_one_point_is_the_store_all_peak() -> None:
    (point,) = rg.tradeoff(GRAPH, points=1, iterations=100)
    assert point.budget_bytes == GRAPH.store_all_peak_bytes


def test_progress_is_told() -> None:
    seen: list[float | None] = []
    rg.tradeoff(GRAPH, points=3, iterations=300, progress=lambda progress: seen.append(progress.fraction))
    assert seen[0] == 0


def test_a_plan_below_a_bound_is_an_error() -> None:
    plan = rg.plan(GRAPH, None, bound=False)
    with pytest.raises(rg.PlanError, match="please report this"):
        held_against(plan, 0.5)
    assert held_against(plan, 0.0).bound == 0


def test_an_infinite_bound_is_told_apart() -> None:
    assert TradeoffPoint(8, None, math.inf).is_infeasible
    assert not TradeoffPoint(8, None, 3.0).is_infeasible
