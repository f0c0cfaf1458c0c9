"""Operations with choices: every rule broken once, JSON, fingerprint, and the ordinary graphs made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from retrograde import Choice, Graph, GraphError, Operation, Storage, UsageError, Value
from retrograde.graph import to_dot
from retrograde.graph.footprint import store_all_live_bytes

FORWARD = Operation(
    "loop",
    10.0,
    (0,),
    (1, 2),
    choices=(Choice(10.0), Choice(10.0, 5, ((2, 40),), {"snapshots": 4}, "four"), Choice(11.0, 0, ((2, 0),))),
)
BACKWARD = Operation(
    "loop backward",
    20.0,
    (2, 3),
    (4,),
    workspace_bytes=7,
    segment=1,
    choices=(Choice(20.0, 7), Choice(26.0, 7), Choice(50.0)),
    choice_of=0,
)
GRAPH = Graph(
    operations=(FORWARD, Operation("loss", 1.0, (1,), (3,)), BACKWARD),
    values=(Value(0, 0), Value(1), Value(2), Value(3), Value(4)),
    storages=(Storage(8), Storage(8), Storage(400), Storage(8), Storage(8)),
    order=(0, 1, 2),
    outputs=(4,),
)


def with_operations(forward: Operation = FORWARD, backward: Operation = BACKWARD, **changes: Any) -> Graph:
    return replace(GRAPH, operations=(forward, GRAPH.operations[1], backward), **changes)


def with_choice(choice: Choice, number: int = 1) -> Graph:
    choices = list(FORWARD.choices)
    choices[number] = choice
    return with_operations(replace(FORWARD, choices=tuple(choices)))


# What follows from choices


def test_what_depends_on_a_choice() -> None:
    assert GRAPH.has_choices
    assert GRAPH.choosers == (0,)
    assert [GRAPH.chooser_of(i) for i in range(3)] == [0, 1, 0]
    assert GRAPH.varying_bytes == {2: (400, 40, 0)}
    assert GRAPH.choice_bound == {2}
    assert [GRAPH.storage_bytes(2, k) for k in range(3)] == [400, 40, 0]
    assert GRAPH.storage_bytes(1, 2) == 8
    assert (GRAPH.operation_cost(2, 1), GRAPH.operation_cost(1, 0)) == (26.0, 1.0)
    assert (GRAPH.operation_workspace_bytes(0, 1), GRAPH.operation_workspace_bytes(1, 0)) == (5, 0)


def test_contents_that_only_followers_read_are_bound_whatever_their_size() -> None:
    forward = replace(FORWARD, choices=(Choice(10.0), Choice(10.0), Choice(11.0)))
    assert with_operations(forward).choice_bound == {2}
    plain = Operation("also reads", 1.0, (2,), ())
    with pytest.raises(GraphError, match=r"operation 2 .* follows the choice of operation 0, but reads no storage"):
        replace(GRAPH, operations=(forward, *GRAPH.operations[1:], plain), order=(0, 1, 2, 3))


def test_the_default_is_choice_0() -> None:
    assert GRAPH.store_all_peak_bytes == 423
    assert store_all_live_bytes(GRAPH) == [408, 416, 423]


def test_the_base_cost_is_that_of_the_cheapest_choice() -> None:
    assert GRAPH.base_cost == 31
    dear = replace(FORWARD, cost=30.0, choices=(Choice(30.0), *FORWARD.choices[1:]))
    assert with_operations(dear).base_cost == 10 + 26 + 1


def test_followers_that_could_differ_leave_the_base_cost_a_bound() -> None:
    """Each of two followers would rather have another choice: no single choice is taken for granted."""
    forward = replace(FORWARD, cost=1.0, choices=(Choice(1.0), Choice(1.0)))
    first = replace(BACKWARD, cost=1.0, workspace_bytes=0, choices=(Choice(1.0), Choice(9.0)))
    second = Operation("second", 9.0, (2,), (), segment=1, choices=(Choice(9.0), Choice(1.0)), choice_of=0)
    graph = replace(GRAPH, operations=(forward, GRAPH.operations[1], first, second), order=(0, 1, 2, 3))
    assert graph.base_cost == 1 + 1 + (1 + 1)


# Ordinary graphs


def test_settled_choices() -> None:
    settled = GRAPH.with_choices({0: 1})
    assert not settled.has_choices
    assert (settled.operations[0].cost, settled.operations[0].workspace_bytes) == (10.0, 5)
    assert (settled.operations[2].cost, settled.operations[2].workspace_bytes) == (26.0, 7)
    assert [s.bytes for s in settled.storages] == [8, 8, 40, 8, 8]
    assert settled.base_cost == 37
    assert settled == Graph.from_json(settled.to_json())
    assert GRAPH.with_choices({}).fingerprint == GRAPH.with_choices({0: 0}).fingerprint != settled.fingerprint


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ({1: 0}, "operation 1 chooses nothing by itself; the operations that do are 0"),
        ({2: 1}, "operation 2 chooses nothing by itself"),
        ({7: 0}, "operation 7 chooses nothing by itself"),
        ({0: 3}, "operation 0 has choices 0 to 2, found 3"),
        ({0: -1}, "operation 0 has choices 0 to 2, found -1"),
        ({0: "1"}, "operation 0 has choices 0 to 2, found '1'"),
    ],
)
def test_assignments_that_are_refused(assignment: dict[int, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        GRAPH.with_choices(assignment)


def test_a_graph_without_choices_has_none_to_settle() -> None:
    plain = GRAPH.with_choices({})
    assert plain.with_choices({}) == plain
    assert plain.relaxed is plain
    with pytest.raises(UsageError, match="the operations that do are none"):
        plain.with_choices({0: 0})


def test_relaxed_is_the_least_of_everything() -> None:
    relaxed = GRAPH.relaxed
    assert [o.cost for o in relaxed.operations] == [10, 1, 20]
    assert [o.workspace_bytes for o in relaxed.operations] == [0, 0, 0]
    assert [s.bytes for s in relaxed.storages] == [8, 8, 0, 8, 8]


# JSON, fingerprint, DOT, other sizes


def test_choices_come_back_from_json() -> None:
    document = json.loads(GRAPH.to_json())
    assert document["version"] == 2
    assert document["operations"][0]["choices"] == [
        {"cost": 10.0},
        {
            "cost": 10.0,
            "workspace_bytes": 5,
            "storage_bytes": [[2, 40]],
            "payload": {"snapshots": 4},
            "name": "four",
        },
        {"cost": 11.0, "storage_bytes": [[2, 0]]},
    ]
    assert document["operations"][2]["choice_of"] == 0
    copy = Graph.from_json(GRAPH.to_json())
    assert copy == GRAPH
    assert hash(copy) == hash(GRAPH)
    assert copy.fingerprint == GRAPH.fingerprint


def test_documents_without_choices_are_what_they_were() -> None:
    document = json.loads(GRAPH.with_choices({}).to_json())
    assert document["version"] == 1
    assert not any("choice" in key for operation in document["operations"] for key in operation)
    assert Graph.from_json(json.dumps(document | {"version": 2})) == GRAPH.with_choices({})


def test_the_fingerprint_of_graphs_without_choices_stays() -> None:
    plain = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
    assert plain.fingerprint == "70115903da192ad23b3f6a5152760cc6"


def test_the_fingerprint_holds_what_plans_depend_on() -> None:
    others = [
        with_choice(Choice(10.5, 5, ((2, 40),))),
        with_choice(Choice(10.0, 6, ((2, 40),))),
        with_choice(Choice(10.0, 5, ((2, 41),))),
        GRAPH.with_choices({}),
    ]
    prints = {graph.fingerprint for graph in (GRAPH, *others)}
    assert len(prints) == 5
    assert with_choice(Choice(10.0, 5, ((2, 40),), ["other"], "other")).fingerprint == GRAPH.fingerprint


def test_dot_tells_of_choices() -> None:
    text = to_dot(GRAPH)
    assert 'label="loop\\ncost 10\\n3 choices"' in text
    assert 'label="loop backward\\ncost 20\\n3 choices, as operation 0"' in text


def test_other_sizes() -> None:
    sizes = [replace(s, bytes=s.bytes * 2) for s in GRAPH.storages]
    assert GRAPH.with_storages(sizes).varying_bytes == {2: (800, 40, 0)}
    named = with_choice(Choice(10.0, 0, ((2, 400),)), 0)
    with pytest.raises(GraphError, match=r"choice 0 is the default .* its bytes of storage 2 is 400, not 800"):
        named.with_storages(sizes)


# What is refused


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(-1.0), r"operation 0 \(loop\), choice 1: cost must be finite and 0 or more, found -1.0"),
        (Choice(float("nan")), "choice 1: cost must be finite and 0 or more, found nan"),
        (Choice(True), "choice 1: cost must be finite and 0 or more, found True"),
        (Choice(1.0, -5), "choice 1: workspace_bytes must be an int of 0 or more, found -5"),
        (Choice(1.0, 0, ((2, -1),)), "choice 1: bytes of storage 2 must be an int of 0 or more, found -1"),
        (Choice(1.0, 0, ((2, 1.5),)), "choice 1: bytes of storage 2 must be an int of 0 or more"),  # type: ignore[arg-type]
        (
            Choice(1.0, 0, ((3, 1),)),
            r"choice 1: storage_bytes names storage 3, which the operation does not allocate; it allocates \[1, 2\]",
        ),
        (Choice(1.0, 0, ((0, 1),)), "storage_bytes names storage 0, which the operation does not allocate"),
        (Choice(1.0, 0, ((99, 1),)), "storage_bytes names storage 99, which the operation does not allocate"),
        (Choice(1.0, 0, ((2, 1), (2, 3))), "storage_bytes names storage 2 twice"),
        (Choice(1.0, payload={1, 2}), "choice 1: payload is not something that JSON can hold: Object of type set"),
        (Choice(1.0, payload=float("inf")), "payload is not something that JSON can hold"),
        (Choice(1.0, payload=(1, 2)), r"payload \(1, 2\) comes back from JSON as \[1, 2\]; use lists"),
        (Choice(1.0, payload={1: 2}), "use lists, and text for keys"),
    ],
)
def test_choices_that_are_refused(choice: Choice, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        with_choice(choice)


@pytest.mark.parametrize(
    ("default", "message"),
    [
        (Choice(9.0), "choice 0 is the default and says what the operation says; its cost is 9.0, not 10.0"),
        (Choice(10.0, 1), "its workspace_bytes is 1, not 0"),
        (Choice(10.0, 0, ((2, 399),)), "its bytes of storage 2 is 399, not 400"),
    ],
)
def test_a_default_that_says_something_else(default: Choice, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        with_choice(default, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": BACKWARD.choices[:2]}, r"follows the choice of operation 0 and has 2 choices, that one has 3"),
        ({"choices": ()}, r"operation 2 .* follows the choice of operation 0 and has 0 choices, that one has 3"),
        ({"choice_of": 2}, "choice_of is 2; name another operation of the graph, by its index"),
        ({"choice_of": 9}, "choice_of is 9; name another operation of the graph"),
        ({"choice_of": -1}, "choice_of is -1; name another operation of the graph"),
        ({"choice_of": "loop"}, "choice_of is 'loop'; name another operation"),
        ({"choice_of": 1}, "follows the choice of operation 1 and has 3 choices, that one has 0"),
        ({"reads": (1, 3)}, "follows the choice of operation 0, but reads no storage that depends on it"),
    ],
)
def test_followers_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        with_operations(backward=replace(BACKWARD, **changes))


def test_a_follower_of_a_follower() -> None:
    third = Operation("third", 1.0, (4,), (), segment=1, choices=(Choice(1.0),) * 3, choice_of=2)
    with pytest.raises(GraphError, match="choice_of is 2, which itself follows operation 0; follow that one"):
        replace(GRAPH, operations=(*GRAPH.operations, third), order=(0, 1, 2, 3))


def test_overwriting_takes_no_storage_of_many_sizes() -> None:
    graph = with_operations(backward=replace(BACKWARD, may_overwrite=((4, 3),)))
    assert graph.operations[2].may_overwrite == ((4, 3),)
    sized = replace(FORWARD, choices=(Choice(10.0), Choice(10.0, 5, ((2, 40),)), Choice(11.0)))
    storages = (*GRAPH.storages[:4], Storage(400))
    with pytest.raises(GraphError, match=r"may_overwrite \(4, 2\): the bytes of storage 2 depend on a choice"):
        with_operations(sized, replace(BACKWARD, may_overwrite=((4, 2),)), storages=storages)
