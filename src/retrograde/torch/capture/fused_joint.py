"""The joint graph as Inductor wants it: its own passes applied, and what it recomputes anyway written out.

Inductor fuses elementwise work into the kernels around it, so its partitioner recomputes much of it in the backward
for nothing, even with all the memory in the world. Here that partitioner runs first, and what it recomputes becomes
operations of the backward pass in their own right. So a plan that stores all is PyTorch's own compiled step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch._dynamo.utils import detect_fake_mode
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor.compile_fx import (
    _recursive_joint_graph_passes,
    get_cuda_device_context,
    get_inputs_devices,
)
from torch._inductor.virtualized import V
from torch._subclasses.fake_tensor import FakeTensorMode

from retrograde.torch.capture.joint import IN_BACKWARD, JointGraph, is_getitem, read_joint_graph


def fused_joint_graph(
    module: fx.GraphModule,
    joint_inputs: Sequence[Any],
    num_forward_outputs: int,
    static_lifetime_input_indices: list[int] | None = None,
) -> JointGraph:
    """The joint graph to plan for Inductor.

    Args:
        module: the joint graph, as AOTAutograd gives it to a partitioner; it is changed.
        joint_inputs: its example inputs.
        num_forward_outputs: how many of its outputs belong to the forward pass.
        static_lifetime_input_indices: inputs that live as long as the module.

    Raises:
        CaptureError: it holds something that the engine cannot plan.
    """
    read_joint_graph(module, num_forward_outputs)
    mode = detect_fake_mode(joint_inputs) or FakeTensorMode()
    with get_cuda_device_context(module), V.set_fake_mode(mode):
        device = next(iter(get_inputs_devices(joint_inputs, module)))
        module = _recursive_joint_graph_passes(module, skip_invoke_subgraph=True, input_device=device)
    with torch._functorch.config.patch(activation_memory_budget=1.0):
        forward, backward = min_cut_rematerialization_partition(
            module,
            joint_inputs,
            compiler="inductor",
            num_fwd_outputs=num_forward_outputs,
            static_lifetime_input_indices=static_lifetime_input_indices,
        )
    writer = _Rejoin(module, forward, backward, num_forward_outputs)
    for node in writer.backward:
        node.meta[IN_BACKWARD] = True
    return read_joint_graph(writer.module, num_forward_outputs)


class _Rejoin:
    """A forward and a backward graph put together again as one joint graph."""

    def __init__(self, joint: fx.GraphModule, forward: fx.GraphModule, backward: fx.GraphModule, outputs: int) -> None:
        self.graph = fx.Graph()
        self.by_name: dict[str, fx.Node] = {}
        self.forward: list[fx.Node] = []
        self.backward: list[fx.Node] = []
        for node in joint.graph.find_nodes(op="placeholder"):
            self._copy(node, {})
        self._carry_over(forward, self.forward)
        computed = {node.name for node in forward.graph.nodes if node.op == "call_function"}
        environment = self._carry_over(backward, self.backward, computed)
        (joint_output,) = joint.graph.find_nodes(op="output")
        results = [
            *(self.by_name[r.name] if isinstance(r, fx.Node) else r for r in joint_output.args[0][:outputs]),
            *(environment[r] if isinstance(r, fx.Node) else r for r in _results(backward)),
        ]
        output = self.graph.output(tuple(results))
        output.meta = dict(joint_output.meta)
        self.graph.lint()
        self.module = fx.GraphModule(joint, self.graph)

    def _carry_over(
        self, module: fx.GraphModule, operations: list[fx.Node], computed: set[str] | None = None
    ) -> dict[fx.Node, fx.Node]:
        """Append a graph's operations; those that were computed before become operations of their own."""
        environment: dict[fx.Node, fx.Node] = {}
        for node in module.graph.nodes:
            if node.op == "output":
                continue
            if node.op == "placeholder" or (node.op == "get_attr" and node.name in self.by_name):
                environment[node] = self.by_name[node.name]
                continue
            copy = environment[node] = self._copy(node, environment)
            if computed and node.name in computed:
                copy.meta["val"] = _evaluate(copy)
            if node.op == "call_function" and not is_getitem(node):
                operations.append(copy)
        return environment

    def _copy(self, node: fx.Node, environment: dict[fx.Node, fx.Node]) -> fx.Node:
        copy = self.graph.node_copy(node, environment.__getitem__)
        copy.meta = dict(node.meta)
        self.by_name.setdefault(node.name, copy)
        return copy


def _results(module: fx.GraphModule) -> list[Any]:
    (output,) = module.graph.find_nodes(op="output")
    return list(output.args[0])


def _evaluate(node: fx.Node) -> Any:
    """The fake result of an operation, in a storage of its own."""
    arguments, keywords = fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
    target: Any = node.target
    if is_getitem(node):
        return target(*arguments)
    with _fake_mode(node), torch.no_grad():
        return target(*arguments, **keywords)


def _fake_mode(node: fx.Node) -> FakeTensorMode:
    found = _first_fake(node.meta.get("val"))
    return found.fake_mode if found is not None else FakeTensorMode()


def _first_fake(result: Any) -> Any:
    values = result if isinstance(result, (list, tuple)) else [result]
    return next((v for v in values if isinstance(v, torch._subclasses.FakeTensor)), None)
