"""The shape of a step: which captured graphs are called, and in which order forwards and backwards come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import CapturedGraph

Phase = Literal["forward", "backward"]


@dataclass(frozen=True)
class Event:
    """A captured graph runs.

    Attributes:
        call: number of the call among the step's calls.
        phase: which of its two functions runs.

    Read ``Event(0, "backward")`` aloud as "the backward of the first call".
    """

    call: int
    phase: Phase


@dataclass(frozen=True)
class StepShape:
    """The captured graphs that a step calls, and its events in order.

    Attributes:
        graphs: for each call its captured graph.
        parameters: for each call the inputs that accumulate a gradient: position among its inputs, and a number that
            stands for the parameter throughout the step.
        undefined: for each call the positions of the cotangents that did not come.
        sizes: for each call its sizes that change from call to call.
        events: forwards and backwards as they came.
    """

    graphs: tuple[CapturedGraph, ...]
    parameters: tuple[tuple[tuple[int, int], ...], ...]
    undefined: tuple[frozenset[int], ...]
    sizes: tuple[tuple[int, ...], ...]
    events: tuple[Event, ...]

    def begins_with(self, other: StepShape) -> bool:
        """Whether a step that has come as far as another shape says may be of this one, but for sizes."""
        calls, events = len(other.graphs), len(other.events)
        return (
            self.graphs[:calls] == other.graphs
            and self.parameters[:calls] == other.parameters
            and self.events[:events] == other.events
        )

    def covers(self, sizes: Sequence[tuple[int, ...]]) -> bool:
        """Whether no size of the calls so far is larger than here."""
        pairs = zip(self.sizes, sizes, strict=False)
        return all(theirs <= ours for large, small in pairs for ours, theirs in zip(large, small, strict=True))

    def with_every_backward(self) -> StepShape:
        """The same, with the backward of a call that had none at the end: one that was left out may come later."""
        missing = [Event(call, "backward") for call in range(len(self.graphs))]
        return replace(self, events=(*self.events, *(e for e in missing if e not in self.events)))

    @property
    def has_backward(self) -> bool:
        """Whether any backward runs; a step without one has nothing to plan."""
        return any(event.phase == "backward" for event in self.events)


@dataclass(frozen=True)
class Outside:
    """What the user's own code holds around the captured graphs of a step.

    Attributes:
        during: for each event the bytes that are live throughout it and belong to no captured graph.
        between: for each event the most such bytes in the stretch before it, and at last those after the last event.
        held_outputs: for each event the forward outputs, as (call, position), that are held when it begins.
        kept_outputs: those that are held when the step ends.
    """

    during: tuple[int, ...]
    between: tuple[int, ...]
    held_outputs: tuple[frozenset[tuple[int, int]], ...]
    kept_outputs: frozenset[tuple[int, int]]

    def with_events(self, count: int) -> Outside:
        """The same for a step that may have more events at its end; what was live last is taken to stay."""
        more = count - len(self.during)
        return Outside(
            (*self.during, *[self.between[-1]] * more),
            (*self.between, *[self.between[-1]] * more),
            (*self.held_outputs, *[self.kept_outputs] * more),
            self.kept_outputs,
        )

    def with_afterwards(self, more_bytes: int) -> Outside:
        """The same with more bytes after the last event."""
        return replace(self, between=(*self.between[:-1], self.between[-1] + more_bytes))
