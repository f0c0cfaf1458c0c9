"""A plan emitted as a forward and a backward FX graph, of any shape that the plan asks for."""

from __future__ import annotations

import functools
import operator
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch._functorch._aot_autograd.descriptors import (
    SavedForBackwardsAOTOutput,
    SavedForBackwardsNoVcCheckAOTOutput,
)
from torch._prims.rng_prims import run_and_save_rng_state, run_with_rng_state

from retrograde.errors import CaptureError
from retrograde.planning import Action, Compute, Free, Load, Spill
from retrograde.planning.lowering import Schedule
from retrograde.torch.capture.describe import Description, random_state_bytes
from retrograde.torch.capture.in_place import in_place_call
from retrograde.torch.capture.joint import is_size, source_of
from retrograde.torch.capture.operators import batch_norm_without_statistics, is_random, repeats_without_statistics
from retrograde.torch.capture.sizes import emitted_meta, size_expression, symbol_of
from retrograde.torch.emission.early_gradients import EarlyGradients
from retrograde.torch.emission.media import Spiller
from retrograde.torch.emission.spill_calls import SpillCalls, handle_example, handle_of, require_spiller

RUN = "retrograde_run"
"""Where in an emitted node's ``meta`` stands how many times its operation had run before."""


@dataclass(frozen=True, eq=False)
class EmittedPair:
    """A forward and a backward FX graph that follow one schedule.

    Attributes:
        forward: takes every primal, returns the forward outputs and then the saved values.
        backward: takes the saved values and then the tangents, returns the gradients.
        saved: how many values the forward hands over.
        unchecked: how many of these, the last ones, may be changed in place before the backward reads them.
    """

    forward: fx.GraphModule
    backward: fx.GraphModule
    saved: int
    unchecked: int


