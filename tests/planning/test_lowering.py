"""Lowering: golden schedules, and random sequences against the referee and brute force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chains import training_chain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from small_graphs import small_graphs

from retrograde import Compute, Free, Graph, Operation, PlanError, Storage, UsageError, Value
from retrograde.planning import Lowering, Schedule, certify, lower, replay

RELAXED = list(HealthCheck)


def graph_of(operations: list[Operation], values: list[Value], sizes: list[int], **more: object) -> Graph:
    storages = tuple(Storage(s) for s in sizes)
    return Graph(tuple(operations), tuple(values), storages, tuple(range(len(operations))), **more)  # type: ignore[arg-type]


def run(schedule: Schedule) -> list[str]:
    """A schedule as short words: an operation's index, ``-s`` for a free, ``|`` for a border."""
    words: list[str] = []
    for index, action in enumerate(schedule.actions):
        words += ["|"] * sum(1 for border in schedule.segments[1:] if border == index)
        words.append(f"-{action.storage}" if isinstance(action, Free) else _word(action))
    return words + ["|"] * sum(1 for border in schedule.segments[1:] if border == len(schedule.actions))


def _word(action: object) -> str:
    assert isinstance(action, Compute)
    return str(action.operation) + "".join(f"({made}<{read})" for made, read in action.overwrites)


# Golden schedules


def test_a_storage_is_freed_after_its_last_reader() -> None:
    schedule = lower(training_chain(2), [[0, 1], [2, 3]])
    assert run(schedule) == ["0", "1", "-2", "|", "2", "-1", "-3", "3", "-4"]
    assert schedule.segments == (0, 3)


def test_a_recomputed_storage_is_freed_in_between() -> None:
    schedule = lower(training_chain(2), [[0, 1], [0, 2, 3]])
    assert run(schedule) == ["0", "1", "-1", "-2", "|", "0", "2", "-3", "-1", "3", "-4"]


def test_a_dead_result_is_freed_at_once() -> None:
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[4, 4, 4], edges=[(0, 2)])
    assert run(lower(graph, [[0, 1, 2]])) == ["0", "1", "-1", "2", "-0", "-2"]


def test_a_result_recomputed_before_any_reader_is_freed_at_once() -> None:
    graph = Graph.from_arrays(cost=[1, 1], bytes=[4, 4], edges=[(0, 1)], outputs=[1])
    assert run(lower(graph, [[0, 0, 1]])) == ["0", "-0", "0", "1", "-0"]


def test_an_unread_arriving_input_is_freed_at_its_border() -> None:
    graph = graph_of([Operation("a", 1, (), (1,))], [Value(0, 2), Value(1)], [4, 4], outputs=(1,))
    assert run(lower(graph, [[0], [], []])) == ["0", "|", "|", "-0"]


def test_what_the_caller_holds_is_never_freed() -> None:
    graph = graph_of([Operation("a", 1, (0,), (1,))], [Value(0, 0), Value(1)], [4, 4])
    assert run(lower(graph, [[0]])) == ["0", "-1"]


VIEWED = graph_of(
    [
        Operation("base", 1, (), (0,)),
        Operation("view", 0, (0,), (1,)),
        Operation("use", 1, (1,), (2,)),
        Operation("use again", 1, (1, 2), (3,)),
    ],
    [Value(0), Value(0), Value(1), Value(2)],
    [8, 4, 2],
    outputs=(3,),
)


def test_a_missing_view_is_inserted_before_its_reader() -> None:
    assert run(lower(VIEWED, [[0, 2, 3]])) == ["0", "1", "2", "3", "-0", "-1"]


def test_a_view_that_is_present_is_dropped() -> None:
    assert run(lower(VIEWED, [[0, 1, 2, 1, 3]])) == ["0", "1", "2", "3", "-0", "-1"]


def test_recomputing_a_base_invalidates_its_views() -> None:
    assert run(lower(VIEWED, [[0, 2, 0, 3]])) == ["0", "1", "2", "-0", "0", "1", "3", "-1", "-0"]


def test_a_sequence_as_it_will_run() -> None:
    assert Lowering(VIEWED).with_views([[0, 2, 0, 1, 1, 3]]) == [[0, 1, 2, 0, 1, 3]]
    assert Lowering(training_chain(2)).with_views([[0, 1], [0, 2, 3]]) == [[0, 1], [0, 2, 3]]


