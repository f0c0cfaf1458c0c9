"""What follows from a graph: producers, readers, views, segments, the store-all peak, the fingerprint."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from small_graphs import small_graphs

from retrograde import Graph, GraphError, Operation, Storage, Value
from retrograde.graph.footprint import store_all_live_bytes
from retrograde.planning import lower, replay

GRAPH = Graph(
    operations=(
        Operation("make two", 3, (0,), (1, 2), workspace_bytes=5),
        Operation("view", 0, (2,), (3,)),
        Operation("use", 2, (3, 1, 3), (4,), segment=1),
        Operation("effect", 1, (4,), (), segment=1, recomputable=False),
    ),
    values=(Value(0, 0), Value(1), Value(2), Value(2), Value(3), Value(4, 1)),
    storages=(Storage(100), Storage(10), Storage(20), Storage(30), Storage(40)),
    order=(0, 1, 2, 3),
    fixed_bytes=(1,),
)


def test_what_follows() -> None:
    assert GRAPH.producers == (None, 0, 0, 1, 2, None)
    assert GRAPH.readers == ((0,), (2,), (1,), (2,), (3,), ())
    assert GRAPH.storage_values == ((0,), (1,), (2, 3), (4,), (5,))
    assert GRAPH.allocators == (None, 0, 0, 2, None)
    assert GRAPH.arrivals == (0, None, None, None, 1)
    assert GRAPH.read_storages(2) == (2, 1)
    assert GRAPH.allocated_storages(0) == (1, 2)
    assert [GRAPH.is_view(i) for i in range(4)] == [False, True, False, False]
    assert GRAPH.segment_count == 2
    assert GRAPH.order_segments == (0, 0, 1, 1)
    assert (GRAPH.fixed_demand(0), GRAPH.fixed_demand(1)) == (1, 0)
    assert GRAPH.base_cost == 6


def test_the_number_of_segments() -> None:
    assert Graph((), (), (), ()).segment_count == 1
    assert replace(GRAPH, fixed_bytes=(0, 0, 0, 9)).segment_count == 4
    assert replace(GRAPH, values=(*GRAPH.values[:5], Value(4, 6))).segment_count == 7


def test_a_graph_is_immutable_and_hashable() -> None:
    with pytest.raises(FrozenInstanceError):
        GRAPH.name = "other"  # type: ignore[misc]
    assert hash(replace(GRAPH)) == hash(GRAPH)


def test_the_fingerprint_is_of_what_plans_depend_on() -> None:
    operations = tuple(replace(o, name="x", source="y") for o in GRAPH.operations)
    assert replace(GRAPH, operations=operations, name="other").fingerprint == GRAPH.fingerprint
    changed = [
        replace(GRAPH, operations=(replace(GRAPH.operations[0], cost=4), *GRAPH.operations[1:])),
        replace(GRAPH, operations=(*GRAPH.operations[:3], replace(GRAPH.operations[3], recomputable=True))),
        replace(GRAPH, storages=(Storage(101), *GRAPH.storages[1:])),
        replace(GRAPH, outputs=(4,)),
        replace(GRAPH, fixed_bytes=()),
        replace(GRAPH, retain=True),
        replace(GRAPH, values=(*GRAPH.values[:5], Value(4, 2))),
    ]
    assert len({g.fingerprint for g in [GRAPH, *changed]}) == 8


# The store-all peak


def test_live_bytes_of_the_given_order() -> None:
    assert store_all_live_bytes(GRAPH) == [36, 31, 60, 30]
    assert GRAPH.store_all_peak_bytes == 70


def test_an_unread_arrival_counts_at_its_border_alone() -> None:
    assert replace(GRAPH, storages=(*GRAPH.storages[:4], Storage(0))).store_all_peak_bytes == 60
    assert replace(GRAPH, storages=(*GRAPH.storages[:4], Storage(90))).store_all_peak_bytes == 120


def test_segments_behind_the_last_operation_count() -> None:
    assert replace(GRAPH, fixed_bytes=(0, 0, 0, 99)).store_all_peak_bytes == 99
    assert replace(GRAPH, fixed_bytes=(0, 0, 0, 99), outputs=(4,)).store_all_peak_bytes == 129


def test_retention_counts_to_the_end() -> None:
    assert store_all_live_bytes(replace(GRAPH, retain=True)) == [36, 31, 60, 60]


def test_a_graph_without_operations() -> None:
    assert Graph((), (Value(0, 1),), (Storage(7),), (), outputs=(0,), retain=True).store_all_peak_bytes == 7
    assert Graph((), (), (), ()).store_all_peak_bytes == 0


@settings(max_examples=200, deadline=None)
@given(small_graphs(most_operations=8))
def test_the_referee_sees_the_same_live_bytes(graph: Graph) -> None:
    placed = list(zip(graph.order, graph.order_segments, strict=True))
    schedule = lower(graph, [[i for i, s in placed if s == k] for k in range(graph.segment_count)])
    seen = replay(graph, schedule.actions, schedule.segments)
    assert seen.peak_bytes == graph.store_all_peak_bytes
    assert max(store_all_live_bytes(graph)) <= seen.peak_bytes


# From arrays


def test_from_arrays() -> None:
    graph = Graph.from_arrays(
        cost=[1, 2, 3], bytes=[4, 5, 6], edges=[(2, 0), (0, 1), (2, 1), (2, 1)], outputs=[1], name="n"
    )
    assert graph.order == (2, 0, 1)
    assert graph.operations[1].reads == (0, 2)
    assert [s.bytes for s in graph.storages] == [4, 5, 6]
    assert (graph.outputs, graph.name, graph.base_cost) == ((1,), "n", 6)
    assert Graph.from_arrays(cost=[1, 2], bytes=[1, 1], edges=[], order=[1, 0]).order == (1, 0)


def test_arrays_of_unequal_length() -> None:
    with pytest.raises(GraphError, match="cost has 2 entries and bytes has 1; give one of each for every operation"):
        Graph.from_arrays(cost=[1, 2], bytes=[1], edges=[])


def test_bytes_that_are_no_integers() -> None:
    with pytest.raises(GraphError, match=r"bytes of operation 1 must be an int of 0 or more, found 4\.5"):
        Graph.from_arrays(cost=[1, 2], bytes=[1, 4.5], edges=[])  # type: ignore[list-item]


@pytest.mark.parametrize("edge", [(0, 2), (-1, 1)])
def test_an_edge_that_leaves_the_range(edge: tuple[int, int]) -> None:
    with pytest.raises(GraphError, match=r"edge \(.*\) leaves the range of operations 0 to 1"):
        Graph.from_arrays(cost=[1, 2], bytes=[1, 1], edges=[edge])
