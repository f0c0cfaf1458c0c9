"""Graphs as JSON, both ways, and as DOT."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from small_graphs import small_graphs

from retrograde import Graph, GraphError, Operation, Storage, Value
from retrograde.graph import graph_from_json, graph_to_json, to_dot

GRAPH = Graph(
    operations=(
        Operation("make", 1.5, (0,), (1,), workspace_bytes=3, source="m.py:3"),
        Operation('say "hi"', 1, (1,), (2,), recomputable=False),
        Operation("use", 1, (2,), (3,), segment=1, may_overwrite=((3, 2),)),
    ),
    values=(Value(0, 0, "x"), Value(1), Value(1, name="view"), Value(2)),
    storages=(Storage(8, "input"), Storage(4), Storage(4)),
    order=(0, 1, 2),
    outputs=(3,),
    fixed_bytes=(0, 9),
    retain=True,
    name="small",
)


@settings(max_examples=100, deadline=None)
@given(small_graphs(most_operations=6))
def test_any_graph_comes_back(graph: Graph) -> None:
    copy = Graph.from_json(graph.to_json())
    assert copy == graph
    assert copy.fingerprint == graph.fingerprint


def test_names_and_places_come_back() -> None:
    assert graph_from_json(graph_to_json(GRAPH)) == GRAPH


def test_the_document() -> None:
    document = json.loads(GRAPH.to_json())
    assert (document["format"], document["version"]) == ("retrograde graph", 1)
    assert document["operations"][1] == {
        "name": 'say "hi"',
        "cost": 1,
        "reads": [1],
        "makes": [2],
        "recomputable": False,
    }
    assert document["values"][1] == {"storage": 1}


def test_plain_arrays_are_read() -> None:
    text = '{"name": "a", "cost": [1, 2], "bytes": [3, 4], "edges": [[0, 1]], "order": [0, 1], "anything": 1}'
    assert Graph.from_json(text) == Graph.from_arrays(cost=[1, 2], bytes=[3, 4], edges=[(0, 1)], name="a")
    assert Graph.from_json('{"cost": [1], "bytes": [3], "edges": []}').order == (0,)


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(GRAPH.to_json()) | changes)


def without(field: str) -> str:
    return json.dumps({k: v for k, v in json.loads(GRAPH.to_json()).items() if k != field})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a graph: Expecting"),
        ("[1]", "not a graph: expected a JSON object, found list"),
        ("{}", "unknown format None version None; this release reads 'retrograde graph' version 1"),
        (changed(version=99), "unknown format 'retrograde graph' version 99; this release reads"),
        (changed(format="other"), "unknown format 'other' version 1"),
        (without("operations"), "not a valid graph document: field 'operations' is missing"),
        (without("order"), "not a valid graph document: field 'order' is missing"),
        (changed(operations=[{"name": "a", "cost": 1, "reads": []}]), "field 'makes' is missing"),
        (changed(values=7), "not a valid graph document: 'int' object is not iterable"),
        (changed(storages=[1]), "not a valid graph document: "),
        (changed(storages=[{"bytes": -8}] * 3), "storage 0 .*: bytes must be an int of 0 or more, found -8"),
        (changed(order=[2, 0, 1]), "order is not valid"),
        (changed(values=[{"storage": 0}, *json.loads(GRAPH.to_json())["values"][1:]]), "value 0 .* is a missing input"),
        (
            '{"cost": [1, 1], "bytes": [1, 1], "edges": [[0, 1], [1, 0]]}',
            "the graph has a cycle: operations 0 <- 1 <- 0",
        ),
        ('{"cost": [1], "edges": []}', "field 'bytes' is missing"),
        ('{"cost": ["a"], "bytes": [1], "edges": []}', "cost of operation 0 must be a number of 0 or more, found 'a'"),
        ('{"cost": [null], "bytes": [1], "edges": []}', "cost of operation 0 must be a number .* found None"),
        ('{"cost": [1], "bytes": [1], "edges": [[0]]}', r"an edge is a pair of operations, .* found \[0\]"),
        ('{"cost": [1, 1], "bytes": [1, 1], "edges": [[0, 1, 2]]}', r"an edge is a pair .* found \[0, 1, 2\]"),
        ('{"cost": [1], "bytes": [-1], "edges": []}', "bytes must be an int of 0 or more, found -1"),
    ],
)
def test_documents_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        Graph.from_json(text)


def test_dot() -> None:
    assert to_dot(GRAPH).splitlines() == [
        "digraph retrograde {",
        "  rankdir=LR;",
        '  node [shape=box, fontname="sans-serif"];',
        "  subgraph cluster_0 {",
        '    label="segment 0";',
        '    o0 [label="make\\ncost 1.5"];',
        '    o1 [label="say \\"hi\\"\\ncost 1\\nruns once"];',
        "  }",
        "  subgraph cluster_1 {",
        '    label="segment 1";',
        '    o2 [label="use\\ncost 1", peripheries=2];',
        "  }",
        '  v0 [shape=ellipse, label="x"];',
        '  v0 -> o0 [label="8"];',
        '  o0 -> o1 [label="4"];',
        '  o1 -> o2 [label="4", style=dashed];',
        "}",
    ]


def test_dot_of_an_unnamed_input() -> None:
    graph = Graph((Operation("a\\b", 1, (0,), ()),), (Value(0, 0),), (Storage(8),), (0,))
    assert 'v0 [shape=ellipse, label="value 0"];' in to_dot(graph)
    assert 'label="a\\\\b\\ncost 1"' in to_dot(graph)
