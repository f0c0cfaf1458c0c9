"""What is live around the captured graphs of a step: read once from the allocator, to plan the next steps by."""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from retrograde.runtime.meters.measurement import follow_allocations
from retrograde.runtime.meters.torch_cpu import after_measuring, cpu_allocations, is_measuring, quiet_profiler

_unended: list[ProfilerRecorder] = []

_MARK = "retrograde event "


def within_backward() -> bool:
    """Whether autograd runs in this thread: it has profiler settings of its own, so what was begun outside stays on."""
    return torch._C._current_graph_task_id() != -1


@dataclass(frozen=True)
class Stretch:
    """Live bytes, counted from the beginning of the step, while the user's own code runs.

    Attributes:
        peak_bytes: the most that were live.
        end_bytes: what is live when it ends, which is where the next captured graph begins.
    """

    peak_bytes: int
    end_bytes: int


class Recorder(Protocol):
    """Follows one step."""

    def event(self) -> contextlib.AbstractContextManager[None]:
        """Mark that a captured graph runs."""
        ...

    def stop(self) -> None:
        """The step is over."""
        ...

    def stretches(self) -> Sequence[Stretch]:
        """The stretches before each event and after the last; none if they could not be followed."""
        ...

    def abandon(self) -> None:
        """End, if it has not ended."""
        ...


def start_recorder(device: torch.device) -> Recorder | None:
    """Begin to follow a step on a device; None while that is not possible: somebody's profiler or a backward runs."""
    if device.type == "cuda":
        return CudaRecorder(device)
    if within_backward():
        return None
    if is_measuring():
        return MeterRecorder()
    waiting = list(_unended)
    _unended.clear()
    for recorder in waiting:
        recorder.abandon()
    if torch._C._autograd._profiler_enabled():
        return None
    return ProfilerRecorder()


class ProfilerRecorder:
    """Follows a step on the CPU through PyTorch's profiler, which tells of every allocation in its thread."""

    def __init__(self) -> None:
        self._events = 0
        self._found: Sequence[Stretch] = ()
        self._is_running = True
        self._thread = threading.get_ident()
        self._quiet = quiet_profiler()
        self._quiet.__enter__()
        self._profiler = torch.autograd.profiler.profile(profile_memory=True)
        self._profiler.__enter__()

    @contextlib.contextmanager
    def event(self) -> Iterator[None]:
        """Mark that a captured graph runs."""
        self._events += 1
        with torch.autograd.profiler.record_function(f"{_MARK}{self._events - 1}"):
            yield

    def stop(self) -> None:
        """The step is over."""
        self.abandon()
        if self._is_running:
            return
        tree: Any = self._profiler.kineto_results.experimental_event_tree()  # type: ignore[union-attr]
        self._found = _followed(tree, ())

    def stretches(self) -> Sequence[Stretch]:
        """The stretches before each event and after the last."""
        return self._found

    def abandon(self) -> None:
        """End, if it has not ended: now, or where that is not possible, before the next recording."""
        if self._is_running and (within_backward() or threading.get_ident() != self._thread):
            _unended.append(self)
        elif self._is_running:
            self._is_running = False
            self._profiler.__exit__(None, None, None)
            self._quiet.__exit__(None, None, None)


class MeterRecorder:
    """Follows a step that is being measured, through the events of the measurement."""

    def __init__(self) -> None:
        self._marks: list[str] = []
        self._end = ""
        self._found: Sequence[Stretch] = ()
        after_measuring(weakref.WeakMethod(self.listen))

    @contextlib.contextmanager
    def event(self) -> Iterator[None]:
        """Mark that a captured graph runs."""
        self._marks.append(f"{_MARK}{next(_numbers)}")
        with torch.autograd.profiler.record_function(self._marks[-1]):
            yield

    def stop(self) -> None:
        """The step is over; the measurement may still run, and what comes in it is not the step's."""
        if is_measuring():
            self._end = f"{_MARK}{next(_numbers)}"
            with torch.autograd.profiler.record_function(self._end):
                pass

    def listen(self, tree: Sequence[Any]) -> None:
        """Take the events of the measurement."""
        self._found = _followed(tree, self._marks, self._end)

    def stretches(self) -> Sequence[Stretch]:
        """The stretches before each event and after the last, once the measurement is over."""
        return self._found

    def abandon(self) -> None:
        """The measurement ends by itself."""


_numbers = itertools.count(1_000_000)


class CudaRecorder:
    """Follows a step on a CUDA device through the counters of its allocator."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._found: list[Stretch] = []
        self._begin = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)

    @contextlib.contextmanager
    def event(self) -> Iterator[None]:
        """Mark that a captured graph runs."""
        self._close()
        try:
            yield
        finally:
            torch.cuda.reset_peak_memory_stats(self._device)

    def stop(self) -> None:
        """The step is over."""
        self._close()

    def stretches(self) -> Sequence[Stretch]:
        """The stretches before each event and after the last."""
        return self._found

    def abandon(self) -> None:
        """The counters need no end."""

    def _close(self) -> None:
        peak = torch.cuda.max_memory_allocated(self._device) - self._begin
        self._found.append(Stretch(peak, torch.cuda.memory_allocated(self._device) - self._begin))


def _followed(tree: Sequence[Any], marks: Sequence[str], end: str = "") -> list[Stretch]:
    """The stretches around the marked events, live bytes counted from the first of them on, up to a mark at the end."""
    timeline = follow_allocations(cpu_allocations(tree)).timeline
    for seconds, _ in _marked(tree, [end]) if end else ():
        timeline = [entry for entry in timeline if entry[0] < seconds]
    events = _marked(tree, marks)
    begin = events[0][0] if events else 0.0
    before = next((live for seconds, live in reversed(timeline) if seconds < begin), 0) if marks else 0
    own = [(seconds, live - before) for seconds, live in timeline if not marks or seconds >= begin]
    return _stretches(own, events)


def _marked(tree: Sequence[Any], marks: Sequence[str]) -> list[tuple[float, float]]:
    """Begin and end in seconds of the events with some marks, or of all marked ones in their order if none is named."""
    found: dict[str, tuple[float, float]] = {}
    waiting = list(tree)
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        name = str(node.name)
        if name.startswith(_MARK):
            found[name] = (node.start_time_ns * 1e-9, node.end_time_ns * 1e-9)
    if marks:
        return [found[mark] for mark in marks if mark in found]
    return [found[name] for name in sorted(found, key=lambda name: int(name[len(_MARK) :]))]


def _stretches(timeline: Sequence[tuple[float, int]], events: Sequence[tuple[float, float]]) -> list[Stretch]:
    """The stretches before each event and after the last."""
    stretches: list[Stretch] = []
    position = live = 0
    for begin, end in [*events, (float("inf"), float("inf"))]:
        peak = live
        while position < len(timeline) and timeline[position][0] < begin:
            live = timeline[position][1]
            peak = max(peak, live)
            position += 1
        stretches.append(Stretch(peak, live))
        while position < len(timeline) and timeline[position][0] <= end:
            live = timeline[position][1]
            position += 1
    return stretches