def test_views_of_views_are_inserted_in_order() -> None:
    graph = graph_of(
        [
            Operation("base", 1, (), (0,)),
            Operation("view", 0, (0,), (1,)),
            Operation("view of the view", 0, (1,), (2,)),
            Operation("use", 1, (2,), (3,)),
        ],
        [Value(0), Value(0), Value(0), Value(1)],
        [8, 4],
        outputs=(3,),
    )
    assert run(lower(graph, [[0, 3]])) == ["0", "1", "2", "3", "-0"]


def test_a_view_that_nobody_reads_runs_once_as_soon_as_it_can() -> None:
    graph = graph_of(
        [
            Operation("base", 1, (), (0,)),
            Operation("view", 0, (0,), (1,)),
            Operation("view of the view", 0, (1,), (2,)),
            Operation("use", 1, (0,), (3,)),
            Operation("late view", 0, (0,), (4,), segment=1),
        ],
        [Value(0), Value(0), Value(0), Value(1), Value(0)],
        [8, 4],
        outputs=(3,),
    )
    assert run(lower(graph, [[0, 3], []])) == ["0", "1", "2", "3", "|", "4", "-0"]


def test_a_view_that_may_not_run_twice_is_not_inserted_again() -> None:
    once = replace(VIEWED.operations[1], recomputable=False)
    graph = replace(VIEWED, operations=(VIEWED.operations[0], once, *VIEWED.operations[2:]))
    schedule = lower(graph, [[0, 1, 2, 0, 3]])
    with pytest.raises(PlanError, match="reads value 1, which is not present"):
        replay(graph, schedule.actions, schedule.segments)


def test_an_output_stays_and_its_maker_writes_a_duplicate() -> None:
    graph = graph_of(
        [
            Operation("a", 1, (), (0, 1)),
            Operation("b", 1, (1,), (2,)),
            Operation("c", 1, (0, 1), (3,), segment=1),
        ],
        [Value(0), Value(1), Value(2), Value(3)],
        [4, 8, 2, 1],
        outputs=(0, 3),
    )
    schedule = lower(graph, [[0, 1], [0, 2]])
    assert run(schedule) == ["0", "1", "-1", "-2", "|", "0", "2", "-1"]
    seen = replay(graph, schedule.actions, schedule.segments)
    assert seen.live_bytes[4] == 4 + 4 + 8


def test_an_output_may_be_dropped_before_it_is_due() -> None:
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[4, 4, 4], edges=[(0, 1), (0, 2), (1, 2)], outputs=[0])
    assert run(lower(graph, [[0, 1, 0, 2]])) == ["0", "1", "-0", "0", "2", "-1", "-2"]


def test_an_output_that_is_a_view_is_there_when_its_segment_ends() -> None:
    graph = replace(VIEWED, outputs=(1,))
    assert run(lower(graph, [[0, 2, 3, 0]])) == ["0", "1", "2", "3", "-0", "-1", "-2", "0", "1"]


def test_several_results_later_reads_bind_to_the_new_run() -> None:
    graph = graph_of(
        [
            Operation("two", 1, (), (0, 1)),
            Operation("reads 0", 1, (0,), (2,)),
            Operation("reads both", 1, (0, 1, 2), (3,)),
        ],
        [Value(0), Value(1), Value(2), Value(3)],
        [4, 8, 2, 1],
        outputs=(3,),
    )
    assert run(lower(graph, [[0, 1, 0, 2]])) == ["0", "-1", "1", "-0", "0", "2", "-2", "-0", "-1"]


def overwriting(**changes: object) -> Graph:
    graph = graph_of(
        [
            Operation("a", 1, (), (0,)),
            Operation("b", 1, (0,), (1,), may_overwrite=((1, 0),)),
            Operation("c", 1, (1,), (2,), may_overwrite=((2, 1),)),
        ],
        [Value(0), Value(1), Value(2)],
        [8, 8, 8],
        outputs=(2,),
    )
    return replace(graph, **changes)


def test_overwriting_is_used_where_the_input_dies() -> None:
    graph = overwriting()
    schedule = lower(graph, [[0, 1, 2]])
    assert run(schedule) == ["0", "1(1<0)", "2(2<1)"]
    assert replay(graph, schedule.actions, schedule.segments).peak_bytes == 8


def test_overwriting_is_not_used_where_the_input_is_read_later() -> None:
    assert run(lower(overwriting(), [[0, 1, 1, 2]])) == ["0", "1", "-1", "1(1<0)", "2(2<1)"]


