"""Working sets: golden numbers, and none above what the referee sees."""

from __future__ import annotations

from drawn_graphs import random_graphs
from hypothesis import given, settings

from retrograde import Graph, Operation, Storage, Value
from retrograde.analysis import largest_working_set_bytes, working_set_bytes, working_sets
from retrograde.graph.footprint import store_all_live_bytes


def graph_of(*operations: Operation, bytes: list[int], inputs: dict[int, int] | None = None, **more: object) -> Graph:
    """A graph with one value a storage; ``inputs`` maps a value to the segment in which it arrives."""
    values = tuple(Value(i, (inputs or {}).get(i)) for i in range(len(bytes)))
    order = tuple(range(len(operations)))
    return Graph(operations, values, tuple(Storage(b) for b in bytes), order, **more)  # type: ignore[arg-type]


def test_reads_makes_and_workspace_count() -> None:
    graph = graph_of(Operation("a", 1, (), (0,)), Operation("b", 1, (0,), (1, 2), workspace_bytes=100), bytes=[8, 4, 2])
    assert working_sets(graph) == (8, 114)
    assert working_set_bytes(graph, 1) == largest_working_set_bytes(graph) == 114


def test_what_the_caller_held_before_is_free_of_charge_and_what_arrives_is_not() -> None:
    graph = graph_of(
        Operation("a", 1, (0,), (1,)),
        Operation("b", 1, (1, 2), (3,), segment=1),
        bytes=[64, 8, 32, 2],
        inputs={0: 0, 2: 1},
    )
    assert working_sets(graph) == (8, 42)


def test_outputs_handed_over_earlier_are_live_later() -> None:
    graph = graph_of(Operation("a", 1, (), (0,)), Operation("b", 1, (), (1,), segment=1), bytes=[64, 8], outputs=(0,))
    assert working_sets(graph) == (64, 72)


def test_an_output_that_is_read_counts_once() -> None:
    graph = graph_of(Operation("a", 1, (), (0,)), Operation("b", 1, (0,), (1,), segment=1), bytes=[64, 8], outputs=(0,))
    assert working_sets(graph) == (64, 72)


def test_fixed_demand_counts_where_the_operation_must_run() -> None:
    operations = (Operation("a", 1, (), (0,)), Operation("b", 1, (0,), (1,), segment=1))
    free_to_wait = graph_of(*operations, bytes=[8, 8], fixed_bytes=(100, 10))
    due_in_forward = graph_of(*operations, bytes=[8, 8], fixed_bytes=(100, 10), outputs=(0,))
    assert working_sets(free_to_wait) == (18, 26)
    assert working_sets(due_in_forward) == (108, 26)


def test_an_overwritten_operand_counts_once() -> None:
    pairs = ((2, 0), (2, 1), (3, 0))
    graph = graph_of(
        Operation("a", 1, (), (0, 1)), Operation("b", 1, (0, 1), (2, 3), may_overwrite=pairs), bytes=[8, 8, 8, 8]
    )
    # The best match is 2 over 1 and 3 over 0: two storages of 8 instead of four.
    assert working_set_bytes(graph, 1) == 16


def test_a_view_adds_nothing() -> None:
    graph = Graph(
        operations=(Operation("a", 1, (), (0,)), Operation("view", 0, (0,), (1,))),
        values=(Value(0), Value(0)),
        storages=(Storage(8),),
        order=(0, 1),
    )
    assert working_sets(graph) == (8, 8)


def test_an_empty_graph_needs_nothing() -> None:
    assert largest_working_set_bytes(Graph((), (), (), ())) == 0


@given(random_graphs())
@settings(max_examples=200, deadline=None)
def test_no_working_set_is_above_the_live_bytes_of_the_given_order(graph: Graph) -> None:
    sets = working_sets(graph)
    for position, live in enumerate(store_all_live_bytes(graph)):
        assert sets[graph.order[position]] <= live
