"""The joint forward-backward graph of a module, as AOTAutograd hands it over, in the form that the engine works on."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch._functorch._aot_autograd.descriptors import InputMutationAOTOutput
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from retrograde.errors import CaptureError

IN_BACKWARD = "retrograde_in_backward"
"""Marks the nodes of the backward pass in a joint graph that says so itself."""


@dataclass(eq=False)
class JointGraph:
    """A joint graph, with what the engine asks of it again and again.

    Attributes:
        module: the FX graph module that AOTAutograd traced.
        primals: placeholders of the forward pass (parameters, buffers, inputs), in order.
        tangents: placeholders that carry incoming cotangents, in order.
        forward_outputs: what the forward graph returns, before what is saved; an entry may be None or a number.
        backward_outputs: what the backward graph returns.
        forward_descriptions: AOTAutograd's descriptions of the forward outputs.
        backward_descriptions: the same for the backward outputs.
        operations: the nodes that compute, in the order in which eager would run them.
        backward: the operations that eager runs in the backward pass.
        mutated: primals that the forward pass changes; their old contents are gone once it has run.
    """

    module: fx.GraphModule
    primals: list[fx.Node]
    tangents: list[fx.Node]
    forward_outputs: list[Any]
    backward_outputs: list[Any]
    forward_descriptions: list[Any]
    backward_descriptions: list[Any]
    operations: list[fx.Node]
    backward: set[fx.Node]
    mutated: set[fx.Node] = field(default_factory=set[fx.Node])

    def constants(self) -> Iterator[fx.Node]:
        """Nodes that fetch a constant of the module."""
        return (node for node in self.module.graph.nodes if node.op == "get_attr")


def read_joint_graph(module: fx.GraphModule, num_forward_outputs: int) -> JointGraph:
    """Sort out a joint graph.

    Args:
        module: the joint graph, as AOTAutograd gives it to a partitioner.
        num_forward_outputs: how many of its outputs belong to the forward pass.

    Raises:
        CaptureError: it holds something that the engine cannot plan.
    """
    placeholders = [node for node in module.graph.nodes if node.op == "placeholder"]
    tangents = [node for node in placeholders if "tangents" in str(node.target)]
    primals = [node for node in placeholders if "tangents" not in str(node.target)]
    _refuse_unknown_bytes(module)
    (output,) = module.graph.find_nodes(op="output")
    outputs = list(output.args[0])
    descriptions = list(output.meta.get("desc", [None] * len(outputs)))
    joint = JointGraph(
        module=module,
        primals=primals,
        tangents=tangents,
        forward_outputs=outputs[:num_forward_outputs],
        backward_outputs=outputs[num_forward_outputs:],
        forward_descriptions=descriptions[:num_forward_outputs],
        backward_descriptions=descriptions[num_forward_outputs:],
        operations=[],
        backward=set(),
    )
    forward, backward = _eager_order(joint)
    joint.operations = forward + backward
    joint.backward = set(backward)
    joint.mutated = {
        _primal_of(primals, description.mutated_input)
        for description in joint.forward_descriptions
        if isinstance(description, InputMutationAOTOutput)
    }
    return joint


def is_getitem(node: fx.Node) -> bool:
    """Whether a node picks one result of an operation that has several."""
    return node.op == "call_function" and node.target is operator.getitem


def is_size(node: fx.Node) -> bool:
    """Whether a node is a size that the graph is called with, or a number made of such sizes."""
    if not isinstance(node.meta.get("val"), (int, torch.SymInt, torch.SymFloat, torch.SymBool)):
        return False
    if node.op == "placeholder" or node.target is torch.ops.aten.sym_size.int:
        return True
    return node.op == "call_function" and all(map(is_size, node.all_input_nodes))


def source_of(node: fx.Node) -> str:
    """The place in the user's code that a node comes from, as ``file.py:12``; empty if it is not known."""
    trace = node.meta.get("stack_trace") or ""
    places = re.findall(r'File "([^"]+)", line (\d+)', trace)
    return f"{places[-1][0]}:{places[-1][1]}" if places else ""


def _depending_on(module: fx.GraphModule, roots: list[fx.Node]) -> set[fx.Node]:
    depending = set(roots)
    for node in module.graph.nodes:
        if node.op == "call_function" and any(a in depending for a in node.all_input_nodes):
            depending.add(node)
    return depending - set(roots)


def _eager_order(joint: JointGraph) -> tuple[list[fx.Node], list[fx.Node]]:
    """Operations of the forward and of the backward pass, in traced order.

    The backward pass begins with the first operation that depends on a tangent; what is traced after it and is
    needed by a forward output belongs to the forward pass.
    """
    if any(node.meta.get(IN_BACKWARD) for node in joint.module.graph.nodes):
        marked = [node for node in joint.module.graph.nodes if _computes(node)]
        return [n for n in marked if not n.meta.get(IN_BACKWARD)], [n for n in marked if n.meta.get(IN_BACKWARD)]
    needed = _ancestors([node for node in joint.forward_outputs if isinstance(node, fx.Node)])
    tangent = _depending_on(joint.module, joint.tangents)
    operations = [node for node in joint.module.graph.nodes if _computes(node)]
    first = next((i for i, node in enumerate(operations) if node in tangent), len(operations))
    late = [node for node in operations[first:] if node in needed]
    rest = [node for node in operations[first:] if node not in needed]
    return operations[:first] + late, rest


def _computes(node: fx.Node) -> bool:
    return node.op == "call_function" and not is_getitem(node) and not is_size(node)


def _ancestors(nodes: list[fx.Node]) -> set[fx.Node]:
    seen: set[fx.Node] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.all_input_nodes)
    return seen


def _primal_of(primals: list[fx.Node], description: Any) -> fx.Node:
    """The placeholder that an input description of AOTAutograd belongs to."""
    for primal in primals:
        if primal.meta.get("desc") == description:
            return primal
    raise CaptureError(
        f"an input that the module changes in place, {description}, has no placeholder in the joint graph"
    )


def _refuse_unknown_bytes(module: fx.GraphModule) -> None:
    for node in module.graph.nodes:
        value = node.meta.get("val")
        for tensor in value if isinstance(value, (list, tuple)) else [value]:
            problem = _unknown_bytes(tensor) if isinstance(tensor, torch.Tensor) else ""
            if problem:
                place = source_of(node)
                raise CaptureError(f"{node.target}{f' at {place}' if place else ''} gives a tensor {problem}")


def _unknown_bytes(tensor: torch.Tensor) -> str:
    """Why the bytes of a tensor are not known before it is computed; empty if they are."""
    if tensor.layout != torch.strided:
        return (
            f"of layout {tensor.layout}, whose bytes depend on data; use dense tensors (for an embedding: sparse=False)"
        )
    if free_unbacked_symbols(tensor):
        return (
            f"of shape {tuple(tensor.shape)}, which depends on data; keep the shape fixed (torch.where and masks in "
            "place of boolean indexing)"
        )
    return ""
