"""What makes a graph valid: every rule broken once."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from retrograde import Graph, GraphError, Operation, Storage, UsageError, Value
from retrograde.graph.check import find_cycle


def graph(**changes: Any) -> Graph:
    """Input 0 → operation 0 → value 1 → operation 1 → value 2, an output; operation 1 in segment 1."""
    parts: dict[str, Any] = {
        "operations": (
            Operation("first", 1, (0,), (1,)),
            Operation("second", 2, (1,), (2,), segment=1, source="m.py:7"),
        ),
        "values": (Value(0, 0, "x"), Value(1), Value(2)),
        "storages": (Storage(8), Storage(4, "h"), Storage(4)),
        "order": (0, 1),
        "outputs": (2,),
    }
    return Graph(**(parts | changes))


def with_operation(index: int, **changes: Any) -> Graph:
    operations = list(graph().operations)
    operations[index] = replace(operations[index], **changes)
    return graph(operations=tuple(operations))


def with_value(index: int, value: Value, **changes: Any) -> Graph:
    values = list(graph().values)
    values[index] = value
    return graph(values=tuple(values), **changes)


def refused(message: str) -> Any:
    return pytest.raises(GraphError, match=message)


def test_the_graph_that_the_tests_break_is_valid() -> None:
    assert graph().segment_count == 2
    assert issubclass(GraphError, UsageError)


# Sizes


@pytest.mark.parametrize("size", [-1, 1.0, True, "8", None])
def test_bytes_of_a_storage(size: Any) -> None:
    with refused(rf"storage 1 \(h\): bytes must be an int of 0 or more, found {size!r}"):
        graph(storages=(Storage(8), Storage(size, "h"), Storage(4)))
    with refused(r"storage 0 \(unnamed\): bytes must be"):
        graph(storages=(Storage(size), Storage(4), Storage(4)))


@pytest.mark.parametrize("cost", [-1.0, math.nan, math.inf, "1", None, True])
def test_costs(cost: Any) -> None:
    with refused(r"operation 1 \(second at m.py:7\): cost must be finite and 0 or more, found"):
        with_operation(1, cost=cost)


@pytest.mark.parametrize("count", [-1, 0.5, False])
def test_workspace_and_segments(count: Any) -> None:
    with refused(rf"operation 0 \(first\): workspace_bytes must be an int of 0 or more, found {count!r}"):
        with_operation(0, workspace_bytes=count)
    with refused(rf"operation 0 \(first\): segment must be an int of 0 or more, found {count!r}"):
        with_operation(0, segment=count)


def test_fixed_demand() -> None:
    with refused("fixed_bytes of segment 1 must be an int of 0 or more, found -3"):
        graph(fixed_bytes=(0, -3))


# References


def test_a_value_in_a_storage_that_is_not_there() -> None:
    with refused(r"value 1 \(unnamed\): there is no storage 3; the graph has 3"):
        with_value(1, Value(3))


@pytest.mark.parametrize("arrival", [-1, 0.5, True])
def test_an_arrival_that_is_no_segment(arrival: Any) -> None:
    with refused(rf"value 0: available_from must be None or a segment, found {arrival!r}"):
        with_value(0, Value(0, arrival))


@pytest.mark.parametrize("value", [3, -1, True, "0"])
def test_values_that_are_not_there(value: Any) -> None:
    message = rf"operation 1 \(second at m.py:7\): there is no value {value!r}; the graph has 3"
    with refused(message):
        with_operation(1, reads=(value,))
    with refused(message):
        with_operation(1, makes=(2, value))
    with refused(message):
        with_operation(1, may_overwrite=((2, value),))
    with refused(rf"outputs: there is no value {value!r}; the graph has 3"):
        graph(outputs=(value,))


def test_an_order_with_an_operation_that_is_not_there() -> None:
    with refused("order: there is no operation 2; the graph has 2"):
        graph(order=(0, 2))


# Makers


def test_a_value_made_twice() -> None:
    with refused(r"operation 1 \(second at m.py:7\): value 1 is made by operation 0 already"):
        with_operation(1, makes=(1, 2))


def test_a_missing_input() -> None:
    with refused(
        r"value 0 \(x\) is a missing input: no operation makes it and available_from is None; give the segment"
    ):
        with_value(0, Value(0, None, "x"))


def test_an_input_that_is_made_too() -> None:
    with refused("value 1 is an input and is made by operation 0 too; it can be only one"):
        with_value(1, Value(1, 0))


# Order


@pytest.mark.parametrize(
    ("order", "found"), [((0,), "1 entries, 1"), ((0, 0), "2 entries, 1"), ((0, 1, 1), "3 entries, 2")]
)
def test_an_order_that_is_no_permutation(order: tuple[int, ...], found: str) -> None:
    with refused(f"order must name each of the 2 operations once, found {found} different"):
        graph(order=order)


def test_an_order_that_reads_before_it_makes() -> None:
    message = (
        r"order is not valid: operation 1 \(second at m.py:7\) reads value 1, which operation 0 \(first\) makes later; "
        "give a topological order"
    )
    with refused(message):
        graph(order=(1, 0))


def test_a_cycle() -> None:
    with refused(r"the graph has a cycle: operations 0 <- 1 <- 0 \(each reads from the next\); break it"):
        with_operation(0, reads=(2,), segment=1)
    with refused("the graph has a cycle: operations 1 <- 1"):
        with_operation(1, reads=(2,))
    with refused("the graph has a cycle: operations 1 <- 2 <- 3 <- 1"):
        Graph.from_arrays(cost=[1] * 4, bytes=[1] * 4, edges=[(0, 1), (2, 1), (3, 2), (1, 3)])


def test_finding_a_cycle() -> None:
    assert find_cycle([[], [0], [0, 1]]) == []
    assert find_cycle([[1], [2], [0]]) == [0, 1, 2]
    assert find_cycle([[1], [2], [1]]) == [1, 2]


# Storages


def test_a_storage_that_arrives_twice() -> None:
    with refused("storage 0: value 3 is an input of segment 1, another of its values is an input of segment 0"):
        graph(values=(*graph().values, Value(0, 1)))


def test_a_view_that_does_not_read_what_it_views() -> None:
    with refused(
        r"operation 1 \(second at m.py:7\) makes a value in storage 1 without reading from it, but operation 0 "
        r"\(first\) owns that storage; a view reads what it views"
    ):
        graph(
            operations=(Operation("first", 1, (0,), (1,)), Operation("second", 2, (0,), (2,), source="m.py:7")),
            values=(Value(0, 0), Value(1), Value(1)),
        )
    with refused("makes a value in storage 0 without reading from it, but an input of segment 0 owns that storage"):
        graph(values=(Value(0, 0), Value(1), Value(0)))


# Segments and outputs


def test_an_operation_before_what_it_reads() -> None:
    with refused(
        r"operation 1 \(second at m.py:7\) may run from segment 1, but value 1, which it reads, comes in segment 2"
    ):
        with_operation(0, segment=2)
    with refused(r"operation 0 \(first\) may run from segment 0, but value 0, which it reads, comes in segment 1"):
        with_value(0, Value(0, 1))


def test_an_output_named_twice() -> None:
    with refused("outputs names a value twice"):
        graph(outputs=(2, 2))


def test_an_output_that_the_order_makes_too_late() -> None:
    operations = (*graph().operations, Operation("third", 1, (0,), (3,)))
    with refused(r"output 3 is due when segment 0 ends, but order runs operation 2 \(third\) in segment 1"):
        graph(
            operations=operations,
            values=(*graph().values, Value(3)),
            storages=(*graph().storages, Storage(1)),
            order=(0, 1, 2),
            outputs=(3,),
        )


# Overwriting


@pytest.mark.parametrize(("pair", "problem"), [
    ((1, 0), "a pair is (value made, value read) by this operation"),
    ((2, 0), "a pair is (value made, value read) by this operation"),
])  # fmt: skip
def test_pairs_that_are_none(pair: tuple[int, int], problem: str) -> None:
    with pytest.raises(GraphError) as caught:
        with_operation(1, may_overwrite=(pair,))
    assert str(caught.value) == f"operation 1 (second at m.py:7): may_overwrite {pair}: {problem}"


def test_overwriting_something_of_another_size() -> None:
    with refused(r"operation 1 .*: may_overwrite \(2, 1\): sizes differ: 5 and 4 bytes"):
        replace(with_operation(1, may_overwrite=((2, 1),)), storages=(Storage(8), Storage(4), Storage(5)))


def test_overwriting_what_the_caller_holds() -> None:
    with refused(
        r"may_overwrite \(1, 0\): the storage of value 0 is the caller's or an output's and is never overwritten"
    ):
        graph(
            operations=(replace(graph().operations[0], may_overwrite=((1, 0),)), graph().operations[1]),
            storages=(Storage(4), Storage(4), Storage(4)),
        )
    with refused("the storage of value 1 is the caller's or an output's"):
        replace(with_operation(1, may_overwrite=((2, 1),)), outputs=(1, 2))


def test_overwriting_with_a_view() -> None:
    operations = (Operation("a", 1, (0,), (1,)), Operation("view", 1, (1,), (2,), may_overwrite=((2, 1),)))
    with refused(r"may_overwrite \(2, 1\): value 2 is a view, not in a storage of its own"):
        graph(operations=operations, values=(Value(0, 0), Value(1), Value(1)), outputs=())
