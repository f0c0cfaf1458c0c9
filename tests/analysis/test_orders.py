"""Every order is valid on every graph, and each is good at what it says."""

from __future__ import annotations

import dataclasses

import pytest
from drawn_graphs import random_graphs
from hypothesis import given, settings

from retrograde import Graph, Operation, Storage, UsageError, Value
from retrograde.analysis import ORDERS, compare_orders, order_operations


@given(random_graphs())
@settings(max_examples=300, deadline=None)
def test_every_order_is_valid(graph: Graph) -> None:
    for name in ORDERS:
        reordered = dataclasses.replace(graph, order=order_operations(graph, name))  # the graph checks it
        assert sorted(reordered.order) == list(range(len(graph.operations)))


@given(random_graphs())
@settings(max_examples=100, deadline=None)
def test_peaks_are_those_of_the_reordered_graph(graph: Graph) -> None:
    for order in compare_orders(graph):
        assert order.peak_bytes == dataclasses.replace(graph, order=order.operations).store_all_peak_bytes
        assert order.mean_bytes <= order.peak_bytes


def test_given_comes_first_and_as_it_is() -> None:
    graph = Graph.from_arrays(cost=[1] * 3, bytes=[1] * 3, edges=[(0, 2)], order=[1, 0, 2])
    first = compare_orders(graph)[0]
    assert (first.name, first.operations) == ("given", (1, 0, 2))


def two_branches() -> Graph:
    """Two chains that shrink, joined at the end: 0 -> 1 and 2 -> 3, both read by 4."""
    return Graph.from_arrays(
        cost=[1] * 5, bytes=[100, 1, 100, 1, 1], edges=[(0, 1), (2, 3), (1, 4), (3, 4)], order=[0, 2, 1, 3, 4]
    )


@pytest.mark.parametrize("name", ["greedy", "greedy_backward", "depth_first", "on_demand", "sethi_ullman"])
def test_one_branch_after_the_other_needs_half(name: str) -> None:
    assert {o.name: o.peak_bytes for o in compare_orders(two_branches())}[name] == 102


def test_breadth_first_goes_level_by_level() -> None:
    assert order_operations(two_branches(), "breadth_first") == (0, 2, 1, 3, 4)


def test_sethi_ullman_runs_the_hungrier_operand_first() -> None:
    # Operand 0 leaves 10 and needs 10; operand 2 leaves 1 and needs 101 on the way: 2 goes first.
    graph = Graph.from_arrays(cost=[1] * 4, bytes=[10, 100, 1, 1], edges=[(1, 2), (0, 3), (2, 3)], order=[0, 1, 2, 3])
    assert order_operations(graph, "sethi_ullman") == (1, 2, 0, 3)
    assert {o.name: o.peak_bytes for o in compare_orders(graph)}["given"] == 111


def test_what_no_output_needs_may_wait_for_a_later_segment() -> None:
    """Operation 1 is of the forward, but only the backward reads it: running it late saves its bytes."""
    graph = Graph(
        operations=(
            Operation("a", 1, (), (0,)),
            Operation("b", 1, (0,), (1,)),
            Operation("c", 1, (0,), (2,), workspace_bytes=50),
            Operation("d", 1, (1, 2), (3,), segment=1),
        ),
        values=tuple(Value(i) for i in range(4)),
        storages=tuple(Storage(n) for n in (1, 40, 1, 1)),
        order=(0, 1, 2, 3),
        outputs=(2,),
    )
    peaks = {order.name: order for order in compare_orders(graph)}
    assert peaks["given"].peak_bytes == 92
    assert peaks["greedy"].operations == (0, 2, 1, 3)
    assert peaks["greedy"].peak_bytes == 52


def test_an_unknown_order_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"there is no order 'best'; the orders are given, greedy, "):
        order_operations(two_branches(), "best")
