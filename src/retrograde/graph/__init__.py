"""What a computation costs: operations, values and storages, without any framework."""

from retrograde.graph.dot import to_dot
from retrograde.graph.model import Choice, Graph, Operation, Storage, Value
from retrograde.graph.serialize import GRAPH_FORMAT_VERSION, graph_from_json, graph_to_json

__all__ = [
    "GRAPH_FORMAT_VERSION",
    "Choice",
    "Graph",
    "Operation",
    "Storage",
    "Value",
    "graph_from_json",
    "graph_to_json",
    "to_dot",
]
