"""A captured graph at run time: one autograd function of AOTAutograd's, many plans behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from retrograde.errors import CaptureError
from retrograde.planning import Schedule, lower
from retrograde.planning.strategies import Options as StrategyOptions
from retrograde.planning.strategies import store_all
from retrograde.torch.capture.collectives import collective_names
from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.joint import JointGraph
from retrograde.torch.capture.undefined import without_cotangents
from retrograde.torch.emission.accumulation import gradients_of
from retrograde.torch.emission.boxed import Boxed, boxed
from retrograde.torch.emission.emit import EmittedPair, emit
from retrograde.torch.options import Options

if TYPE_CHECKING:
    from retrograde.torch.step.call import Call
    from retrograde.torch.step.keeper import StepKeeper

Compile = Callable[[fx.GraphModule, Any], Boxed]


@dataclass(frozen=True)
class Assignment:
    """What a call of a captured graph follows.

    Attributes:
        schedule: a forward and a backward segment.
        undefined: positions of the cotangents that are taken not to come.
        peak_bytes: the most that the call takes by itself, where it was planned by itself.
    """

    schedule: Schedule
    undefined: frozenset[int] = frozenset()
    peak_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, eq=False)
class Variant:
    """A captured graph compiled to follow one assignment.

    Attributes:
        assignment: the schedule, and for which cotangents.
        forward: gives the forward outputs and then the saved values.
        backward: takes the saved values and then the tangents.
        saved: how many values are saved.
        unchecked: how many of these, the last ones, may be changed in place before the backward reads them.
    """

    assignment: Assignment
    forward: Boxed
    backward: Boxed
    saved: int
    unchecked: int


class CapturedGraph:
    """A joint graph that AOTAutograd traced, and the functions that AOTAutograd calls for it.

    The plan may differ from call to call, because a call has its place in a step. AOTAutograd saves whatever tensors
    the forward returns behind its outputs; the first of these is a ticket, an empty tensor, by which the backward
    finds the call that it belongs to, and by whose release one knows that the call is over.

    Args:
        description: the joint graph, described.
        options: what the user asked for.
        keeper: decides which schedule a call follows.
        compile_graph: makes a forward or backward graph module callable.
        describe: describes a part of the joint graph.
    """

    def __init__(
        self,
        description: Description,
        options: Options,
        keeper: StepKeeper,
        compile_graph: Compile,
        describe: Callable[[JointGraph], Description],
    ) -> None:
        joint = description.joint
        self.description = description
        self.options = options
        self.keeper = keeper
        self._compile = compile_graph
        self._describe = describe
        self._descriptions: dict[frozenset[int], Description | None] = {frozenset(): description}
        self._variants: dict[Assignment, Variant] = {}
        self._first: EmittedPair | None = None
        self._outputs = len(joint.forward_outputs)
        self._primals = len(joint.primals)
        self._calls: dict[int, Call] = {}

    @property
    def device(self) -> torch.device:
        """The device of its first tensor."""
        values = (node.meta.get("val") for node in self.description.joint.primals)
        return next((v.device for v in values if isinstance(v, torch.Tensor)), torch.device("cpu"))

    @property
    def collectives(self) -> tuple[str, ...]:
        """Its operations that talk to other ranks, in order, in words that are the same on all of them."""
        return collective_names(self.description.joint.operations)

    @property
    def is_closed(self) -> bool:
        """Whether its only differentiable outputs are scalars: a loss, on which backward is called at once."""
        return all(getattr(node.meta.get("val"), "ndim", 1) == 0 for node in self.description.joint.tangents)

    def gradient_bytes(self, positions: Iterable[int]) -> int:
        """Bytes of the gradients that its backward gives for some of its inputs."""
        nodes = [self.description.joint.backward_outputs[position] for position in positions]
        tensors = [node.meta["val"] for node in nodes if isinstance(node, fx.Node)]
        return sum(tensor.untyped_storage().nbytes() for tensor in tensors)

    @property
    def beside_a_loss(self) -> frozenset[int]:
        """Positions of the differentiable outputs beside a scalar one; none if there is no scalar one."""
        scalar = [getattr(node.meta.get("val"), "ndim", 1) == 0 for node in self.description.joint.tangents]
        return frozenset(i for i, is_scalar in enumerate(scalar) if not is_scalar) if any(scalar) else frozenset()

    def description_without(self, undefined: frozenset[int]) -> Description | None:
        """The description for steps in which some cotangents are undefined; None if it cannot do without them."""
        if undefined not in self._descriptions:
            joint = without_cotangents(self.description.joint, undefined)
            self._descriptions[undefined] = None if joint is None else self._describe(joint)
        return self._descriptions[undefined]

    def emit_first(self, assignment: Assignment) -> tuple[fx.GraphModule, fx.GraphModule]:
        """The pair of graph modules that AOTAutograd reads its own facts from: without assumption on cotangents."""
        if assignment.undefined:
            (sequence,) = store_all.candidates(self.description.graph, StrategyOptions())
            assignment = Assignment(lower(self.description.graph, sequence))
        self._first = emit(self.description, assignment.schedule)
        return self._first.forward, self._first.backward

    def variant(self, assignment: Assignment) -> Variant:
        """The compiled functions that follow an assignment, compiled on first use."""
        if assignment not in self._variants:
            description = self.description_without(assignment.undefined)
            assert description is not None
            pair = emit(description, assignment.schedule)
            self._variants[assignment] = Variant(
                assignment,
                self._compile(pair.forward, None),
                self._compile(pair.backward, None),
                pair.saved,
                pair.unchecked,
            )
        return self._variants[assignment]

    # What AOTAutograd calls

    def forward(self) -> Boxed:
        """The forward function: outputs, a ticket, and what the schedule of this call saves."""

        def forward(arguments: list[Any]) -> Any:
            with self.keeper.forward(self, arguments[: self._primals]) as call:
                results = call.variant.forward(arguments)
                ticket = torch.empty(0)
                call.admit(ticket, results[: self._outputs], results[self._outputs :])
            self._calls = {key: other for key, other in self._calls.items() if other.is_open}
            self._calls[_key(ticket)] = call
            return [*results[: self._outputs], ticket, *self._padded(call.variant, results[self._outputs :])]

        return boxed(forward)

    def backward(self) -> Boxed:
        """The backward function: finds its call by the ticket, and runs the backward of the same schedule."""

        def backward(arguments: list[Any]) -> Any:
            call = self._calls[_key(arguments.pop(0))]
            padding = self._padding(call.variant)
            del arguments[call.variant.saved : call.variant.saved + padding]
            self._refuse_retaining(arguments)
            with self.keeper.backward(call):
                self._take_cotangents(call, arguments)
                with gradients_of(call):
                    gradients = call.variant.backward(arguments)
            call.finish(gradients)
            return gradients

        return boxed(backward)

    def _padding(self, variant: Variant) -> int:
        """How many fewer unchecked values a variant saves than the first pair, by which AOTAutograd counts them."""
        assert self._first is not None
        return max(0, self._first.unchecked - variant.unchecked)

    def _padded(self, variant: Variant, saved: list[Any]) -> list[Any]:
        return [*saved, *(torch.empty(0) for _ in range(self._padding(variant)))]

    def _take_cotangents(self, call: Call, arguments: list[Any]) -> None:
        """Make zeros for the undefined cotangents that the schedule reads; refuse one that it does without."""
        first = call.variant.saved
        call.undefined = frozenset(i for i, cotangent in enumerate(arguments[first:]) if cotangent is None)
        unexpected = call.variant.assignment.undefined - call.undefined
        if unexpected:
            arguments.clear()
            self.keeper.undefined_came(self)
            raise CaptureError(
                f"the gradient of output {min(unexpected)} of a budgeted module was not asked for in earlier steps, "
                "or is not when there is a loss beside it, so that this step was planned without; run the step again, "
                "from its forward: it is now planned with that gradient"
            )
        for position in call.undefined - call.variant.assignment.undefined:
            value = self.description.joint.tangents[position].meta["val"]
            zeros = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device).zero_()
            arguments[first + position] = zeros

    def _refuse_retaining(self, arguments: list[Any]) -> None:
        if not self.options.retain_graph and torch._C._autograd._get_current_graph_task_keep_graph():
            arguments.clear()
            raise CaptureError(
                "backward(retain_graph=True) or create_graph=True on a budgeted module: the saved values would "
                "stay live and break the budget; ask for budgeted(..., retain_graph=True), which plans for it. "
                "Second derivatives are not supported by captured graphs: take them of the unbudgeted module"
            )


def _key(ticket: torch.Tensor) -> int:
    return ticket.untyped_storage()._cdata
