"""One call of a captured graph inside a step: what it saves, what it gave out, and whether it is over."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from retrograde.torch.step.simulation import schedule_peak_bytes

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import CapturedGraph, Variant
    from retrograde.torch.step.step import Step


class Call:
    """One call of a captured graph, from its forward to the end of its backward.

    Args:
        step: the step that it belongs to.
        index: its number among the step's calls.
        captured: the graph that is called.
        variant: the compiled schedule that it follows.
        sizes: its sizes that change from call to call.
        arguments: what it was called with.
    """

    def __init__(
        self,
        step: Step,
        index: int,
        captured: CapturedGraph,
        variant: Variant,
        sizes: tuple[int, ...],
        arguments: Sequence[Any],
    ) -> None:
        self.step = step
        self.index = index
        self.captured = captured
        self.variant = variant
        self.sizes = sizes
        leaves = {i: a for i, a in enumerate(arguments) if isinstance(a, torch.Tensor) and _is_leaf(a)}
        # A call may be remembered until the next step, and is not to hold the user's inputs until then.
        self._leaves = {position: weakref.ref(leaf) for position, leaf in leaves.items()}
        self._leaf_ids = {position: id(leaf) for position, leaf in leaves.items()}
        self.undefined: frozenset[int] = frozenset()
        self._held = {_address(a) for a in arguments if isinstance(a, torch.Tensor)}
        self._ticket: StorageWeakRef | None = None
        self._residuals: list[tuple[StorageWeakRef, int]] = []
        self._outputs: dict[int, StorageWeakRef] = {}
        self._output_bytes: dict[int, int] = {}
        self._saved_outputs: frozenset[int] = frozenset()
        self._gradients: list[tuple[StorageWeakRef, int]] = []

    def admit(self, ticket: torch.Tensor, outputs: Sequence[Any], saved: Sequence[Any]) -> None:
        """Take note of what the forward gives out and saves; the call is open until the ticket is released."""
        self._ticket = StorageWeakRef(ticket.untyped_storage())
        given: set[int] = set()
        for position, output in enumerate(outputs):
            if isinstance(output, torch.Tensor) and _address(output) not in self._held | given:
                given.add(_address(output))
                self._outputs[position] = StorageWeakRef(output.untyped_storage())
                self._output_bytes[position] = output.untyped_storage().nbytes()
        addresses = {_address(tensor) for tensor in saved if isinstance(tensor, torch.Tensor)}
        self._saved_outputs = frozenset(p for p in self._outputs if _address(outputs[p]) in addresses)
        known = self._held | given
        for tensor in saved:
            if isinstance(tensor, torch.Tensor) and _address(tensor) not in known:
                known.add(_address(tensor))
                storage = tensor.untyped_storage()
                self._residuals.append((StorageWeakRef(storage), storage.nbytes()))
        self._held = set()

    def finish(self, gradients: Sequence[Any]) -> None:
        """Take note of the gradients that the backward gives for parameters."""
        for position in self._leaves:
            gradient = gradients[position] if position < len(gradients) else None
            if isinstance(gradient, torch.Tensor):
                storage = gradient.untyped_storage()
                self._gradients.append((StorageWeakRef(storage), storage.nbytes()))

    def leaf(self, position: int) -> torch.Tensor | None:
        """The input at a position, if it accumulates a gradient and is still there."""
        found = self._leaves.get(position)
        return found() if found is not None else None

    def is_only_user(self, position: int) -> bool:
        """Whether no other call of the step uses an input: then its backward gives all of the gradient."""
        leaf = self._leaf_ids[position]
        return not any(leaf in call._leaf_ids.values() for call in self.step.calls if call is not self)

    @property
    def is_open(self) -> bool:
        """Whether its backward may still run: what it saved is still held."""
        return self._ticket is not None and not self._ticket.expired()

    def residual_bytes(self) -> int:
        """Bytes saved for the backward that are still live, outputs and inputs left out."""
        return sum(size for storage, size in self._residuals if not storage.expired())

    def waiting_bytes(self) -> int:
        """Bytes that stay live until its backward: what it saved, outputs among it included."""
        outputs = self.live_outputs()
        return self.residual_bytes() + sum(outputs[p] for p in self._saved_outputs if p in outputs)

    def held_bytes(self) -> int:
        """Bytes of all that it saved or gave out and that is still live, gradients left out."""
        return self.residual_bytes() + sum(self.live_outputs().values())

    @property
    def peak_bytes(self) -> int:
        """The most that it takes by itself."""
        assignment = self.variant.assignment
        return assignment.peak_bytes or schedule_peak_bytes(
            self.captured.description(self.sizes, assignment.undefined).graph, assignment.schedule
        )

    def expected_gradient_bytes(self) -> int:
        """Bytes of the gradients that its backward will give for parameters."""
        return parameter_gradient_bytes(self.captured, self.sizes, self._leaves)

    def gradient_bytes(self) -> int:
        """Bytes of the gradients it gave for parameters that are still live."""
        return sum(size for storage, size in self._gradients if not storage.expired())

    def live_outputs(self) -> dict[int, int]:
        """Positions of the forward outputs that somebody still holds, with their bytes."""
        return {p: self._output_bytes[p] for p, storage in self._outputs.items() if not storage.expired()}


def parameter_gradient_bytes(captured: CapturedGraph, sizes: tuple[int, ...], positions: Iterable[int]) -> int:
    """Bytes of the gradients that a graph's backward gives for some of its inputs."""
    description = captured.description(sizes)
    graph, outputs = description.graph, description.joint.backward_outputs
    values = [description.node_values[outputs[p]] for p in positions if outputs[p] in description.node_values]
    return sum(graph.storages[s].bytes for s in {graph.values[v].storage for v in values})


def _is_leaf(tensor: torch.Tensor) -> bool:
    return tensor.is_leaf and tensor.requires_grad


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
