"""A joint graph described as a ``Graph``: bytes, costs and dependencies, with the way back to the FX nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import fx

from retrograde.errors import CaptureError
from retrograde.graph import Graph, Operation, Storage, Value
from retrograde.torch.capture.collectives import is_collective, is_wait, operands_until_waited
from retrograde.torch.capture.in_place import overwritable_operands
from retrograde.torch.capture.joint import JointGraph, is_getitem, source_of
from retrograde.torch.capture.operators import (
    draws_seeds,
    is_effectful,
    is_irreproducible,
    is_random,
    numbers_in_place_of_tensors,
    repeats_without_statistics,
)
from retrograde.torch.capture.sizes import evaluate_expression, same_symbolic_layout, storage_expression


class CostModel(Protocol):
    """What an operation costs: measured on the device, or estimated."""

    def operation_cost(self, node: fx.Node) -> OperationCost:
        """Seconds and workspace of one operation."""
        ...


@dataclass(frozen=True)
class OperationCost:
    """What an operation takes.

    Attributes:
        seconds: time of one run.
        workspace_bytes: live beside inputs and outputs while it runs.
        result_bytes: for each result the size of its real storage, which may exceed what its shape needs (a loss
            that was reduced in place); empty if it is not known.
    """

    seconds: float
    workspace_bytes: int
    result_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Description:
    """A joint graph as a ``Graph``, with the correspondence both ways.

    Attributes:
        joint: the joint graph.
        graph: what it costs.
        operation_nodes: for each operation the node that computes it. An operation that captures a random state
            stands for the random node that follows it.
        state_operations: for each operation that captures a random state the value that holds the state.
        value_nodes: for each value the nodes that carry it: none for a result that nobody takes, several for one
            that is taken several times.
        node_values: for each node that carries a tensor its value.
        irreproducible: names and places of operations that cannot be repeated bit for bit and are run once.
        storage_sizes: for each storage whose bytes depend on sizes of the inputs an expression of their symbols.
    """

    joint: JointGraph
    graph: Graph
    operation_nodes: tuple[fx.Node, ...]
    state_operations: dict[int, int]
    value_nodes: tuple[tuple[fx.Node, ...], ...]
    node_values: dict[fx.Node, int]
    irreproducible: tuple[str, ...]
    storage_sizes: dict[int, Any]

    def storages_at(self, sizes: Mapping[Any, int]) -> tuple[Storage, ...]:
        """The storages with the bytes that they have at other sizes."""
        known: dict[Any, int] = {}
        storages = list(self.graph.storages)
        for index, expression in self.storage_sizes.items():
            if expression not in known:
                known[expression] = evaluate_expression(expression, sizes)
            storages[index] = Storage(known[expression], storages[index].name)
        return tuple(storages)


def describe(
    joint: JointGraph,
    costs: CostModel,
    *,
    outside_bytes: int = 0,
    sharding_bytes: int = 0,
    optimizer_bytes: int = 0,
    retain: bool = False,
    name: str = "",
) -> Description:
    """Describe a joint graph.

    Args:
        joint: the joint graph.
        costs: where seconds and workspace come from.
        outside_bytes: bytes that the user's own code holds throughout the backward pass.
        sharding_bytes: bytes that the sharding of parameters holds throughout both passes.
        optimizer_bytes: the most that the optimizer's step takes after the backward pass, beside the gradients.
        retain: whether what the forward saves stays live to the end (``retain_graph=True``).
        name: for people.

    Raises:
        CaptureError: an operation is of a kind that the engine cannot plan; the message names the user's line.
    """
    outside = (sharding_bytes, sharding_bytes + outside_bytes, optimizer_bytes)
    return _Describer(joint, costs).describe(outside, retain, name)


_WRAPPED_NUMBER_BYTES = 8
"""What PyTorch keeps, from the first call on, for a Python number that its tracing wrapped in a tensor."""


class _Describer:
    def __init__(self, joint: JointGraph, costs: CostModel) -> None:
        self.joint = joint
        self.costs = costs
        self.operations: list[Operation] = []
        self.values: list[Value] = []
        self.storages: list[Storage] = []
        self.operation_nodes: list[fx.Node] = []
        self.state_operations: dict[int, int] = {}
        self.value_nodes: list[list[fx.Node]] = []
        self.node_values: dict[fx.Node, int] = {}
        self.storage_index: dict[int, int] = {}
        self.storage_sizes: dict[int, Any] = {}
        self.random_token: int | None = None
        self.collective_token: int | None = None
        self.irreproducible: list[str] = []
        outputs = (*joint.forward_outputs, *joint.backward_outputs)
        sent = (a for node in joint.operations if is_collective(node) for a in node.all_input_nodes)
        theirs = (*joint.primals, *joint.constants(), *(node for node in outputs if isinstance(node, fx.Node)), *sent)
        self.protected = {_storage_key(node) for node in theirs}

    def describe(self, outside: tuple[int, int, int], retain: bool, name: str) -> Description:
        for node in (*self.joint.primals, *self.joint.constants()):
            self._add_input(node, segment=0)
        for node in self.joint.tangents:
            self._add_input(node, segment=1)
        held_cotangents = self._hold_scalar_cotangents()
        forward = (node for node in self.joint.operations if node not in self.joint.backward)
        wrapped_numbers = _WRAPPED_NUMBER_BYTES * sum(map(numbers_in_place_of_tensors, forward))
        for node in self.joint.operations:
            if is_random(node):
                self._add_state_capture(node)
            self._add_operation(node)
        outputs = dict.fromkeys(
            self.node_values[node]
            for node in (*self.joint.forward_outputs, *self.joint.backward_outputs)
            if isinstance(node, fx.Node) and node in self.node_values
        )
        graph = Graph(
            operations=tuple(self.operations),
            values=tuple(self.values),
            storages=tuple(self.storages),
            order=tuple(range(len(self.operations))),
            outputs=tuple(outputs),
            fixed_bytes=(
                outside[0] + wrapped_numbers,
                outside[1] + wrapped_numbers + held_cotangents,
                *((outside[2],) if outside[2] else ()),
            ),
            retain=retain,
            name=name,
        )
        return Description(
            joint=self.joint,
            graph=graph,
            operation_nodes=tuple(self.operation_nodes),
            state_operations=self.state_operations,
            value_nodes=tuple(tuple(nodes) for nodes in self.value_nodes),
            node_values=self.node_values,
            irreproducible=tuple(self.irreproducible),
            storage_sizes=self.storage_sizes,
        )

    # Values

    def _add_input(self, node: fx.Node, segment: int) -> None:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor):
            self.node_values[node] = self._add_value(value, [node], segment, storage_expression(node))

    def _hold_scalar_cotangents(self) -> int:
        """Make the cotangents of scalar outputs fixed demand of the backward pass; return their bytes.

        A scalar is a loss, and ``loss.backward()`` itself holds the cotangent it begins with until it returns.
        """
        held = 0
        for node in self.joint.tangents:
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor) and value.numel() == 1:
                storage = self.values[self.node_values[node]].storage
                held += self.storages[storage].bytes
                self.storages[storage] = Storage(0, self.storages[storage].name)
                self.storage_sizes.pop(storage, None)
        return held

    def _add_value(
        self, tensor: torch.Tensor, nodes: list[fx.Node], available_from: int | None, size: Any | None = None
    ) -> int:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.storage_index:
            name = nodes[0].name if nodes else ""
            index = self.storage_index[key] = self._add_storage(int(storage.nbytes()), name)
            if size is not None:
                self.storage_sizes[index] = size
        return self._append_value(self.storage_index[key], nodes, available_from)

    def _add_storage(self, size: int, name: str) -> int:
        self.storages.append(Storage(size, name))
        return len(self.storages) - 1

    def _append_value(self, storage: int, nodes: list[fx.Node], available_from: int | None) -> int:
        name = nodes[0].name if nodes else ""
        self.values.append(Value(storage, available_from, name))
        self.value_nodes.append(nodes)
        return len(self.values) - 1

    # Operations

    def _add_operation(self, node: fx.Node) -> None:
        operands = (*node.all_input_nodes, *operands_until_waited(node))
        reads = [self.node_values[a] for a in operands if a in self.node_values]
        if is_random(node):
            reads.append(self.state_operations[len(self.operations) - 1])
        makes = self._results(node)
        is_view = bool(makes) and all(self.values[v].storage in self._read_storages(reads) for v in makes)
        cost = OperationCost(0.0, 0) if is_view else self.costs.operation_cost(node)
        self._grow_storages(makes, cost.result_bytes)
        workspace = cost.workspace_bytes
        if is_random(node):
            self.random_token = self._append_value(self._add_storage(0, f"after {node.name}"), [], None)
            makes.append(self.random_token)
            # The generator's present state, while an earlier one is in its place.
            workspace += random_state_bytes(node)
        if is_collective(node):
            # Every rank must come to the collectives in the same order.
            reads += () if self.collective_token is None else (self.collective_token,)
            self.collective_token = self._append_value(self._add_storage(0, f"after {node.name}"), [], None)
            makes.append(self.collective_token)
        self._append_operation(
            node,
            Operation(
                name=node.name,
                cost=cost.seconds,
                reads=tuple(dict.fromkeys(reads)),
                makes=tuple(makes),
                workspace_bytes=workspace,
                segment=1 if node in self.joint.backward else 0,
                recomputable=self._may_run_twice(node),
                may_overwrite=self._overwrites(node, makes),
                source=source_of(node),
            ),
        )

    def _overwrites(self, node: fx.Node, makes: list[int]) -> tuple[tuple[int, int], ...]:
        """Pairs of the one result and an operand whose storage it may take over."""
        pairs: list[tuple[int, int]] = []
        for position in overwritable_operands(node):
            operand = node.args[position]
            if _storage_key(operand) in self.protected:
                continue
            read = self.node_values[operand]
            if self._sizes_match(makes[0], read) and same_symbolic_layout(node, operand):
                pairs.append((makes[0], read))
        return tuple(pairs)

    def _sizes_match(self, made: int, read: int) -> bool:
        return self.storages[self.values[made].storage].bytes == self.storages[self.values[read].storage].bytes

    def _grow_storages(self, makes: list[int], result_bytes: tuple[int, ...]) -> None:
        """Give results their real sizes where those were measured."""
        for value, size in zip(makes, result_bytes, strict=False):
            storage = self.values[value].storage
            if size > self.storages[storage].bytes:
                self.storage_sizes.pop(storage, None)
                self.storages[storage] = Storage(size, self.storages[storage].name)

    def _read_storages(self, reads: list[int]) -> set[int]:
        return {self.values[v].storage for v in reads}

    def _append_operation(self, node: fx.Node, operation: Operation) -> None:
        self.operations.append(operation)
        self.operation_nodes.append(node)

    def _results(self, node: fx.Node) -> list[int]:
        """The values that a node makes: its tensor, or those of its tuple, taken by ``getitem`` or not."""
        result = node.meta.get("val")
        if isinstance(result, torch.Tensor):
            if is_wait(node):
                # It gives its operand back, though its fake result has a storage of its own.
                waited = self.values[self.node_values[node.all_input_nodes[0]]].storage
                self.storage_index[result.untyped_storage()._cdata] = waited
            self.node_values[node] = self._add_value(result, [node], None, storage_expression(node))
            return [self.node_values[node]]
        if result is None:
            return []
        if not isinstance(result, (list, tuple)):
            raise CaptureError(_refusal(node, f"gives a {type(result).__name__}, whose value depends on data"))
        taken: dict[int, list[fx.Node]] = {}
        for user in node.users:
            if not is_getitem(user):
                raise CaptureError(_refusal(node, f"has several results, taken together by {user.name}"))
            taken.setdefault(user.args[1], []).append(user)
        makes: list[int] = []
        for position, tensor in enumerate(result):
            if isinstance(tensor, torch.Tensor):
                nodes = taken.get(position, [])
                makes.append(self._add_value(tensor, nodes, None, storage_expression(node, position)))
                self.node_values.update(dict.fromkeys(nodes, makes[-1]))
        return makes

    def _add_state_capture(self, node: fx.Node) -> None:
        """Before a random node, an operation that holds the random state for later runs of that node.

        It reads what the previous random node leaves, so that first runs keep their order.
        """
        storage = self._add_storage(random_state_bytes(node), f"random state of {node.name}")
        state = self._append_value(storage, [], None)
        self.state_operations[len(self.operations)] = state
        self._append_operation(
            node,
            Operation(
                name=f"random state of {node.name}",
                cost=0.0,
                reads=() if self.random_token is None else (self.random_token,),
                makes=(state,),
                segment=1 if node in self.joint.backward else 0,
                recomputable=False,
                source=source_of(node),
            ),
        )

    def _may_run_twice(self, node: fx.Node) -> bool:
        if is_irreproducible(node):
            self.irreproducible.append(f"{node.target} at {source_of(node) or node.name}")
            return False
        if draws_seeds(node):
            return False
        if repeats_without_statistics(node):
            return True
        reads_mutated = any(self._is_of_mutated(a) for a in node.all_input_nodes)
        if reads_mutated and node in self.joint.backward:
            raise CaptureError(
                _refusal(
                    node, "needs in the backward pass an input that the forward pass changes in place; clone it first"
                )
            )
        return not (reads_mutated or is_effectful(node))

    def _is_of_mutated(self, node: fx.Node) -> bool:
        value = self.node_values.get(node)
        return value is not None and self.values[value].storage in {
            self.values[self.node_values[m]].storage for m in self.joint.mutated
        }


def _storage_key(node: Any) -> int | None:
    value = node.meta.get("val")
    return value.untyped_storage()._cdata if isinstance(value, torch.Tensor) else None


def random_state_bytes(node: fx.Node) -> int:
    """Size of the random generator's state on the device of an operation, in bytes."""
    result: Any = node.meta.get("val")
    tensors = result if isinstance(result, (list, tuple)) else [result]
    on_cpu = all(t.device.type == "cpu" for t in tensors if isinstance(t, torch.Tensor))
    return int(torch.get_rng_state().nbytes) if on_cpu else 16


def _refusal(node: fx.Node, reason: str) -> str:
    place = source_of(node)
    return f"{node.target}{f' at {place}' if place else ''} {reason}"
