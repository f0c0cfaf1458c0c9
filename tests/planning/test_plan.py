"""Plans as values: what follows from them, verifying, JSON both ways."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from chains import training_chain

from retrograde import BudgetError, Compute, Free, Load, Plan, PlanError, Spill
from retrograde.planning import certify, plan

CHAIN = training_chain(4)
PLAN = plan(CHAIN, None, "sqrt")


def test_what_follows_from_a_plan() -> None:
    assert (PLAN.base_cost, PLAN.cost, PLAN.peak_bytes) == (8, 9, 40)
    assert PLAN.overhead == pytest.approx(1 / 8)
    assert PLAN.gap == PLAN.overhead
    assert replace(PLAN, bound=0.1).gap == pytest.approx(0.025)
    assert replace(PLAN, base_cost=0.0).overhead == 0
    assert PLAN.segment_actions(0) + PLAN.segment_actions(1) == PLAN.actions
    assert [a.operation for a in PLAN.segment_actions(0) if isinstance(a, Compute)] == [0, 1, 2, 3]
    assert hash(PLAN) == hash(plan(CHAIN, None, "sqrt"))


def test_verify() -> None:
    assert PLAN.verify(CHAIN).runs == (2, 1, 1, 1, 1, 1, 1, 1)


def test_verify_refuses_another_graph() -> None:
    with pytest.raises(PlanError, match=r"this plan belongs to graph \w+, not to \w+; plan that graph"):
        PLAN.verify(training_chain(5))


def test_verify_refuses_wrong_figures() -> None:
    with pytest.raises(PlanError, match="the plan says its peak is 39 bytes, the referee saw 40"):
        replace(PLAN, peak_bytes=39).verify(CHAIN)
    with pytest.raises(PlanError, match=r"the plan says its cost is 8\.5, the referee saw 9"):
        replace(PLAN, cost=8.5).verify(CHAIN)
    with pytest.raises(PlanError, match="40 bytes are live, the budget is 30"):
        replace(PLAN, budget_bytes=30).verify(CHAIN)


def test_certify_refuses_a_bad_schedule() -> None:
    with pytest.raises(PlanError, match="is not present"):
        certify(CHAIN, (Compute(1),), (0, 1), strategy="none")


def test_json_round_trip() -> None:
    actions = (*PLAN.actions, Spill(3), Load(3), Free(3), Compute(1, 0, ((2, 1),)), Compute(1, 2))
    rich = replace(PLAN, actions=actions, budget_bytes=77, bound=0.01, statistics=(("visits", 3.0),))
    assert Plan.from_json(rich.to_json()) == rich
    assert Plan.from_json(PLAN.to_json()) == PLAN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a valid plan document: JSONDecodeError"),
        ("[]", "not a valid plan document: TypeError"),
        ("{}", "not a valid plan document: KeyError: 'format'"),
        (
            '{"format": "retrograde plan", "version": 99}',
            "unknown format 'retrograde plan' version 99; this release reads",
        ),
        ('{"format": "retrograde graph", "version": 1}', "unknown format 'retrograde graph' version 1"),
        ('{"format": "retrograde plan", "version": 1}', "not a valid plan document: KeyError: 'actions'"),
    ],
)
def test_json_that_is_no_plan(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Plan.from_json(text)


@pytest.mark.parametrize("action", [["x", 1], [], ["f"], ["c"]])
def test_json_with_an_action_that_is_none(action: list[object]) -> None:
    document = json.loads(PLAN.to_json()) | {"actions": [action]}
    with pytest.raises(PlanError, match="not a valid plan document"):
        Plan.from_json(json.dumps(document))


def test_budget_errors_are_no_usage_errors() -> None:
    assert not issubclass(BudgetError, ValueError)
