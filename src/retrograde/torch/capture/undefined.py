"""Cotangents that never come: outputs that the loss does not depend on, and what the backward pass is without them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import fx

from retrograde.torch.capture.joint import JointGraph, read_joint_graph

aten = torch.ops.aten


def without_cotangents(joint: JointGraph, undefined: Collection[int]) -> JointGraph | None:
    """The joint graph for a step in which some cotangents are undefined: what depends on them alone is left out.

    A backward pass is linear in its cotangents, so that what depends on undefined ones alone is undefined too, and
    in a sum the other term is the result, as in eager's own engine.

    Args:
        joint: the joint graph.
        undefined: positions among its tangents.

    Returns:
        None where a defined and an undefined cotangent meet in anything but a sum.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    output = graph.graph_copy(joint.module.graph, copies)
    absent = {copies[joint.tangents[position]] for position in undefined}
    if not _fold(graph, absent, {copies[t] for t in joint.tangents}):
        return None
    (old_output,) = joint.module.graph.find_nodes(op="output")
    outputs = [None if o in absent else o for o in _as_list(output)]
    node = graph.output(outputs)
    node.meta = dict(old_output.meta)
    for placeholder in absent:
        if placeholder.op == "placeholder":
            placeholder.meta = {**placeholder.meta, "val": None}
    graph.eliminate_dead_code()
    module = fx.GraphModule(joint.module, graph)
    return read_joint_graph(module, len(joint.forward_outputs))


def _fold(graph: fx.Graph, absent: set[fx.Node], tangents: set[fx.Node]) -> bool:
    """Add to ``absent`` what is undefined with it, and take it out of sums; whether that was possible everywhere."""
    depending = set(tangents)
    for node in list(graph.nodes):
        inputs = [i for i in node.all_input_nodes if i in depending]
        if not inputs or node.op == "output":
            continue
        depending.add(node)
        missing = [i for i in inputs if i in absent]
        if len(missing) == len(inputs):
            absent.add(node)
        elif missing:
            present = _other_term(node, absent)
            if present is None:
                return False
            node.replace_all_uses_with(present)
    return True


def _other_term(node: fx.Node, absent: set[fx.Node]) -> fx.Node | None:
    """Of a plain sum of two like tensors the term that is defined."""
    if node.target is not aten.add.Tensor or node.kwargs or len(node.args) != 2:
        return None
    terms = [a for a in node.args if isinstance(a, fx.Node) and a not in absent]
    if len(terms) != 1:
        return None
    ours, theirs = node.meta["val"], terms[0].meta["val"]
    alike = _extents(ours) == _extents(theirs) and ours.dtype == theirs.dtype
    return terms[0] if alike else None


def _extents(tensor: torch.Tensor) -> list[Any]:
    """The shape, compared as expressions of symbols where it has any."""
    return [extent.node.expr if isinstance(extent, torch.SymInt) else int(extent) for extent in tensor.shape]


def _as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