def test_one_result_overwrites_one_input() -> None:
    graph = graph_of(
        [
            Operation("a", 1, (), (0,)),
            Operation("b", 1, (), (1,)),
            Operation("c", 1, (0, 1), (2, 3), may_overwrite=((2, 0), (2, 1), (3, 0), (3, 1))),
        ],
        [Value(0), Value(1), Value(2), Value(3)],
        [8, 8, 8, 8],
        outputs=(2,),
    )
    schedule = lower(graph, [[0, 1, 2]])
    assert run(schedule) == ["0", "1", "2(2<0)(3<1)", "-3"]
    assert replay(graph, schedule.actions, schedule.segments).peak_bytes == 16


def test_what_crossed_a_border_of_a_graph_that_retains_is_neither_overwritten_nor_replaced() -> None:
    graph = graph_of(
        [
            Operation("a", 1, (), (0,)),
            Operation("b", 1, (0,), (1,), segment=1, may_overwrite=((1, 0),)),
            Operation("c", 1, (1, 0), (2,), segment=1),
        ],
        [Value(0), Value(1), Value(2)],
        [8, 8, 8],
        outputs=(2,),
        retain=True,
    )
    assert run(lower(graph, [[0], [1, 0, 2]])) == ["0", "|", "1", "0", "2", "-0", "-1"]
    assert run(lower(graph, [[0], [0, 1, 2]])) == ["0", "-0", "|", "0", "1", "2", "-0", "-1"]
    assert run(lower(graph, [[0], [1, 2, 0]])) == ["0", "|", "1", "2", "-1", "0", "-0"]


def test_a_missing_operation_is_for_the_referee() -> None:
    graph = training_chain(2)
    schedule = lower(graph, [[0, 1], [2]])
    with pytest.raises(PlanError, match="without its output"):
        certify(graph, schedule.actions, schedule.segments, strategy="none")
    schedule = lower(graph, [[1], [2, 3]])
    with pytest.raises(PlanError, match="reads value 1, which is not present"):
        certify(graph, schedule.actions, schedule.segments, strategy="none")


def test_a_sequence_gives_every_segment() -> None:
    with pytest.raises(UsageError, match="a sequence gives the operations of 1 segments, the graph has 2"):
        lower(training_chain(2), [[0, 1, 2, 3]])


# Random sequences


@st.composite
def sequences(draw: st.DrawFn, graph: Graph) -> list[list[int]]:
    """The given order with operations repeated and views left out at random."""
    flat = list(zip(graph.order, graph.order_segments, strict=True))
    again = [i for i in graph.order if may_repeat(graph, i)]
    for _ in range(draw(st.integers(0, 4)) if again else 0):
        operation = draw(st.sampled_from(again))
        first = next(place for place, (i, _) in enumerate(flat) if i == operation)
        place = draw(st.integers(first + 1, len(flat)))
        flat.insert(place, (operation, flat[place - 1][1]))
    left_out = {i for i in graph.order if is_plain_view(graph, i) and draw(st.booleans())}
    return [[i for i, s in flat if s == k and i not in left_out] for k in range(graph.segment_count)]


def is_plain_view(graph: Graph, index: int) -> bool:
    operation = graph.operations[index]
    return graph.is_view(index) and operation.recomputable and len(graph.read_storages(index)) == 1


def may_repeat(graph: Graph, index: int) -> bool:
    """Whether running an operation again breaks nothing: no value in its storages is beyond plain views."""
    own = set(graph.allocated_storages(index))
    for other, operation in enumerate(graph.operations):
        makes_in_own = any(graph.values[v].storage in own for v in operation.makes)
        if other != index and makes_in_own and not is_plain_view(graph, other):
            return False
    return graph.operations[index].recomputable


@settings(max_examples=300, deadline=None, suppress_health_check=RELAXED)
@given(st.data())
def test_random_sequences(data: st.DataObject) -> None:
    """The referee takes them and sees what was measured; nothing but other overwrites could free earlier."""
    graph = data.draw(small_graphs(most_operations=6))
    sequence = data.draw(sequences(graph))
    lowering = Lowering(graph)
    schedule = lowering.lower(sequence)
    seen = replay(graph, schedule.actions, schedule.segments)
    assert (seen.peak_bytes, seen.cost) == lowering.measure(sequence)
    for operation in range(len(graph.operations)):
        if not graph.is_view(operation):
            assert seen.runs[operation] == sum(s.count(operation) for s in sequence)
    ends = [*schedule.segments[1:], len(schedule.actions)]
    runs = [
        [a.operation for a in schedule.actions[begin:end] if isinstance(a, Compute)]
        for begin, end in zip(schedule.segments, ends, strict=True)
    ]
    least = Oracle(graph).least_peak_of_order(runs)
    if any(o.may_overwrite for o in graph.operations):
        assert seen.peak_bytes >= least
    else:
        assert seen.peak_bytes == least
