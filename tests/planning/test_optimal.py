"""``optimal`` against brute force over all schedules, and over those of the given order."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from oracle import Move, Oracle, State
from small_graphs import small_graphs

from retrograde import BudgetError, Graph, Plan, UsageError
from retrograde.planning import plan
from retrograde.planning.exact import solver
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimal, "MOST_FREE", 0)
        check(graph, GivenOrder(graph))


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


def test_a_proof_says_whether_the_order_was_free(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = training_chain(6)
    free = plan(graph, 6, "optimal")
    monkeypatch.setattr(optimal, "MOST_FREE", 0)
    fixed = plan(graph, 6, "optimal")
    assert dict(free.statistics)["order_free"] == 1
    assert "fixed_order_bound" not in dict(free.statistics)
    assert free.bound == pytest.approx(free.overhead, abs=1e-15)
    assert dict(fixed.statistics)["order_free"] == 0
    assert dict(fixed.statistics)["fixed_order_bound"] == pytest.approx(fixed.overhead, abs=1e-15)
    assert fixed.bound == 0
    assert free.cost <= fixed.cost


def test_an_impossible_budget_names_the_least_possible() -> None:
    graph = training_chain(6)
    with pytest.raises(BudgetError, match="cannot be met, proved: no schedule meets it; it needs 4 bytes") as caught:
        plan(graph, 3, "optimal")
    assert caught.value.minimum_bytes == caught.value.bound_bytes == 4
    assert plan(graph, 4, "optimal").peak_bytes == 4


def test_an_impossible_budget_of_a_given_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimal, "MOST_FREE", 0)
    with pytest.raises(BudgetError, match="no schedule of the given order meets it"):
        plan(training_chain(6), 3, "optimal")


def test_without_a_limit_nothing_is_recomputed() -> None:
    found = plan(training_chain(4), None, "optimal")
    assert (found.overhead, found.bound, found.budget_bytes) == (0, 0, None)


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
def test_costs_far_apart(monkeypatch: pytest.MonkeyPatch, cheap: float, dear: float) -> None:
    monkeypatch.setattr(optimal, "MOST_FREE", 0)
    found = plan(two_ways(cheap, dear), 13, "optimal")
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
