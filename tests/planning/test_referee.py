"""The referee: each rule broken once, by hand and by mutating good plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from chains import training_chain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_graphs import small_graphs

from retrograde import Compute, Free, Graph, Load, Operation, PlanError, Spill, Storage, Value
from retrograde.planning import Action, Moment, lower, replay

CHAIN = training_chain(2)
ACTIONS = (Compute(0), Compute(1), Free(2), Compute(2), Free(1), Free(3), Compute(3), Free(4))
"""The chain, everything kept: ``test_a_good_plan`` checks that it is valid."""


def refused(actions: Sequence[Action], message: str, graph: Graph = CHAIN, segments: Sequence[int] = (0, 3)) -> None:
    with pytest.raises(PlanError, match=message):
        replay(graph, actions, segments)


def test_a_good_plan() -> None:
    seen = replay(CHAIN, ACTIONS, (0, 3), budget_bytes=30)
    assert seen.peak_bytes == 30
    assert seen.peak_action == 3
    assert seen.cost == 4
    assert seen.runs == (1, 1, 1, 1)
    assert seen.live_bytes == (10, 20, 20, 30, 30, 20, 20, 20)
    assert seen.spilled_bytes == 0


def test_what_it_counts_can_be_watched() -> None:
    moments: list[Moment] = []
    replay(replace(CHAIN, fixed_bytes=(0, 7)), ACTIONS, (0, 3), watch=moments.append)
    assert moments == [
        Moment(0, 0, ((1, 0),), (), (), 0, 0, 10),
        Moment(1, 0, ((1, 0), (2, 1)), (), (), 0, 0, 20),
        Moment(3, 1, ((1, 0), (3, 3)), (), (), 0, 7, 27),
        Moment(3, 1, ((1, 0), (3, 3), (4, 3)), (), (), 0, 7, 37),
        Moment(6, 1, ((4, 3), (5, 6)), (), (), 0, 7, 27),
    ]


@given(small_graphs(), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_every_moment_adds_up(graph: Graph, retain: bool) -> None:
    graph = replace(graph, retain=retain)
    given_order: list[list[int]] = [[] for _ in range(graph.segment_count)]
    for operation, segment in zip(graph.order, graph.order_segments, strict=True):
        given_order[segment].append(operation)
    schedule = lower(graph, given_order)
    moments: list[Moment] = []
    seen = replay(graph, schedule.actions, schedule.segments, watch=moments.append)
    for moment in moments:
        storages = [s for s, _ in (*moment.live, *moment.retained)] + list(moment.duplicates)
        listed = sum(graph.storages[s].bytes for s in storages)
        assert listed + moment.workspace_bytes + moment.fixed_bytes == moment.bytes
    assert max((moment.bytes for moment in moments), default=0) == seen.peak_bytes


# Segments


def test_the_number_of_segments() -> None:
    refused(ACTIONS, "the plan has 1 segments, the graph 2", segments=(0,))


@pytest.mark.parametrize("segments", [(1, 3), (0, 99)])
def test_segments_that_make_no_sense(segments: tuple[int, int]) -> None:
    refused(ACTIONS, "must begin at 0, never decrease, and end within the 8 actions", segments=segments)


def test_segments_that_decrease() -> None:
    graph = replace(CHAIN, fixed_bytes=(0, 0, 0))
    refused(ACTIONS, "never decrease", graph, segments=(0, 4, 3))


def test_a_segment_may_be_empty() -> None:
    graph = replace(CHAIN, fixed_bytes=(0, 0, 7))
    assert replay(graph, ACTIONS, (0, 3, 8)).peak_bytes == 30
    assert replay(replace(CHAIN, fixed_bytes=(0, 0, 70)), ACTIONS, (0, 3, 8)).peak_bytes == 80


def test_an_operation_before_its_segment() -> None:
    refused(
        (Compute(0), Compute(1), Compute(2)), r"operation 2 \(backward 1\) may not run before segment 1, and this is 0"
    )


# Operations


def test_no_such_operation() -> None:
    refused((Compute(9),), "action 0: there is no operation 9", segments=(0, 1))
    refused((Compute(-1),), "action 0: there is no operation -1", segments=(0, 1))


def test_no_such_choice() -> None:
    refused((Compute(0, choice=1),), r"operation 0 \(forward 0\) has no choice 1", segments=(0, 1))


def test_an_input_that_is_not_present() -> None:
    refused((Compute(1),), r"action 0: operation 1 \(forward 1\) reads value 1, which is not present", segments=(0, 1))


def test_an_operation_that_never_ran() -> None:
    graph = replace(CHAIN, outputs=())
    actions = (Compute(0), Compute(1), Free(2), Compute(2), Free(1), Free(3), Free(4))
    refused(actions, r"operation 3 \(backward 0\) never ran; every operation runs at least once", graph)


def test_an_operation_that_may_not_run_twice() -> None:
    once = replace(CHAIN.operations[0], recomputable=False)
    graph = replace(CHAIN, operations=(once, *CHAIN.operations[1:]))
    replay(graph, ACTIONS, (0, 3))
    refused((Compute(0), *ACTIONS), r"operation 0 \(forward 0\) ran before and may not run twice", graph, (0, 4))


def test_a_duplicate_lives_while_the_operation_runs() -> None:
    actions = (*ACTIONS[:2], Compute(1), *ACTIONS[2:])
    seen = replay(CHAIN, actions, (0, 4))
    assert seen.live_bytes[2] == 30
    assert seen.cost == 5


# Frees


def test_freeing_what_is_not_live() -> None:
    refused((Free(1),), "action 0: cannot free storage 1; it is not live", segments=(0, 1))
    refused((Compute(0), Free(1), Free(1)), "action 2: cannot free storage 1; it is not live", segments=(0, 3))


def test_freeing_what_the_caller_holds() -> None:
    refused((Free(0),), "action 0: cannot free storage 0; the caller holds it", segments=(0, 1))


def test_freeing_an_output_that_is_handed_over() -> None:
    graph = replace(CHAIN, outputs=(2, 5))
    actions = (Compute(0), Compute(1), Compute(2), Free(1), Free(3), Compute(3), Free(4))
    replay(graph, actions, (0, 2))
    refused((*actions, Free(2)), "cannot free storage 2; it is an output, handed over already", graph, (0, 2))


def test_a_leak() -> None:
    refused(ACTIONS[:-1], r"the plan ends with storages \[4\] live; free what is not an output")


def test_an_output_that_is_missing() -> None:
    refused((*ACTIONS, Free(5)), "action 9: segment 1 ends without its output, value 5")
    graph = replace(CHAIN, outputs=(2, 5))
    refused(ACTIONS, "action 3: segment 0 ends without its output, value 2", graph)


# Bytes


def test_the_budget() -> None:
    with pytest.raises(PlanError, match=r"action 3: operation 2 \(backward 1\): 30 bytes are live, the budget is 29"):
        replay(CHAIN, ACTIONS, (0, 3), budget_bytes=29)
    with pytest.raises(PlanError, match="the segment begins: 27 bytes are live, the budget is 26"):
        replay(replace(CHAIN, fixed_bytes=(0, 7)), ACTIONS, (0, 3), budget_bytes=26)


def test_workspace_and_fixed_demand_count() -> None:
    wide = replace(CHAIN.operations[1], workspace_bytes=15)
    graph = replace(CHAIN, operations=(CHAIN.operations[0], wide, *CHAIN.operations[2:]), fixed_bytes=(2, 3))
    seen = replay(graph, ACTIONS, (0, 3))
    assert seen.live_bytes == (12, 37, 22, 33, 33, 23, 23, 23)


# Overwriting


def overwriting(retain: bool = False) -> Graph:
    return Graph(
        operations=(
            Operation("a", 1, (), (0,)),
            Operation("b", 1, (0,), (1, 2), segment=1, may_overwrite=((1, 0), (2, 0))),
            Operation("c", 1, (1,), (3,), segment=1),
        ),
        values=tuple(Value(i) for i in range(4)),
        storages=tuple(Storage(8) for _ in range(4)),
        order=(0, 1, 2),
        outputs=(3,),
        retain=retain,
    )


def test_overwriting_saves_the_input() -> None:
    actions = (Compute(0), Compute(1, overwrites=((1, 0),)), Free(2), Compute(2), Free(1))
    seen = replay(overwriting(), actions, (0, 1))
    assert seen.live_bytes == (8, 16, 16, 16, 16)


def test_a_pair_that_may_not_overwrite() -> None:
    refused((Compute(0), Compute(2, overwrites=((3, 1),))), "reads value 1", overwriting(), (0, 1))
    actions = (Compute(0), Compute(1), Compute(2, overwrites=((3, 1),)))
    refused(actions, r"operation 2 \(c\) may not overwrite value 1 with value 3", overwriting(), (0, 1))


def test_one_input_is_overwritten_once() -> None:
    actions = (Compute(0), Compute(1, overwrites=((1, 0), (2, 0))))
    refused(actions, "overwrites storage 0, which is taken, an output's or retained", overwriting(), (0, 1))


def test_one_result_overwrites_once() -> None:
    graph = Graph(
        operations=(
            Operation("a", 1, (), (0, 1)),
            Operation("b", 1, (0, 1), (2,), may_overwrite=((2, 0), (2, 1))),
        ),
        values=tuple(Value(i) for i in range(3)),
        storages=tuple(Storage(8) for _ in range(3)),
        order=(0, 1),
    )
    actions = (Compute(0), Compute(1, overwrites=((2, 0), (2, 1))))
    refused(actions, "overwrites for value 2, whose storage is live or taken already", graph, (0,))


def test_a_duplicate_overwrites_nothing() -> None:
    actions = (Compute(0), Compute(1), Compute(1, overwrites=((1, 0),)))
    refused(actions, "overwrites for value 1, whose storage is live or taken already", overwriting(), (0, 1))


def test_what_is_retained_is_not_overwritten() -> None:
    actions = (Compute(0), Compute(1, overwrites=((1, 0),)))
    refused(actions, "overwrites storage 0, which is taken, an output's or retained", overwriting(True), (0, 1))


def test_what_is_overwritten_is_gone() -> None:
    actions = (Compute(0), Compute(1, overwrites=((1, 0),)), Free(0))
    refused(actions, "cannot free storage 0; it is not live", overwriting(), (0, 1))


def test_a_graph_that_retains_goes_on_counting_what_crossed_a_border() -> None:
    actions = (Compute(0), Compute(1), Free(0), Free(2), Compute(2), Free(1))
    assert replay(overwriting(), actions, (0, 1)).live_bytes == (8, 24, 24, 16, 16, 16)
    assert replay(overwriting(True), actions, (0, 1)).live_bytes == (8, 24, 24, 24, 24, 24)


# Spilling


def test_a_spilled_storage_takes_no_bytes_and_comes_back() -> None:
    actions = (Compute(0), Spill(1), Load(1), *ACTIONS[1:])
    seen = replay(CHAIN, actions, (0, 5))
    assert seen.spilled_bytes == 10
    assert seen.live_bytes[:3] == (10, 10, 10)
    assert seen.runs == (1, 1, 1, 1)


def test_a_spilled_storage_can_be_freed_but_not_read() -> None:
    graph = replace(CHAIN, outputs=())
    refused((Compute(0), Spill(1), Compute(1)), "reads value 1, which is not present", graph, (0, 3))
    seen = replay(graph, (Compute(0), Spill(1), Free(1), *ACTIONS, Free(5)), (0, 6))
    assert seen.runs[0] == 2


def test_spilling_and_loading_what_is_not_there() -> None:
    refused((Spill(1),), "cannot spill storage 1; it is not live", segments=(0, 1))
    refused((Spill(0),), "cannot spill storage 0; the caller holds it", segments=(0, 1))
    refused((Load(1),), "storage 1 is not spilled; there is nothing to load", segments=(0, 1))


def test_a_spilled_storage_is_not_computed_over() -> None:
    refused(
        (Compute(0), Spill(1), Compute(0)), "allocates storage 1, which is spilled; load or free it", segments=(0, 3)
    )


def test_a_spilled_storage_leaks_too() -> None:
    actions = (Compute(0), Compute(1), Free(2), Compute(2), Free(1), Free(3), Compute(3), Spill(4))
    refused(actions, r"ends with storages \[4\] live")


def test_what_is_retained_is_not_spilled() -> None:
    refused(
        (Compute(0), Spill(0)),
        "crossed a border of a graph that retains; it cannot be spilled",
        overwriting(True),
        (0, 1),
    )


# Mutations of good plans


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_mutated_plans_are_refused(data: st.DataObject) -> None:
    """Dropping a free leaks; freeing twice, reading early and running twice what may run once are refused."""
    graph = data.draw(small_graphs(most_operations=5))
    schedule = lower(
        graph,
        [
            [i for i, s in zip(graph.order, graph.order_segments, strict=True) if s == k]
            for k in range(graph.segment_count)
        ],
    )
    actions, segments = schedule.actions, schedule.segments
    index = data.draw(st.integers(0, len(actions) - 1))
    action = actions[index]
    if isinstance(action, Free):
        with pytest.raises(PlanError, match=r"live; free what is not an output"):
            replay(graph, *without(actions, segments, index))
    twice = (*actions[: index + 1], action, *actions[index + 1 :])
    moved = tuple(b + (b > index) for b in segments)
    if isinstance(action, Free):
        with pytest.raises(PlanError, match="it is not live"):
            replay(graph, twice, moved)
    elif not graph.operations[action.operation].recomputable:
        with pytest.raises(PlanError, match=r"may not run twice|is not present"):
            replay(graph, twice, moved)
    if isinstance(action, Compute):
        with pytest.raises(PlanError):
            replay(graph, *without(actions, segments, index))


def without(
    actions: tuple[Action, ...], segments: tuple[int, ...], index: int
) -> tuple[tuple[Action, ...], tuple[int, ...]]:
    return (*actions[:index], *actions[index + 1 :]), tuple(b - (b > index) for b in segments)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_reader_before_its_maker_is_refused(data: st.DataObject) -> None:
    graph = data.draw(small_graphs(most_operations=5, segments=1))
    pairs = [(graph.producers[v], i) for i, o in enumerate(graph.operations) for v in o.reads]
    made = [(maker, reader) for maker, reader in pairs if maker is not None]
    if not made:
        return
    maker, reader = data.draw(st.sampled_from(made))
    actions = list(lower(graph, [graph.order]).actions)
    at = {a.operation: place for place, a in enumerate(actions) if isinstance(a, Compute)}
    actions[at[maker]], actions[at[reader]] = actions[at[reader]], actions[at[maker]]
    with pytest.raises(PlanError, match="is not present"):
        replay(graph, actions, (0,))
