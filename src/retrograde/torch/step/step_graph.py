"""A step of several captured graphs as one ``Graph``, and its plan taken apart again, call by call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import fx

from retrograde.errors import PlanError
from retrograde.graph import Graph, Operation, Storage, Value
from retrograde.planning import Action, Compute, Free, Load, Plan, Schedule, Spill
from retrograde.torch.capture.describe import Description
from retrograde.torch.step.shape import Event, Outside, Phase, StepShape


@dataclass(frozen=True)
class Part:
    """Where a call's operations, values and storages begin in the graph of the step, and its two segments."""

    description: Description
    first_operation: int
    first_value: int
    first_storage: int
    forward: int
    backward: int


@dataclass(frozen=True, eq=False)
class StepGraph:
    """The graph of a step.

    Every event is a segment, and so is every stretch of the user's own code between two events. In a stretch stands
    one operation without cost that reads the outputs that are held there; what else is live there is fixed demand.

    Attributes:
        graph: what the step costs.
        parts: for each call its place in the graph.
        undefined: for each call the positions of the cotangents that its part does without.
        operation_nodes: for each operation the node that computes it; None for a stretch of the user's own code.
    """

    graph: Graph
    parts: tuple[Part, ...]
    undefined: tuple[frozenset[int], ...]
    operation_nodes: tuple[fx.Node | None, ...]

    def at_sizes(self, bindings: Sequence[Mapping[Any, int]]) -> Graph:
        """The graph with the bytes that its storages have at other sizes, given for each call."""
        storages: list[Storage] = []
        for part, binding in zip(self.parts, bindings, strict=True):
            storages.extend(part.description.storages_at(binding))
        storages.extend(self.graph.storages[len(storages) :])
        return self.graph.with_storages(storages)

    def schedules(self, plan: Plan) -> list[Schedule]:
        """For each call the schedule that a plan of the step gives it.

        Raises:
            PlanError: the plan runs an operation of a call while another graph or the user's code runs.
        """
        before: list[list[Action]] = [[] for _ in self.parts]
        after: list[list[Action]] = [[] for _ in self.parts]
        for segment in range(len(plan.segments)):
            is_handed_over = False
            for action in plan.segment_actions(segment):
                call = self._call_of(action)
                if call is None:
                    is_handed_over = True
                    continue
                part = self.parts[call]
                self._check_place(part, segment, action)
                # Once outputs are handed over they are the caller's to hold.
                is_letting_go = is_handed_over and isinstance(action, Free)
                if is_letting_go and segment == part.backward:
                    continue
                is_late = segment > part.forward or is_letting_go
                (after if is_late else before)[call].append(_translated(part, action))
        return [Schedule((*b, *a), (0, len(b))) for b, a in zip(before, after, strict=True)]

    def busiest_stretch(self) -> str:
        """Where the user's own code holds most, in words."""
        fixed = self.graph.fixed_bytes
        segment = fixed.index(max(fixed))
        names = {p.forward: f"the forward of call {i + 1}" for i, p in enumerate(self.parts)}
        names |= {p.backward: f"the backward of call {i + 1}" for i, p in enumerate(self.parts)}
        if segment % 2 == 0:
            return f"during {names[segment]}"
        after = names.get(segment + 1)
        return f"between {names[segment - 1]} and {after}" if after else f"after {names[segment - 1]}"

    def _call_of(self, action: Action) -> int | None:
        """The call that an action belongs to; None for a stretch of the user's own code."""
        if isinstance(action, Compute):
            if self.operation_nodes[action.operation] is None:
                return None
            return max(i for i, part in enumerate(self.parts) if part.first_operation <= action.operation)
        return max(i for i, part in enumerate(self.parts) if part.first_storage <= action.storage)

    def _check_place(self, part: Part, segment: int, action: Action) -> None:
        if not isinstance(action, Free) and segment not in (part.forward, part.backward):
            raise PlanError(f"the plan of a step has {action} in segment {segment}, where its graph does not run")


def _translated(part: Part, action: Action) -> Action:
    """An action of the step as one of the call's own graph."""
    if isinstance(action, Compute):
        pairs = tuple((made - part.first_value, read - part.first_value) for made, read in action.overwrites)
        return replace(action, operation=action.operation - part.first_operation, overwrites=pairs)
    kinds: dict[type[Action], type[Free] | type[Spill] | type[Load]] = {Free: Free, Spill: Spill, Load: Load}
    return kinds[type(action)](action.storage - part.first_storage)


def combine(shape: StepShape, outside: Outside, optimizer_bytes: int = 0, *, name: str = "") -> StepGraph:
    """The graph of a step.

    Args:
        shape: the captured graphs that are called, and the order of events.
        outside: what the user's own code holds meanwhile.
        optimizer_bytes: the most that the optimizer's step takes afterwards, beside the gradients.
        name: for people.
    """
    return _Combiner(shape, outside.with_afterwards(optimizer_bytes)).combine(name)


