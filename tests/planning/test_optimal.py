"""``optimal`` against brute force over all schedules, and over those of the given order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from oracle import Move, Oracle, State
from small_graphs import small_graphs

from retrograde import BudgetError, Graph, Plan, UsageError
from retrograde.graph import Choice
from retrograde.planning import plan, replay
from retrograde.planning.certificate import Effort, overhead_bound
from retrograde.planning.exact import solver
from retrograde.planning.exact.bound import cover_bound
from retrograde.planning.exact.emission import spelled_out
from retrograde.planning.exact.instance import instance_of
from retrograde.planning.progress import Progress
from retrograde.planning.strategies import optimal

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


class GivenOrder(Oracle):
    """The schedules whose first runs follow the given order; views that cost nothing run whenever they can."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.turns = [o for o in graph.order if not self._is_free_view(o)]
        self.turn_segments = {o: s for o, s in zip(graph.order, graph.order_segments, strict=True)}

    def _is_free_view(self, index: int) -> bool:
        operation = self.graph.operations[index]
        free = operation.cost == 0 and operation.workspace_bytes == 0 and operation.recomputable
        return free and self.graph.is_view(index) and len(set(operation.reads)) == 1

    def _next(self, state: State) -> int | None:
        return next((o for o in self.turns if not state.ran >> o & 1), None)

    def _moves(self, state: State) -> tuple[Move, ...]:
        turn = self._next(state)
        moves = super()._moves(state)
        if turn is None:
            return moves
        due = self.turn_segments[turn]
        return tuple(m for m in moves if m.state.segment == state.segment or state.segment < due)

    def _computations(self, state: State) -> Iterator[Move]:
        turn = self._next(state)
        for move in super()._computations(state):
            new = move.state.ran & ~state.ran
            operation = new.bit_length() - 1
            is_its_turn = operation == turn and state.segment == self.turn_segments[operation]
            if not new or self._is_free_view(operation) or is_its_turn:
                yield move


def solve(graph: Graph, budget: int) -> Plan | None:
    try:
        found = optimal.search(graph, budget, iterations=200_000)
    except BudgetError:
        return None
    found.verify(graph)
    assert found.peak_bytes <= budget
    return found


