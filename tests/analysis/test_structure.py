"""The shape of a graph."""

from __future__ import annotations

from retrograde import Graph
from retrograde.analysis import NarrowPoint, narrow_points, structure_of
from retrograde.analysis.structure import carried_bytes


def test_depth_width_and_fan_out() -> None:
    shape = structure_of(
        Graph.from_arrays(cost=[1] * 5, bytes=[1] * 5, edges=[(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)])
    )
    assert (shape.depth, shape.width, shape.largest_fan_out, shape.shared_values) == (3, 3, 3, 1)
    assert shape.mean_fan_out == 6 / 4


def test_an_empty_graph_has_no_shape() -> None:
    shape = structure_of(Graph((), (), (), ()))
    assert (shape.depth, shape.width, shape.mean_fan_out, shape.narrow_points) == (0, 0, 0.0, ())


def blocks(count: int) -> Graph:
    """Blocks of a wide inside between narrow ends: end -> (large, large) -> end."""
    edges: list[tuple[int, int]] = []
    for block in range(count):
        first = 3 * block
        edges += [(first, first + 1), (first + 1, first + 2), (first, first + 2), (first + 2, first + 3)]
    sizes = [1, 50, 50] * count + [1]
    return Graph.from_arrays(cost=[1] * len(sizes), bytes=sizes, edges=edges)


def test_carried_bytes_are_what_is_live_between_positions() -> None:
    assert carried_bytes(blocks(2)) == [1, 51, 50, 1, 51, 50, 0]


def test_narrow_points_are_the_borders_of_blocks() -> None:
    assert narrow_points(blocks(3)) == (NarrowPoint(3, 1), NarrowPoint(6, 1))


def test_values_for_a_later_segment_do_not_hide_the_borders() -> None:
    from dataclasses import replace

    forward = blocks(3)
    backward = tuple(
        replace(operation, segment=1, reads=(i,), makes=(10 + i,)) for i, operation in enumerate(forward.operations)
    )
    values = tuple(replace(forward.values[0], storage=i) for i in range(20))
    graph = Graph(forward.operations + backward, values, forward.storages * 2, (*range(10), *reversed(range(10, 20))))
    assert [point.position for point in narrow_points(graph)] == [3, 6]
