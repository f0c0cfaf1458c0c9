"""A graph as DOT text, for Graphviz."""

from __future__ import annotations

from retrograde.graph.model import Graph


def to_dot(graph: Graph) -> str:
    """The graph in Graphviz's DOT language: boxes are operations, ellipses inputs, one cluster a segment.

    An edge carries the bytes of the storage it reads; a dashed one reads a view. Outputs have a double border.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])
        >>> print(to_dot(graph).splitlines()[0])
        digraph retrograde {
    """
    lines = ["digraph retrograde {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for segment in range(graph.segment_count):
        lines.append(f"  subgraph cluster_{segment} {{")
        lines.append(f'    label="segment {segment}";')
        lines += [f"    {_operation_node(graph, i)}" for i, o in enumerate(graph.operations) if o.segment == segment]
        lines.append("  }")
    for index, value in enumerate(graph.values):
        if value.available_from is not None:
            lines.append(f'  v{index} [shape=ellipse, label="{_escape(value.name or f"value {index}")}"];')
    for index, operation in enumerate(graph.operations):
        lines += [f"  {_edge(graph, value, index)}" for value in dict.fromkeys(operation.reads)]
    lines.append("}")
    return "\n".join(lines) + "\n"


def _operation_node(graph: Graph, index: int) -> str:
    operation = graph.operations[index]
    border = ", peripheries=2" if set(operation.makes) & set(graph.outputs) else ""
    notes = "\\nruns once" if not operation.recomputable else ""
    notes += f"\\n{len(operation.choices)} choices" if operation.choices else ""
    notes += f", as operation {operation.choice_of}" if operation.choice_of is not None else ""
    return f'o{index} [label="{_escape(operation.name)}\\ncost {operation.cost:g}{notes}"{border}];'


def _edge(graph: Graph, value: int, reader: int) -> str:
    storage = graph.values[value].storage
    producer = graph.producers[value]
    source = f"v{value}" if producer is None else f"o{producer}"
    is_view = producer is not None and storage not in graph.allocated_storages(producer)
    style = ", style=dashed" if is_view else ""
    return f'{source} -> o{reader} [label="{graph.storages[storage].bytes}"{style}];'


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
