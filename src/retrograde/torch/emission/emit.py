"""A plan emitted as a forward and a backward FX graph, of any shape that the plan asks for."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

import torch
from torch import fx
from torch._functorch._aot_autograd.descriptors import (
    SavedForBackwardsAOTOutput,
    SavedForBackwardsNoVcCheckAOTOutput,
)
from torch._prims.rng_prims import run_and_save_rng_state, run_with_rng_state

from retrograde.errors import CaptureError
from retrograde.planning import Action, Compute, Free, Plan
from retrograde.torch.capture.describe import Description, random_state_bytes
from retrograde.torch.capture.in_place import in_place_call
from retrograde.torch.capture.operators import batch_norm_without_statistics, is_random, repeats_without_statistics

RUN = "retrograde_run"
"""Where in an emitted node's ``meta`` stands how many times its operation had run before."""


def emit(description: Description, plan: Plan, *, functional: bool = False) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The forward and the backward graph module that follow a plan.

    Both take and return what AOTAutograd expects of a partitioner's: the forward takes every primal and returns its
    outputs and then the saved values, the backward takes the saved values and the tangents. A value is dropped
    after its last use in the generated code, which is where the plan frees it.

    Args:
        description: the joint graph and its correspondence with ``plan``'s graph.
        plan: a plan of ``description.graph``.
        functional: emit no call that writes over an operand, for a compiler that finds such places by itself.
    """
    backward = _Emitter(description, plan, segment=1, functional=functional)
    for node in description.joint.tangents:
        backward.add_input(node)
    backward.carry_out(plan.segment_actions(1))
    backward.add_outputs(description.joint.backward_outputs)
    saved = backward.saved_values

    forward = _Emitter(description, plan, segment=0, functional=functional)
    for node in description.joint.primals:
        forward.add_input(node)
    forward.carry_out(plan.segment_actions(0))
    forward.add_outputs(description.joint.forward_outputs)
    checked = [v for v in saved if not _without_version_check(description, v)]
    unchecked = [v for v in saved if _without_version_check(description, v)]
    saved = checked + unchecked
    forward.add_saved(saved)

    backward.order_placeholders(saved)
    descriptions = [SavedForBackwardsAOTOutput(i) for i in range(len(checked))] + [
        SavedForBackwardsNoVcCheckAOTOutput(len(checked) + i) for i in range(len(unchecked))
    ]
    root = description.joint.module
    return (
        forward.finish(root, [*description.joint.forward_descriptions, *descriptions]),
        backward.finish(root, description.joint.backward_descriptions),
    )


def _run_counts(actions: tuple[Action, ...]) -> Counter[int]:
    return Counter(action.operation for action in actions if isinstance(action, Compute))


def _live_after(description: Description, actions: tuple[Action, ...]) -> set[int]:
    """Storages that actions allocate and do not free."""
    live: set[int] = set()
    for action in actions:
        if isinstance(action, Compute):
            live.update(description.graph.allocated_storages(action.operation))
            live.difference_update(description.graph.values[read].storage for _, read in action.overwrites)
        elif isinstance(action, Free):
            live.discard(action.storage)
    return live


def _without_version_check(description: Description, value: int) -> bool:
    nodes = description.value_nodes[value]
    return any(node.meta.get("saved_tensor_with_no_vc_check", False) for node in nodes)


class _Emitter:
    """One graph in the making: which node of it carries each value at present."""

    def __init__(self, description: Description, plan: Plan, segment: int, functional: bool) -> None:
        before = plan.actions[: plan.segments[segment]]
        self.description = description
        self.repeated = {index for index, runs in _run_counts(plan.actions).items() if runs > 1}
        self.runs = _run_counts(before)
        self.functional = functional
        self.handed_over = _live_after(description, before)
        self.graph = fx.Graph()
        self.current: dict[int, fx.Node] = {}
        self.saved_values: list[int] = []
        self.placeholders: dict[int, fx.Node] = {}
        self.inputs: list[fx.Node] = []
        self.outputs: list[Any] = []
        self.output_traces: list[Any] = []
        self._joint_constants = set(description.joint.constants())
        self._last_input: fx.Node | None = None
        self._run: dict[fx.Node, int] = {}

    # Inputs

    def add_input(self, node: fx.Node) -> fx.Node:
        """A placeholder for a primal or a tangent, after the other inputs."""
        placeholder = self._placeholder(node.name, node.meta)
        self.inputs.append(placeholder)
        if node in self.description.node_values:
            self.current[self.description.node_values[node]] = placeholder
        return placeholder

    def _placeholder(self, name: str, meta: dict[str, Any]) -> fx.Node:
        with (
            self.graph.inserting_before(None)
            if self._last_input is None
            else self.graph.inserting_after(self._last_input)
        ):
            placeholder = self.graph.placeholder(name)
        placeholder.meta = dict(meta)
        self._last_input = placeholder
        return placeholder

    def _saved(self, value: int) -> fx.Node:
        """A placeholder for a value that the forward pass hands over."""
        nodes = self.description.value_nodes[value]
        if nodes:
            placeholder = self._placeholder(nodes[0].name, nodes[0].meta)
        else:
            placeholder = self._placeholder(f"random_state_{value}", {"val": self._state_example()})
        self.saved_values.append(value)
        self.placeholders[value] = placeholder
        self.current[value] = placeholder
        return placeholder

    def _state_example(self) -> torch.Tensor:
        example = next(
            node.meta["val"]
            for node in self.description.joint.primals
            if isinstance(node.meta.get("val"), torch.Tensor)
        )
        size = random_state_bytes(self.description.joint.primals[0])
        return example.new_empty((size,), dtype=torch.uint8, device="cpu")

    # Operations

    def carry_out(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, Compute):
                self._compute(action.operation, action.overwrites)
            elif isinstance(action, Free):
                self._forget(action.storage)
            else:
                raise CaptureError(f"this engine does not carry out {type(action).__name__} in captured graphs")

    def _forget(self, storage: int) -> None:
        self.handed_over.discard(storage)
        for value in self.description.graph.storage_values[storage]:
            self.current.pop(value, None)

    def _position(self, node: fx.Node, overwrites: tuple[tuple[int, int], ...]) -> int:
        """Position of the operand that an operation overwrites."""
        ((_, read),) = overwrites
        operands = [self.description.node_values.get(a) if isinstance(a, fx.Node) else None for a in node.args]
        return operands.index(read)

    def _compute(self, index: int, overwrites: tuple[tuple[int, int], ...] = ()) -> None:
        if index in self.description.state_operations:
            return
        node = self.description.operation_nodes[index]
        graph = self.description.graph
        first = index not in self.runs
        self._run[node] = self.runs[index]
        self.runs[index] += 1
        if is_random(node):
            result = self._compute_random(index, node, first)
        elif not first and repeats_without_statistics(node):
            target, arguments = batch_norm_without_statistics(node)
            result = self._call(target, self._map(arguments), {}, node)
        elif overwrites and not self.functional:
            target, arguments = in_place_call(node, self._position(node, overwrites), self._map(node.args))
            result = self._call(target, arguments, self._map(node.kwargs), node)
        else:
            result = self._call(node.target, self._map(node.args), self._map(node.kwargs), node)
        for _, read in overwrites:
            self._forget(graph.values[read].storage)
        self._take_results(index, result, node)

    def _compute_random(self, index: int, node: fx.Node, first: bool) -> fx.Node:
        """A random operation: plain, or saving the random state before it, or running with the saved state."""
        arguments, keywords = self._map(node.args), self._map(node.kwargs)
        if index not in self.repeated:
            return self._call(node.target, arguments, keywords, node)
        state = self.description.state_operations[index - 1]
        if not first:
            held = self.current.get(state) or self._saved(state)
            return self._call(run_with_rng_state, (held, node.target, *arguments), keywords, node)
        pair = self._call(run_and_save_rng_state, (node.target, *arguments), keywords, node)
        self.current[state] = self._pick(pair, 0, {"val": self._state_example()})
        return self._pick(pair, 1, node.meta)

    def _call(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], node: fx.Node) -> fx.Node:
        call = self.graph.create_node("call_function", target, arguments, keywords, name=node.name)
        call.meta = {**node.meta, RUN: self._run[node]}
        return call

    def _pick(self, source: fx.Node, position: int, meta: dict[str, Any]) -> fx.Node:
        picked = self.graph.call_function(operator.getitem, (source, position))
        picked.meta = dict(meta)
        return picked

    def _take_results(self, index: int, result: fx.Node, node: fx.Node) -> None:
        """Note which node carries each result. What is live already, here or handed over, stays as it is."""
        graph = self.description.graph
        handed_over = self.handed_over & set(graph.allocated_storages(index))
        for value in graph.operations[index].makes:
            nodes = self.description.value_nodes[value]
            if not nodes or value in self.current or graph.values[value].storage in handed_over:
                continue
            if nodes[0] is node:
                self.current[value] = result
            else:
                self.current[value] = self._pick(result, nodes[0].args[1], nodes[0].meta)

    def _map(self, structure: Any) -> Any:
        return fx.node.map_arg(structure, self._operand)

    def _operand(self, node: fx.Node) -> fx.Node:
        value = self.description.node_values.get(node)
        if value is None or node in self._joint_constants:
            return self._constant(node)
        if value in self.current:
            return self.current[value]
        return self._fetch(value, node)

    def _constant(self, node: fx.Node) -> fx.Node:
        copy = self.graph.create_node("get_attr", node.target, (), {}, name=node.name)
        copy.meta = dict(node.meta)
        return copy

    def _fetch(self, value: int, node: fx.Node) -> fx.Node:
        """A value from before this graph: saved, or viewed again from what the caller holds."""
        graph = self.description.graph
        storage = graph.values[value].storage
        producer = graph.producers[value]
        if graph.arrivals[storage] == 0 and producer is not None:
            self._refuse_mutated(node)
            self._compute(producer)
            return self.current[value]
        return self._saved(value)

    def _refuse_mutated(self, node: fx.Node) -> None:
        if any(source in self.description.joint.mutated for source in node.all_input_nodes):
            raise CaptureError(
                f"the backward pass needs {node.name}, a view of an input that the forward changes in place"
            )

    # Outputs

    def add_outputs(self, outputs: list[Any]) -> None:
        self.outputs = [self._operand(o) if isinstance(o, fx.Node) else o for o in outputs]
        self.output_traces = [o.meta.get("stack_trace") if isinstance(o, fx.Node) else None for o in outputs]

    def add_saved(self, values: list[int]) -> None:
        for value in values:
            self.outputs.append(self.current[value])
            self.output_traces.append(None)

    def order_placeholders(self, saved: list[int]) -> None:
        """Put the saved values first, in the order in which the forward returns them, then the tangents."""
        anchor: fx.Node | None = None
        for placeholder in (*(self.placeholders[v] for v in saved), *self.inputs):
            if anchor is None:
                first = next(iter(self.graph.nodes))
                if first is not placeholder:
                    first.prepend(placeholder)
            else:
                anchor.append(placeholder)
            anchor = placeholder

    def finish(self, root: fx.GraphModule, descriptions: list[Any]) -> fx.GraphModule:
        output = self.graph.output(tuple(self.outputs))
        output.meta["desc"] = descriptions
        output.meta["output_stack_traces"] = self.output_traces
        _erase_unused_picks(self.graph)
        self.graph.lint()
        return fx.GraphModule(root, self.graph)


def _erase_unused_picks(graph: fx.Graph) -> None:
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op == "call_function" and node.target is operator.getitem:
            graph.erase_node(node)