def check(graph: Graph, oracle: Oracle) -> None:
    least = oracle.least_peak()
    for budget in sorted({max(0, least - 1), least, least + 1, (least + graph.store_all_peak_bytes) // 2}):
        wanted = oracle.least_cost(budget)
        found = solve(graph, budget)
        assert (found.cost if found else None) == wanted


@settings(max_examples=150, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_any_order_equals_brute_force(graph: Graph) -> None:
    check(graph, Oracle(graph))


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=8))
def test_any_order_equals_brute_force_on_larger_graphs(graph: Graph) -> None:
    check(graph, Oracle(graph))


@settings(max_examples=150, deadline=None, suppress_health_check=RELAXED)
@given(graph=small_graphs(most_operations=6))
def test_given_order_equals_brute_force(graph: Graph) -> None:
    oracle = GivenOrder(graph)
    least = oracle.least_peak()
    for budget in sorted({max(0, least - 1), least, least + 1, (least + graph.store_all_peak_bytes) // 2}):
        wanted = oracle.least_cost(budget)
        prover = optimal.Prover(graph, instance_of(graph, budget), True, solver.Clock(None, 200_000))
        try:
            found = prover.prove(budget, budget, [])
        except BudgetError:
            assert wanted is None
            continue
        assert found.cost == wanted
        assert found.verify(graph).peak_bytes <= budget
        assert dict(found.statistics)["order_free"] == 0


@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_whole_knapsacks_bound_every_schedule(graph: Graph) -> None:
    oracle = Oracle(graph)
    budget = (oracle.least_peak() + graph.store_all_peak_bytes) // 2
    least = oracle.least_cost(budget)
    assert least is not None
    for more in (0, 1, 5, 1000):
        bound = cover_bound(graph, budget, least - graph.base_cost + more)
        assert bound * graph.base_cost <= least - graph.base_cost


@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_every_schedule_can_be_spelled_out(graph: Graph) -> None:
    """Where the lowering does not reach the bytes, the search's own drops and overwrites are what is emitted."""
    budget = Oracle(graph).least_peak()
    instance = instance_of(graph, budget)
    moves = solver.find_any(instance, budget, solver.Clock(None, 200_000), given_order=False)
    assert moves is not None
    schedule = spelled_out(graph, instance, moves, budget)
    seen = replay(graph, schedule.actions, schedule.segments, budget)
    assert seen.cost == graph.base_cost + float(solver.excess_of(instance, moves))


@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
@given(small_graphs(most_operations=6))
def test_the_bound_of_a_free_order_is_the_overhead(graph: Graph) -> None:
    found = optimal.search(graph, graph.store_all_peak_bytes)
    assert dict(found.statistics)["order_free"] == 1
    assert found.bound == found.overhead == 0


def training_chain(length: int) -> Graph:
    """A chain of forwards, and of backwards that each read the forwards beside them."""
    edges = {(i, i + 1) for i in range(2 * length - 1)}
    for i in range(length):
        edges |= {(i, 2 * length - 1 - i)} | ({(i - 1, 2 * length - 1 - i)} if i else set())
    return Graph.from_arrays(
        cost=[1] * (2 * length), bytes=[1] * (2 * length), edges=sorted(edges), outputs=[2 * length - 1]
    )


def prove_given_order(graph: Graph, budget: int) -> Plan:
    return optimal.Prover(graph, instance_of(graph, budget), True, solver.Clock(60)).prove(budget, budget, [])


def test_a_proof_says_whether_the_order_was_free() -> None:
    graph = training_chain(6)
    free = plan(graph, 5, "optimal")
    fixed = prove_given_order(graph, 5)
    assert dict(free.statistics)["order_free"] == 1
    assert "fixed_order_bound" not in dict(free.statistics)
    assert free.overhead > 0
    assert free.bound == pytest.approx(free.overhead, abs=1e-15)
    assert dict(fixed.statistics)["order_free"] == 0
    assert dict(fixed.statistics)["fixed_order_bound"] == pytest.approx(fixed.overhead, abs=1e-15)
    assert 0 < fixed.bound <= free.overhead <= fixed.overhead


def test_larger_graphs_are_tried_in_any_order_and_then_in_the_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = training_chain(8)
    monkeypatch.setattr(optimal, "MOST_FREE", 0)
    assert dict(plan(graph, 6, "optimal", iterations=400_000).statistics)["order_free"] == 1
    tried: list[bool] = []
    proof = solver.find_best

    def never_free(*arguments: Any, given_order: bool) -> solver.Outcome:
        tried.append(given_order)
        if not given_order:
            raise solver.Unproved("the time is over")
        return proof(*arguments, given_order=given_order)

    monkeypatch.setattr(optimal, "find_best", never_free)
    assert dict(plan(graph, 6, "optimal", iterations=400_000).statistics)["order_free"] == 0
    assert tried == [False, True]


def test_an_impossible_budget_names_the_least_possible() -> None:
    graph = training_chain(6)
    with pytest.raises(BudgetError, match="cannot be met, proved: no schedule meets it; it needs 4 bytes") as caught:
        plan(graph, 3, "optimal")
    assert caught.value.minimum_bytes == caught.value.bound_bytes == 4
    assert plan(graph, 4, "optimal").peak_bytes == 4


def test_an_impossible_budget_of_a_given_order() -> None:
    """In the other order the first two values are never there together."""
    graph = Graph.from_arrays(cost=[1, 1, 1, 1], bytes=[8, 8, 1, 1], edges=[(0, 2), (1, 3)], order=[0, 1, 2, 3])
    once = replace(graph, operations=tuple(replace(o, recomputable=False) for o in graph.operations))
    with pytest.raises(BudgetError, match="no schedule of the given order meets it; it needs 17 bytes") as caught:
        prove_given_order(once, 12)
    assert (caught.value.minimum_bytes, caught.value.bound_bytes) == (17, 9)
    assert plan(once, 12, "optimal").cost == 4


def test_without_a_limit_nothing_is_recomputed() -> None:
    found = plan(training_chain(4), None, "optimal")
    assert (found.overhead, found.bound, found.budget_bytes) == (0, 0, None)


def test_whole_knapsacks_are_in_every_plans_bound() -> None:
    """Three bytes are missing beside operation 3; parts of a value cannot be dropped, so one of four bytes is."""
    edges = [(0, 2), (1, 2), (2, 3), (3, 4), (0, 5), (1, 5), (4, 5)]
    graph = Graph.from_arrays(cost=[2, 3, 5, 5, 5, 5], bytes=[4, 4, 1, 8, 1, 1], edges=edges)
    found = plan(graph, 14, "auto", iterations=2000)
    assert found.overhead == pytest.approx(2 / 25)
    assert found.bound == pytest.approx(2 / 25)
    assert overhead_bound(graph, 14, effort=Effort(cases=0)).overhead < 2 / 25 - 0.01


def test_graphs_with_choices_are_refused() -> None:
    graph = training_chain(2)
    first = replace(graph.operations[0], choices=(Choice(cost=1.0), Choice(cost=2.0)))
    chosen = replace(graph, operations=(first, *graph.operations[1:]))
    with pytest.raises(UsageError, match="proves nothing of graphs with choices; use strategy 'auto'"):
        plan(chosen, "100%", "optimal")


def test_too_large_a_graph_is_refused() -> None:
    with pytest.raises(UsageError, match=r"takes graphs of up to .* use strategy 'auto' or 'search'"):
        plan(training_chain(100), "90%", "optimal")


def test_what_is_not_proved_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "SLICE", 1)
    with pytest.raises(UsageError, match="proved nothing in 3 iterations"):
        plan(training_chain(8), 5, "optimal", iterations=3)
    with pytest.raises(UsageError, match="proved nothing in 1e-09 seconds"):
        plan(training_chain(8), 5, "optimal", time_limit=1e-9)


def test_progress_is_told() -> None:
    seen: list[Progress] = []
    plan(training_chain(8), 6, "optimal", progress=seen.append)
    assert seen
    assert all(report.stage.startswith("exact search") for report in seen)


# Bad input


def test_a_single_operation() -> None:
    graph = Graph.from_arrays(cost=[0], bytes=[0], edges=[])
    assert plan(graph, 1, "optimal").cost == 0


def test_zero_costs_and_zero_bytes() -> None:
    graph = Graph.from_arrays(
        cost=[0, 0, 0, 0], bytes=[4, 0, 4, 4], edges=[(0, 1), (1, 2), (2, 3), (0, 3)], outputs=[3]
    )
    assert plan(graph, 12, "optimal").overhead == 0


def test_disconnected_parts() -> None:
    graph = Graph.from_arrays(cost=[1, 2, 3, 4], bytes=[5, 5, 5, 5], edges=[(0, 2), (1, 3)])
    found = plan(graph, 10, "optimal")
    assert found.cost == 10
    assert found.peak_bytes == 10


def two_ways(cheap: float, dear: float) -> Graph:
    """One of two values has to be made again after the third operation."""
    return Graph.from_arrays(
        cost=[cheap, dear, 1, 1, 1], bytes=[4, 4, 8, 1, 1], edges=[(0, 3), (1, 3), (2, 4)], order=[0, 1, 2, 4, 3]
    )


@pytest.mark.parametrize(("cheap", "dear"), [(1e-6, 1e6), (1.0, 1e12), (0.1, 3e11), (1e-150, 1e150), (1e12, 1e12 + 1)])
def test_costs_far_apart(cheap: float, dear: float) -> None:
    found = prove_given_order(two_ways(cheap, dear), 13)
    runs = found.verify(two_ways(cheap, dear)).runs
    assert (runs[0], runs[1]) == (2, 1)
    bound = Fraction(dict(found.statistics)["fixed_order_bound"])
    assert 0 < bound <= Fraction(cheap) / (Fraction(cheap) + Fraction(dear) + 3)


@pytest.mark.parametrize("unit", [1, 2**31, 2**53 + 1, 2**56 - 1])
def test_bytes_of_any_size(unit: int) -> None:
    small = training_chain(6)
    graph = Graph.from_arrays(
        cost=[o.cost for o in small.operations],
        bytes=[unit] * 12,
        edges=[(u, v) for v, o in enumerate(small.operations) for u in o.reads],
        outputs=[11],
    )
    found = plan(graph, 5 * unit, "optimal")
    assert found.cost == plan(small, 5, "optimal").cost
    assert found.peak_bytes <= 5 * unit
    with pytest.raises(BudgetError):
        plan(graph, 4 * unit - 1, "optimal")


def test_bytes_beyond_what_can_be_counted() -> None:
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[2**62] * 3, edges=[(0, 1), (0, 2), (1, 2)])
    with pytest.raises(UsageError, match="counts bytes in 61 bits"):
        plan(graph, 2**63, "optimal")
