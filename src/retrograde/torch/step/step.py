"""One step under way: its calls, its events, and the plan that they follow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from retrograde.errors import BudgetError
from retrograde.graph.units import format_bytes
from retrograde.torch.step.book import Arrival, Leaves, StepPlan
from retrograde.torch.step.call import Call
from retrograde.torch.step.recorder import Recorder, Stretch
from retrograde.torch.step.shape import Event, Outside, Phase, StepShape

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import Assignment


class Step:
    """A step under way.

    Args:
        followed: the plan that it follows, or None while no plan fits.
        recorder: follows what the user's own code allocates, or None.
    """

    def __init__(self, followed: StepPlan | None, recorder: Recorder | None) -> None:
        self.followed = followed
        self.departed = False
        self.outside_bytes = 0
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.recorder = recorder
        self._recorded: Recorder | None = None
        self._numbers: dict[int, int] = {}
        self._parameters: list[tuple[tuple[int, int], ...]] = []
        self._ours: list[int] = []
        self._held: list[frozenset[tuple[int, int]]] = []

    @property
    def is_over(self) -> bool:
        """Whether no call of it waits for its backward."""
        return not any(call.is_open for call in self.calls)

    @property
    def shape(self) -> StepShape:
        """Its shape so far."""
        return StepShape(
            tuple(call.captured for call in self.calls),
            tuple(self._parameters),
            tuple(call.undefined for call in self.calls),
            tuple(call.sizes for call in self.calls),
            tuple(self.events),
        )

    def held_bytes(self) -> int:
        """Bytes that its calls gave out or save, and what its plan counts for the user's own code if it has left it."""
        return sum(call.held_bytes() for call in self.calls) + self.outside_bytes

    def check_room(self, budget_bytes: int | None, gradient_bytes: int, peak_bytes: int) -> None:
        """Raise unless the backwards of the open calls fit, one after the other, beside the gradients of later ones.

        Args:
            budget_bytes: the budget, or None if it is a percentage of what is not known yet.
            gradient_bytes: gradients that the call about to run will give for parameters.
            peak_bytes: the most that it takes by itself.

        Raises:
            BudgetError: they do not.
        """
        demand = self.held_bytes() + peak_bytes
        later = gradient_bytes
        for call in reversed([c for c in self.calls if c.is_open]):
            earlier = sum(c.waiting_bytes() for c in self.calls[: call.index])
            demand = max(demand, self.outside_bytes + earlier + call.peak_bytes + later)
            later += call.expected_gradient_bytes()
        if budget_bytes is not None and demand > budget_bytes:
            raise BudgetError(
                f"the backward passes of the step's {len(self.calls) + 1} calls need {demand} bytes "
                f"({format_bytes(demand)}), the budget is {budget_bytes}",
                budget_bytes=budget_bytes,
                minimum_bytes=demand,
                bound_bytes=0,
            )

    def check_backward(self, call: Call, budget_bytes: int | None) -> None:
        """Raise unless the backward of a call fits beside what the others hold, where no plan says that it does.

        Raises:
            BudgetError: it does not.
        """
        coming = replace(self.shape, events=(*self.events, Event(call.index, "backward")))
        is_followed = self.followed is not None and self.followed.shape.begins_with(coming)
        others = [other for other in self.calls if other is not call]
        if budget_bytes is None or is_followed or not others:
            return
        self.depart()
        held_bytes = sum(other.held_bytes() + other.gradient_bytes() for other in others) + self.outside_bytes
        demand = held_bytes + call.peak_bytes
        if demand > budget_bytes:
            raise BudgetError(
                f"the backward of call {call.index + 1} of a step needs {format_bytes(call.peak_bytes)} beside the "
                f"{format_bytes(held_bytes)} that its other calls hold, {demand} bytes together, and the budget is "
                f"{budget_bytes}; run the backwards of a step in the reverse order of its calls, or one after each "
                f"call, or ask for {demand} bytes",
                budget_bytes=budget_bytes,
                minimum_bytes=demand,
                bound_bytes=0,
            )

    def expected(self, arrival: Arrival) -> Assignment | None:
        """What the next call follows, or None if the step is not what its plan is for."""
        if self.followed is None:
            return None
        shape, call = self.shape, len(self.calls)
        coming = StepShape(
            (*shape.graphs, arrival.captured),
            (*shape.parameters, self._numbered(arrival.leaves)),
            shape.undefined,
            (*shape.sizes, arrival.sizes),
            (*shape.events, Event(call, "forward")),
        )
        is_followed = self.followed.shape.begins_with(coming) and self.followed.serves(coming.sizes)
        return self.followed.assignments[call] if is_followed else None

    def single_call(self, arrival: Arrival) -> StepShape:
        """The shape of a step that calls one graph once."""
        events = (Event(0, "forward"), Event(0, "backward"))
        numbered = self._numbered(arrival.leaves)
        return StepShape((arrival.captured,), (numbered,), (frozenset(),), (arrival.sizes,), events)

    def depart(self) -> None:
        """The step is not what its plan is for: from here on each call is planned by itself."""
        if self.followed is not None:
            self.departed = True
            self.outside_bytes = max(self.followed.described.graph.fixed_bytes, default=0)
            self.followed = None

    def admit(self, call: Call, leaves: Leaves) -> None:
        """Take in a call."""
        self.calls.append(call)
        self._parameters.append(self._numbered(leaves))

    def withdraw(self, call: Call) -> None:
        """Take back a call whose forward failed, with its event."""
        if self.calls and self.calls[-1] is call:
            self.calls.pop()
            self._parameters.pop()
            self.depart()
            if self.events and self.events[-1] == Event(call.index, "forward"):
                self.events.pop()

    @contextlib.contextmanager
    def event(self, call: Call, phase: Phase) -> Iterator[None]:
        """A captured graph runs; a second backward of one call is taken for the user's own code."""
        event = Event(call.index, phase)
        if event in self.events:
            yield
            return
        self.events.append(event)
        if self.followed is not None and not self.followed.shape.begins_with(self.shape):
            self.depart()
        if self.recorder is None:
            yield
            return
        self._take_stock()
        with self.recorder.event():
            yield

    def stop_recording(self) -> None:
        """End the recording; the step's last stretch ends here."""
        if self.recorder is not None:
            self._recorded, self.recorder = self.recorder, None
            self._take_stock()
            self._recorded.stop()

    def backward_ended(self) -> bool:
        """The user's ``backward`` returned: whether that ended the step, and with it the recording."""
        if self.is_over:
            self.stop_recording()
        return self.recorder is None

    def abandon_recording(self) -> None:
        """Somebody else needs the profiler."""
        if self.recorder is not None:
            self.stop_recording()
            self._recorded = None

    @property
    def stretches(self) -> Sequence[Stretch]:
        """What was recorded around its events; nothing if it was not, or not to the end."""
        return self._recorded.stretches() if self._recorded is not None else ()

    def outside(self) -> Outside | None:
        """What the user's own code held, if the step was recorded from beginning to end."""
        stretches = self.stretches
        if len(stretches) != len(self.events) + 1 or len(self._held) != len(stretches):
            return None
        arriving = [*(self._arriving_bytes(event) for event in self.events), 0]
        around = list(zip(stretches, self._ours, arriving, strict=True))
        return Outside(
            during=tuple(max(0, stretch.end_bytes - ours - handed) for stretch, ours, handed in around[:-1]),
            between=tuple(max(0, stretch.peak_bytes - ours) for stretch, ours, _ in around),
            held_outputs=tuple(self._held[:-1]),
            kept_outputs=self._held[-1],
        )

    def _arriving_bytes(self, event: Event) -> int:
        """Bytes of the cotangents that a backward is handed, which its graph counts itself."""
        if event.phase == "forward":
            return 0
        call = self.calls[event.call]
        graph = call.captured.description(call.sizes, call.undefined).graph
        return sum(s.bytes for s, arrival in zip(graph.storages, graph.arrivals, strict=True) if arrival)

    def _take_stock(self) -> None:
        """Note what of the live bytes belongs to captured graphs."""
        held = {(c.index, p): size for c in self.calls for p, size in c.live_outputs().items()}
        gradients = sum(call.gradient_bytes() for call in self.calls)
        self._ours.append(sum(call.residual_bytes() for call in self.calls) + sum(held.values()) + gradients)
        self._held.append(frozenset(held))

    def _numbered(self, leaves: Leaves) -> tuple[tuple[int, int], ...]:
        return tuple((position, self._numbers.setdefault(key, len(self._numbers))) for position, key in leaves)
