"""Lower bounds: golden numbers, and none above what brute force reaches."""

from __future__ import annotations

import pytest
from drawn_graphs import random_graphs
from hypothesis import given, settings
from oracle import Oracle

from retrograde import Graph, Operation, Storage, Value
from retrograde.analysis import analyze, lower_bounds, peak_bound_bytes


@given(random_graphs(most_operations=6))
@settings(max_examples=300, deadline=None)
def test_no_bound_is_above_the_least_peak_of_any_schedule(graph: Graph) -> None:
    least = Oracle(graph).least_peak()
    for bound in lower_bounds(graph):
        assert bound.bytes <= least, bound


def golden(*operations: Operation, bytes: list[int], outputs: tuple[int, ...] = (), **more: object) -> dict[str, int]:
    inputs: dict[int, int] = more.pop("inputs", {})  # type: ignore[assignment]
    values = tuple(Value(i, inputs.get(i)) for i in range(len(bytes)))
    order = tuple(range(len(operations)))
    storages = tuple(Storage(b) for b in bytes)
    graph = Graph(operations, values, storages, order, outputs, **more)  # type: ignore[arg-type]
    found = {bound.name: bound.bytes for bound in lower_bounds(graph)}
    assert max(found.values()) <= Oracle(graph).least_peak()
    return found


def test_outputs_are_live_together_when_their_segment_ends() -> None:
    found = golden(
        *(Operation("make", 1, (), (i,)) for i in range(3)), bytes=[5, 6, 7], outputs=(0, 1, 2), fixed_bytes=(10,)
    )
    assert found["handed-over outputs"] == 28


def test_arrivals_are_live_together_when_their_segment_begins() -> None:
    found = golden(
        Operation("forward", 1, (), (0,)),
        Operation("backward", 1, (1, 2), (3,), segment=1),
        bytes=[4, 10, 20, 1],
        outputs=(0,),
        inputs={1: 1, 2: 1},
    )
    assert found["arrivals"] == 34


def test_the_last_output_needs_its_working_set_beside_the_others() -> None:
    found = golden(
        Operation("first", 1, (0,), (1,), workspace_bytes=90),
        Operation("second", 1, (0,), (2,), workspace_bytes=100),
        bytes=[50, 10, 20],
        outputs=(1, 2),
        inputs={0: 0},
    )
    assert found["last output"] == 10 + 20 + 90


def test_a_value_that_exists_once_is_live_until_its_last_reader() -> None:
    found = golden(
        Operation("dropout mask", 1, (), (0,), recomputable=False),
        Operation("use", 1, (0,), (1,)),
        Operation("large", 1, (1,), (2,), workspace_bytes=100),
        Operation("use again", 1, (2, 0), (3,)),
        bytes=[30, 5, 6, 7],
    )
    assert found["once-only values"] == 30 + 5 + 6 + 100


def test_bounds_that_spilling_breaks_are_marked() -> None:
    graph = Graph.from_arrays(cost=[1] * 3, bytes=[8, 8, 4], edges=[(0, 1), (1, 2)], outputs=[0, 2])
    marked = {bound.name: bound.holds_with_spilling for bound in lower_bounds(graph)}
    assert marked == {
        "largest working set": True,
        "handed-over outputs": True,
        "arrivals": True,
        "last output": False,
        "once-only values": False,
    }
    assert peak_bound_bytes(graph) == analyze(graph).bound_bytes == 16


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 3, 0, 1)])
def test_bounds_do_not_depend_on_the_given_order(order: tuple[int, ...]) -> None:
    graph = Graph.from_arrays(cost=[1] * 4, bytes=[9, 2, 5, 3], edges=[(0, 1), (2, 3)], order=order, outputs=[1, 3])
    assert [(b.name, b.bytes) for b in lower_bounds(graph)] == [
        ("largest working set", 11),
        ("last output", 10),
        ("handed-over outputs", 5),
        ("arrivals", 0),
        ("once-only values", 0),
    ]