class _Combiner:
    def __init__(self, shape: StepShape, outside: Outside) -> None:
        self.shape = shape
        self.outside = outside
        self.operations: list[Operation] = []
        self.nodes: list[fx.Node | None] = []
        self.values: list[Value] = []
        self.storages: list[Storage] = []
        self.outputs: list[int] = []
        self.undefined: list[frozenset[int]] = []
        self.parts = [self._add_call(call) for call in range(len(shape.graphs))]

    def combine(self, name: str) -> StepGraph:
        for segment in range(2 * len(self.shape.events)):
            self._hand_over(segment)
        self._pin_what_is_held()
        by_segment = sorted(range(len(self.operations)), key=lambda i: self.operations[i].segment)
        graph = Graph(
            operations=tuple(self.operations),
            values=tuple(self.values),
            storages=tuple(self.storages),
            order=tuple(by_segment),
            outputs=tuple(self.outputs),
            fixed_bytes=tuple(self._fixed_bytes()),
            retain=any(part.description.graph.retain for part in self.parts),
            name=name,
        )
        return StepGraph(graph, tuple(self.parts), tuple(self.undefined), tuple(self.nodes))

    def _segment(self, call: int, phase: Phase) -> int:
        return 2 * self.shape.events.index(Event(call, phase))

    def _add_call(self, call: int) -> Part:
        captured = self.shape.graphs[call]
        undefined = self.shape.undefined[call]
        self.undefined.append(undefined if captured.can_do_without(undefined) else frozenset())
        description = captured.description(self.shape.sizes[call], undefined)
        part = Part(
            description,
            len(self.operations),
            len(self.values),
            len(self.storages),
            self._segment(call, "forward"),
            self._segment(call, "backward"),
        )
        segments = (part.forward, part.backward)
        for operation, node in zip(description.graph.operations, description.operation_nodes, strict=True):
            self.operations.append(_shifted(operation, part.first_value, segments))
            self.nodes.append(node)
        for value in description.graph.values:
            arrival = value.available_from
            since = segments[1] if arrival else arrival
            self.values.append(replace(value, storage=value.storage + part.first_storage, available_from=since))
        self.storages.extend(description.graph.storages)
        return part

    def _hand_over(self, segment: int) -> None:
        """At the end of an event its outputs are there together; in a stretch, those that the user holds."""
        event = segment // 2
        held = self._held_at(event + 1) if segment % 2 else [*self._given_by(event), *self._held_during(event)]
        if held:
            self.nodes.append(None)
            name = "your own code" if segment % 2 else "outputs are handed over"
            # A result that is due when the segment ends: an operation that gives nothing may be put off to the end.
            done = len(self.values)
            self.values.append(Value(len(self.storages), name=name))
            self.storages.append(Storage(0, name))
            self.outputs.append(done)
            self.operations.append(
                Operation(name, 0.0, tuple(dict.fromkeys(held)), (done,), segment=segment, recomputable=False)
            )

    def _pin_what_is_held(self) -> None:
        """What the user holds while another graph runs cannot be dropped meanwhile, so it is not made again."""
        at_events = [*self.outside.held_outputs[: len(self.shape.events)], self.outside.kept_outputs]
        pinned = {
            self.values[self._output(call, position)].storage
            for event, held in enumerate(at_events)
            for call, position in held
            if event > self.shape.events.index(Event(call, "forward")) + 1
        }
        for index, operation in enumerate(self.operations):
            made = {self.values[value].storage for value in operation.makes}
            if made & pinned:
                # The first operation in a storage allocates it; the others make views.
                pinned -= made
                self.operations[index] = replace(operation, recomputable=False)

    def _held_at(self, event: int) -> list[int]:
        """The forward outputs that the user holds when an event begins; at the end those of the whole step."""
        if event < len(self.shape.events):
            return [self._output(call, position) for call, position in sorted(self.outside.held_outputs[event])]
        kept = [self._output(call, position) for call, position in sorted(self.outside.kept_outputs)]
        self.outputs.extend(v for v in kept if self.values[v].available_from is None)
        return kept

    def _held_during(self, event: int) -> list[int]:
        """The outputs of other calls that are held when an event begins: what it saved itself is among them."""
        here = self.shape.events[event].call
        return [self._output(call, p) for call, p in sorted(self.outside.held_outputs[event]) if call != here]

    def _given_by(self, event: int) -> list[int]:
        call, phase = self.shape.events[event].call, self.shape.events[event].phase
        part = self.parts[call]
        joint = part.description.joint
        nodes = joint.forward_outputs if phase == "forward" else joint.backward_outputs
        values = [
            part.description.node_values[node] + part.first_value
            for node in nodes
            if isinstance(node, fx.Node) and node in part.description.node_values
        ]
        if phase == "backward":
            self.outputs.extend(v for v in self._lasting_gradients(call) if self.values[v].available_from is None)
        return values

    def _lasting_gradients(self, call: int) -> Iterator[int]:
        """Gradients of parameters, which stay in ``.grad``; a later call adds its own to them and drops it."""
        part = self.parts[call]
        for position, parameter in self.shape.parameters[call]:
            node = part.description.joint.backward_outputs[position]
            if isinstance(node, fx.Node) and self._first_user(parameter) == call:
                yield part.description.node_values[node] + part.first_value

    def _first_user(self, parameter: int) -> int:
        """The call whose backward makes the first gradient of a parameter."""
        return next(
            event.call
            for event in self.shape.events
            if event.phase == "backward" and parameter in dict(self.shape.parameters[event.call]).values()
        )

    def _output(self, call: int, position: int) -> int:
        part = self.parts[call]
        return part.description.node_values[part.description.joint.forward_outputs[position]] + part.first_value

    def _fixed_bytes(self) -> Iterator[int]:
        for position in range(len(self.shape.events)):
            yield self.outside.during[position]
            yield self.outside.between[position + 1]


def _shifted(operation: Operation, first_value: int, segments: tuple[int, int]) -> Operation:
    """A call's operation in the graph of the step."""
    return replace(
        operation,
        reads=tuple(v + first_value for v in operation.reads),
        makes=tuple(v + first_value for v in operation.makes),
        may_overwrite=tuple((made + first_value, read + first_value) for made, read in operation.may_overwrite),
        segment=segments[operation.segment],
    )