def emit(
    description: Description, schedule: Schedule, spiller: Spiller | None = None, *, functional: bool = False
) -> EmittedPair:
    """The forward and the backward graph module that follow a schedule.

    Both take and return what AOTAutograd expects of a partitioner's. A value is dropped after its last use in the
    generated code, which is where the schedule frees it.

    Args:
        description: the joint graph and its correspondence with ``schedule``'s graph.
        schedule: a forward and a backward segment.
        spiller: where storages go that the schedule spills; both modules keep it.
        functional: emit no call that writes over an operand or adds to ``.grad``, for a compiler that finds such
            places by itself.

    Raises:
        CaptureError: the schedule asks for what cannot be emitted.
    """
    require_spiller(schedule.actions, spiller)
    border = schedule.segments[1]
    forward_actions, backward_actions = schedule.actions[:border], schedule.actions[border:]
    backward = _Emitter(description, schedule.actions, before=forward_actions, spiller=spiller, functional=functional)
    sizes = [node for node in description.joint.primals if is_size(node)]
    for node in (*sizes, *description.joint.tangents):
        backward.add_input(node)
    if not functional:
        backward.gradients.expect(description.joint.backward_outputs)
    backward.carry_out(backward_actions)
    backward.add_outputs(description.joint.backward_outputs)
    saved = backward.saved_values

    forward = _Emitter(description, schedule.actions, before=(), spiller=spiller, functional=functional)
    for node in description.joint.primals:
        forward.add_input(node)
    forward.carry_out(forward_actions)
    forward.add_outputs(description.joint.forward_outputs)
    checked = [v for v in saved if not _without_version_check(description, v)]
    unchecked = [v for v in saved if _without_version_check(description, v)]
    saved = checked + unchecked
    forward.add_saved(saved)
    forward.add_sizes(sizes)

    backward.order_placeholders(sizes, saved)
    descriptions = [
        *(SavedForBackwardsAOTOutput(i) for i in range(len(checked))),
        *(SavedForBackwardsNoVcCheckAOTOutput(len(checked) + i) for i in range(len(unchecked))),
        *(SavedForBackwardsAOTOutput(len(saved) + i) for i in range(len(sizes))),
    ]
    root = description.joint.module
    return EmittedPair(
        forward.finish(root, [*description.joint.forward_descriptions, *descriptions]),
        backward.finish(root, description.joint.backward_descriptions),
        len(saved),
        len(unchecked),
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
        elif isinstance(action, Load):
            live.add(action.storage)
        else:
            live.discard(action.storage)
    return live


def _without_version_check(description: Description, value: int) -> bool:
    nodes = description.value_nodes[value] if value < len(description.value_nodes) else ()
    return any(node.meta.get("saved_tensor_with_no_vc_check", False) for node in nodes)


_ARITHMETIC = {"Add": operator.add, "Mul": operator.mul, "FloorDiv": operator.floordiv, "PythonMod": operator.mod}
"""Operators for the functions that sizes are made with, by the names that PyTorch's symbols give them."""


class _Emitter:
    """One graph in the making: which node of it carries each value at present."""

    def __init__(
        self,
        description: Description,
        actions: tuple[Action, ...],
        *,
        before: tuple[Action, ...],
        spiller: Spiller | None,
        functional: bool,
    ) -> None:
        self.description = description
        self.functional = functional
        self.repeated = {index for index, runs in _run_counts(actions).items() if runs > 1}
        self.runs = _run_counts(before)
        self.handed_over = _live_after(description, before)
        self.graph = fx.Graph()
        self.current: dict[int, fx.Node] = {}
        self.saved_values: list[int] = []
        self.placeholders: dict[int, fx.Node] = {}
        self.inputs: list[fx.Node] = []
        self.gradients = EarlyGradients(description, self.graph, self._size)
        self.outputs: list[Any] = []
        self.output_traces: list[Any] = []
        self._joint_constants = set(description.joint.constants())
        self._last_input: fx.Node | None = None
        self._sizes: dict[fx.Node, fx.Node] = {}
        self._spiller = spiller
        self._spills = SpillCalls(description, self.graph, self.current, spiller)
        self._run: dict[fx.Node, int] = {}

    # Inputs

    def add_input(self, node: fx.Node) -> fx.Node:
        """A placeholder for a primal or a tangent, after the other inputs."""
        placeholder = self._placeholder(node.name, emitted_meta(node))
        if is_size(node):
            self._sizes[node] = placeholder
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
        # Generated code binds arguments to targets, which may be taken by other nodes; names are unique.
        placeholder.target = placeholder.name
        placeholder.meta = dict(meta)
        self._last_input = placeholder
        return placeholder

    def _saved(self, value: int) -> fx.Node:
        """A placeholder for a value that the forward pass hands over."""
        nodes = self.description.value_nodes[value]
        if nodes:
            placeholder = self._placeholder(nodes[0].name, emitted_meta(nodes[0]))
        else:
            placeholder = self._placeholder(f"random_state_{value}", {"val": self._state_example()})
        self.saved_values.append(value)
        self.placeholders[value] = placeholder
        self.current[value] = placeholder
        return placeholder

    def _state_example(self) -> torch.Tensor:
        values = (emitted_meta(node).get("val") for node in self.description.joint.primals)
        example = next(value for value in values if isinstance(value, torch.Tensor))
        size = random_state_bytes(self.description.joint.primals[0])
        return example.new_empty((size,), dtype=torch.uint8, device="cpu")

    # Operations

    def carry_out(self, actions: tuple[Action, ...]) -> None:
        self._spills.look_ahead(actions, self.handed_over)
        for position, action in enumerate(actions):
            if isinstance(action, Compute):
                self._compute(action.operation, action.overwrites)
                self._spills.begin_after(position)
            elif isinstance(action, Free):
                self._spills.forget(action.storage)
                self._forget(action.storage)
            elif isinstance(action, Spill):
                self._spill(action.storage)
            elif self._is_carried(action.storage):
                self._spills.load(action.storage, self._handle(action.storage))

    def _spill(self, storage: int) -> None:
        if self._is_carried(storage):
            if storage in self.handed_over:
                for value in filter(self._was_handed_over, self.description.graph.storage_values[storage]):
                    self._saved(value)
            self._spills.spill(storage)
        self._forget(storage)

    def _is_carried(self, storage: int) -> bool:
        """Whether anybody takes a value of the storage, so that it is there at all."""
        return any(map(self._is_taken, self.description.graph.storage_values[storage]))

    def _is_taken(self, value: int) -> bool:
        producer = self.description.graph.producers[value]
        if producer in self.description.state_operations:
            return producer + 1 in self.repeated
        return bool(self.description.value_nodes[value])

    def _was_handed_over(self, value: int) -> bool:
        """Whether a value of a storage from before this graph was made before, too, and has not been asked for."""
        made = self.description.graph.producers[value] in self.runs
        return made and value not in self.current and self._is_taken(value)

    def _handle(self, storage: int) -> fx.Node:
        """The node that carries the handle of a spilled storage; one that an earlier graph spilled is saved."""
        number = handle_of(self.description, storage)
        if number not in self.current:
            self.current[number] = self._placeholder(f"spilled_{storage}", {"val": handle_example(self.description)})
            self.saved_values.append(number)
            self.placeholders[number] = self.current[number]
        return self.current[number]

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
        return self._pick(pair, 1, emitted_meta(node))

    def _call(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], node: fx.Node) -> fx.Node:
        call = self.graph.create_node("call_function", target, arguments, keywords, name=node.name)
        call.meta = {**emitted_meta(node), RUN: self._run.get(node, 0)}
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
                self.current[value] = self._pick(result, nodes[0].args[1], emitted_meta(nodes[0]))
            self.gradients.take(value, self.current[value])

    def _map(self, structure: Any) -> Any:
        return fx.node.map_arg(structure, self._operand)

    def _operand(self, node: fx.Node) -> fx.Node:
        value = self.description.node_values.get(node)
        if is_size(node):
            return self._size(node)
        if value is None or node in self._joint_constants:
            return self._constant(node)
        if value in self.current:
            return self.current[value]
        return self._fetch(value, node)

    def _size(self, node: fx.Node) -> fx.Node:
        """A size of the inputs, or a number made of sizes, which is computed wherever it is wanted."""
        if node not in self._sizes:
            expression = size_expression(node)
            if expression is not None:
                self._sizes[node] = self._expression(expression, node)
                return self._sizes[node]
            arguments = fx.node.map_arg(node.args, self._size)
            self._sizes[node] = self._call(node.target, arguments, dict(node.kwargs), node)
        return self._sizes[node]

    def _expression(self, expression: Any, node: fx.Node) -> Any:
        """A number made of the sizes that the graph is called with, in place of asking a tensor that may be gone."""
        if expression.is_Integer:
            return int(expression)
        if expression.is_Symbol:
            inputs = self.description.joint.primals
            return next(p for n, p in self._sizes.items() if n in inputs and symbol_of(n) == expression)
        combine = _ARITHMETIC.get(type(expression).__name__)
        if combine is None:
            raise CaptureError(
                f"{node.target} at {source_of(node) or node.name} asks for a size of {expression}; ask for "
                "budgeted(..., dynamic=False), which plans every combination of shapes"
            )
        terms = [self._expression(term, node) for term in expression.args]
        return functools.reduce(lambda a, b: self.graph.call_function(combine, (a, b)), terms)

    def _constant(self, node: fx.Node) -> fx.Node:
        copy = self.graph.create_node("get_attr", node.target, (), {}, name=node.name)
        copy.meta = emitted_meta(node)
        return copy

    def _fetch(self, value: int, node: fx.Node) -> fx.Node:
        """A value from before this graph: saved, spilled, or viewed again from what the caller holds."""
        graph = self.description.graph
        loaded = self._spills.value(value, node.meta)
        if loaded is not None:
            return loaded
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
        self.outputs = [
            self.gradients.accumulated.get(position) or (self._operand(o) if isinstance(o, fx.Node) else o)
            for position, o in enumerate(outputs)
        ]
        self.output_traces = [o.meta.get("stack_trace") if isinstance(o, fx.Node) else None for o in outputs]

    def add_saved(self, values: list[int]) -> None:
        for value in values:
            self.outputs.append(self.current[value])
            self.output_traces.append(None)

    def add_sizes(self, sizes: list[fx.Node]) -> None:
        for node in sizes:
            self.outputs.append(self._sizes[node])
            self.output_traces.append(None)

    def order_placeholders(self, sizes: list[fx.Node], saved: list[int]) -> None:
        """Put sizes first, then the saved values in the order in which the forward returns them, then the tangents."""
        anchor: fx.Node | None = None
        first, tangents = self.inputs[: len(sizes)], self.inputs[len(sizes) :]
        for placeholder in (*first, *(self.placeholders[v] for v in saved), *tangents):
            if anchor is None:
                top = next(iter(self.graph.nodes))
                if top is not placeholder:
                    top.prepend(placeholder)
            else:
                anchor.append(placeholder)
            anchor = placeholder

    def finish(self, root: fx.GraphModule, descriptions: list[Any]) -> fx.GraphModule:
        output = self.graph.output(tuple(self.outputs))
        output.meta["desc"] = descriptions
        output.meta["output_stack_traces"] = self.output_traces
        _erase_unused_picks(self.graph)
        self.graph.lint()
        module = fx.GraphModule(root, self.graph)
        module.meta["retrograde spiller"] = self._spiller
        return module


def _erase_unused_picks(graph: fx.Graph) -> None:
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op == "call_function" and node.target is operator.getitem:
            graph.erase_node(node)
