"""A captured graph at run time: one autograd function of AOTAutograd's, many plans behind it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
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
from retrograde.torch.capture.joint import JointGraph, is_size
from retrograde.torch.capture.sizes import at_sizes, evaluate, hinted_sizes, size_inputs
from retrograde.torch.capture.undefined import without_cotangents
from retrograde.torch.emission.accumulation import gradients_of
from retrograde.torch.emission.boxed import Boxed, boxed
from retrograde.torch.emission.compilers import Compiler
from retrograde.torch.emission.emit import EmittedPair, emit
from retrograde.torch.emission.media import spiller_for
from retrograde.torch.optimizer_demand import optimizer_stage
from retrograde.torch.options import Options

if TYPE_CHECKING:
    from retrograde.torch.step.call import Call
    from retrograde.torch.step.keeper import StepKeeper

Sizes = tuple[int, ...]
"""The sizes of a call that change from call to call; empty for a graph of fixed sizes."""

MOST_DESCRIPTIONS = 16
"""Sizes at which a graph's description is remembered."""

MOST_VARIANTS = 64
"""Schedules that a graph stays compiled for."""


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
        joint: the joint graph.
        options: what the user asked for.
        keeper: decides which schedule a call follows.
        code: makes graph modules callable.
        describe: describes a joint graph of fixed sizes.

    Attributes:
        first_sizes: the sizes of the call that it was traced for.
    """

    def __init__(
        self,
        joint: JointGraph,
        options: Options,
        keeper: StepKeeper,
        code: Compiler,
        describe: Callable[[JointGraph], Description],
    ) -> None:
        self.joint = joint
        self.options = options
        self.keeper = keeper
        self._size_inputs = size_inputs(joint)
        self.first_sizes = hinted_sizes(joint, self._size_inputs)
        self._spiller = spiller_for(options, options.spill_folder, options.spill_bytes)
        self.code = code
        self._stage = optimizer_stage(options)
        self._describe = describe
        self._joints: dict[frozenset[int], JointGraph | None] = {frozenset(): joint}
        self._descriptions: OrderedDict[tuple[frozenset[int], Sizes], Description] = OrderedDict()
        self._variants: OrderedDict[Assignment, Variant] = OrderedDict()
        self._first: EmittedPair | None = None
        self._outputs = len(joint.forward_outputs)
        self._primals = len(joint.primals)
        self._calls: dict[int, Call] = {}

    def sizes_of(self, arguments: Sequence[Any]) -> Sizes:
        """The sizes that change from call to call, out of what the graph is called with."""
        return tuple(int(arguments[i.position]) for i in self._size_inputs)

    def binding(self, sizes: Sizes) -> dict[Any, int]:
        """The symbols of the graph with their sizes."""
        return {i.symbol: size for i, size in zip(self._size_inputs, sizes, strict=True)}

    def describe_anew(self) -> bool:
        """Forget the descriptions if the optimizer's next step takes other bytes than they say; whether it does."""
        stage = optimizer_stage(self.options)
        if stage == self._stage:
            return False
        self._stage = stage
        self._descriptions.clear()
        return True

    def can_do_without(self, undefined: frozenset[int]) -> bool:
        """Whether a step can be planned in which some cotangents are undefined."""
        if undefined not in self._joints:
            self._joints[undefined] = without_cotangents(self.joint, undefined)
        return self._joints[undefined] is not None

    def description(self, sizes: Sizes, undefined: frozenset[int] = frozenset()) -> Description:
        """The graph described at some sizes, for steps in which some cotangents are undefined if it can do without."""
        if not self.can_do_without(undefined):
            undefined = frozenset()
        key = (undefined, sizes)
        if key not in self._descriptions:
            joint = self._joints[undefined]
            assert joint is not None
            self._descriptions[key] = self._describe(at_sizes(joint, self._size_inputs, sizes))
            _bound(self._descriptions, MOST_DESCRIPTIONS)
        self._descriptions.move_to_end(key)
        return self._descriptions[key]

    @property
    def device(self) -> torch.device:
        """The device of its first tensor."""
        values = (node.meta.get("val") for node in self.joint.primals)
        return next((v.device for v in values if isinstance(v, torch.Tensor)), torch.device("cpu"))

    @property
    def collectives(self) -> tuple[str, ...]:
        """Its operations that talk to other ranks, in order, in words that are the same on all of them."""
        return collective_names(self.joint.operations)

    @property
    def is_closed(self) -> bool:
        """Whether its only differentiable outputs are scalars: a loss, on which backward is called at once."""
        return all(getattr(node.meta.get("val"), "ndim", 1) == 0 for node in self.joint.tangents)

    @property
    def beside_a_loss(self) -> frozenset[int]:
        """Positions of the differentiable outputs beside a scalar one; none if there is no scalar one."""
        scalar = [getattr(node.meta.get("val"), "ndim", 1) == 0 for node in self.joint.tangents]
        return frozenset(i for i, is_scalar in enumerate(scalar) if not is_scalar) if any(scalar) else frozenset()

    def emit_first(self, assignment: Assignment, sizes: Sizes) -> tuple[fx.GraphModule, fx.GraphModule]:
        """The pair of graph modules that AOTAutograd reads its own facts from: without assumption on cotangents."""
        description = self.description(sizes)
        schedule = assignment.schedule
        if assignment.undefined:
            (sequence,) = store_all.candidates(description.graph, StrategyOptions())
            schedule = lower(description.graph, sequence)
        self._first = emit(description, schedule, self._spiller, functional=self.code.functional)
        return self._first.forward, self._first.backward

    def variant(self, assignment: Assignment, sizes: Sizes) -> Variant:
        """The compiled functions that follow an assignment, compiled on first use; they serve other sizes too."""
        if assignment not in self._variants:
            description = self.description(sizes, assignment.undefined)
            pair = emit(description, assignment.schedule, self._spiller, functional=self.code.functional)
            compiled = self.code.compile_pair(pair, self._outputs)
            self._variants[assignment] = Variant(assignment, *compiled, pair.saved, pair.unchecked)
            _bound(self._variants, MOST_VARIANTS)
        self._variants.move_to_end(assignment)
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
            border = self._outputs + call.variant.saved
            padding = [torch.empty(0) for _ in range(self._padding(call.variant))]
            return [*results[: self._outputs], ticket, *results[self._outputs : border], *padding, *results[border:]]

        return boxed(forward)

    def backward(self) -> Boxed:
        """The backward function: finds its call by the ticket, and runs the backward of the same schedule."""

        sizes = sum(map(is_size, self.joint.primals))

        def backward(arguments: list[Any]) -> Any:
            call = self._calls[_key(arguments.pop(sizes))]
            cotangents = sizes + call.variant.saved
            del arguments[cotangents : cotangents + self._padding(call.variant)]
            self._refuse_retaining(arguments)
            with self.keeper.backward(call):
                self._take_cotangents(call, arguments, cotangents)
                with gradients_of(call):
                    gradients = call.variant.backward(arguments)
            call.finish(gradients)
            return gradients

        return boxed(backward)

    def _padding(self, variant: Variant) -> int:
        """How many fewer unchecked values a variant saves than the first pair, by which AOTAutograd counts them."""
        assert self._first is not None
        return max(0, self._first.unchecked - variant.unchecked)

    def _take_cotangents(self, call: Call, arguments: list[Any], first: int) -> None:
        """Make zeros for the undefined cotangents that the schedule reads; refuse one that it does without."""
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
            value = self.joint.tangents[position].meta["val"]
            binding = self.binding(call.sizes)
            shape, stride = ([evaluate(e, binding) for e in extents] for extents in (value.shape, value.stride()))
            zeros = torch.empty_strided(shape, stride, dtype=value.dtype, device=value.device).zero_()
            arguments[first + position] = zeros

    def _refuse_retaining(self, arguments: list[Any]) -> None:
        if not self.options.retain_graph and torch._C._autograd._get_current_graph_task_keep_graph():
            arguments.clear()
            raise CaptureError(
                "backward(retain_graph=True) or create_graph=True on a budgeted module: the saved values would "
                "stay live and break the budget; ask for budgeted(..., retain_graph=True), which plans for it. "
                "Second derivatives are not supported by captured graphs: take them of the unbudgeted module"
            )


def _bound(cache: OrderedDict[Any, Any], most: int) -> None:
    while len(cache) > most:
        cache.popitem(last=False)


def _key(ticket: torch.Tensor) -> int:
    return ticket.untyped_storage()._cdata
