"""Graphs as JSON, both ways, with a format version."""

from __future__ import annotations

import json
from typing import Any, cast

from retrograde.errors import GraphError
from retrograde.graph.model import Choice, Graph, Operation, Storage, Value

GRAPH_FORMAT_VERSION = 2
"""The newest version of the format, which has choices; graphs without them are written as version 1."""

_VERSIONS = (1, GRAPH_FORMAT_VERSION)


def graph_to_json(graph: Graph) -> str:
    """The graph as JSON text. Fields at their default are left out."""
    document: dict[str, Any] = {
        "format": "retrograde graph",
        "version": GRAPH_FORMAT_VERSION if graph.has_choices else 1,
        "name": graph.name,
        "operations": [_operation_to_json(o) for o in graph.operations],
        "values": [
            _without_defaults({"storage": v.storage, "available_from": v.available_from, "name": v.name})
            for v in graph.values
        ],
        "storages": [_without_defaults({"bytes": s.bytes, "name": s.name}) for s in graph.storages],
        "order": list(graph.order),
        "outputs": list(graph.outputs),
        "fixed_bytes": list(graph.fixed_bytes),
        "retain": graph.retain,
    }
    return json.dumps(document)


def _operation_to_json(operation: Operation) -> dict[str, Any]:
    required = {"name": operation.name, "cost": operation.cost, "reads": operation.reads, "makes": operation.makes}
    optional = {
        "workspace_bytes": operation.workspace_bytes or None,
        "segment": operation.segment or None,
        "recomputable": None if operation.recomputable else False,
        "may_overwrite": operation.may_overwrite or None,
        "source": operation.source or None,
        "choices": [_choice_to_json(choice) for choice in operation.choices] or None,
        "choice_of": operation.choice_of,
    }
    return required | _without_defaults(optional)


def _choice_to_json(choice: Choice) -> dict[str, Any]:
    optional = {
        "workspace_bytes": choice.workspace_bytes or None,
        "storage_bytes": choice.storage_bytes or None,
        "payload": choice.payload,
        "name": choice.name or None,
    }
    return {"cost": choice.cost} | {key: field for key, field in optional.items() if field is not None}


def _without_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: field for key, field in fields.items() if field is not None and field != ""}


def graph_from_json(text: str) -> Graph:
    """Read what ``graph_to_json`` wrote, or the plain arrays of ``Graph.from_arrays`` as one JSON object.

    Raises:
        GraphError: not JSON, an unknown format version, a missing field, or a graph that is not valid.
    """
    try:
        parsed: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise GraphError(f"not a graph: {error}") from error
    if not isinstance(parsed, dict):
        raise GraphError(f"not a graph: expected a JSON object, found {type(parsed).__name__}")
    document = cast(dict[str, Any], parsed)
    try:
        return _graph_from_arrays_document(document) if "edges" in document else _graph_from_document(document)
    except (KeyError, TypeError, AttributeError) as error:
        missing = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise GraphError(f"not a valid graph document: {missing}") from error


def _graph_from_document(document: dict[str, Any]) -> Graph:
    version = document.get("version")
    if document.get("format") != "retrograde graph" or version not in _VERSIONS:
        raise GraphError(
            f"unknown format {document.get('format')!r} version {version!r}; this release reads "
            f"'retrograde graph' version {' and '.join(map(str, _VERSIONS))}"
        )
    return Graph(
        operations=tuple(_operation_from_json(o) for o in document["operations"]),
        values=tuple(Value(v["storage"], v.get("available_from"), v.get("name", "")) for v in document["values"]),
        storages=tuple(Storage(s["bytes"], s.get("name", "")) for s in document["storages"]),
        order=tuple(document["order"]),
        outputs=tuple(document.get("outputs", ())),
        fixed_bytes=tuple(document.get("fixed_bytes", ())),
        retain=bool(document.get("retain", False)),
        name=document.get("name", ""),
    )


def _operation_from_json(fields: dict[str, Any]) -> Operation:
    return Operation(
        name=fields["name"],
        cost=fields["cost"],
        reads=tuple(fields["reads"]),
        makes=tuple(fields["makes"]),
        workspace_bytes=fields.get("workspace_bytes", 0),
        segment=fields.get("segment", 0),
        recomputable=fields.get("recomputable", True),
        may_overwrite=tuple((pair[0], pair[1]) for pair in fields.get("may_overwrite", ())),
        source=fields.get("source", ""),
        choices=tuple(_choice_from_json(choice) for choice in fields.get("choices", ())),
        choice_of=fields.get("choice_of"),
    )


def _choice_from_json(fields: dict[str, Any]) -> Choice:
    return Choice(
        cost=fields["cost"],
        workspace_bytes=fields.get("workspace_bytes", 0),
        storage_bytes=tuple((pair[0], pair[1]) for pair in fields.get("storage_bytes", ())),
        payload=fields.get("payload"),
        name=fields.get("name", ""),
    )


def _graph_from_arrays_document(document: dict[str, Any]) -> Graph:
    return Graph.from_arrays(
        cost=document["cost"],
        bytes=document["bytes"],
        edges=[_edge(edge) for edge in document["edges"]],
        order=document.get("order"),
        outputs=document.get("outputs", ()),
        name=document.get("name", ""),
    )


def _edge(pair: Any) -> tuple[int, int]:
    ends = cast(list[Any], pair) if isinstance(pair, list) else []
    if [type(end) for end in ends] != [int, int]:
        raise GraphError(f"an edge is a pair of operations, such as [0, 1]; found {pair!r}")
    return (ends[0], ends[1])
