"""What is live around the captured graphs of a step: read once from the allocator, to plan the next steps by."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from retrograde.runtime.meters.measurement import follow_allocations
from retrograde.runtime.meters.torch_cpu import cpu_allocations, quiet_profiler

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

    def stop(self) -> Sequence[Stretch]:
        """End, and tell the stretches before each event and after the last."""
        ...

    def abandon(self) -> None:
        """End, if it has not ended."""
        ...


def start_recorder(device: torch.device) -> Recorder | None:
    """Begin to follow a step on a device; None while that is not possible: a profiler or a backward runs."""
    if device.type == "cuda":
        return CudaRecorder(device)
    waiting = list(_unended)
    _unended.clear()
    for recorder in waiting:
        recorder.abandon()
    if torch._C._autograd._profiler_enabled() or within_backward():
        return None
    return ProfilerRecorder()


class ProfilerRecorder:
    """Follows a step on the CPU through PyTorch's profiler, which tells of every allocation in its thread."""

    def __init__(self) -> None:
        self._events = 0
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

    def stop(self) -> Sequence[Stretch]:
        """End, and tell the stretches before each event and after the last."""
        self.abandon()
        if self._is_running:
            return ()
        tree: Any = self._profiler.kineto_results.experimental_event_tree()  # type: ignore[union-attr]
        timeline = follow_allocations(cpu_allocations(tree)).timeline
        return _stretches(timeline, _marked(tree))

    def abandon(self) -> None:
        """End, if it has not ended: now, or where that is not possible, before the next recording."""
        if self._is_running and (within_backward() or threading.get_ident() != self._thread):
            _unended.append(self)
        elif self._is_running:
            self._is_running = False
            self._profiler.__exit__(None, None, None)
            self._quiet.__exit__(None, None, None)


class CudaRecorder:
    """Follows a step on a CUDA device through the counters of its allocator."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stretches: list[Stretch] = []
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

    def stop(self) -> Sequence[Stretch]:
        """End, and tell the stretches before each event and after the last."""
        self._close()
        return self._stretches

    def abandon(self) -> None:
        """The counters need no end."""

    def _close(self) -> None:
        peak = torch.cuda.max_memory_allocated(self._device) - self._begin
        self._stretches.append(Stretch(peak, torch.cuda.memory_allocated(self._device) - self._begin))


def _marked(tree: Sequence[Any]) -> list[tuple[float, float]]:
    """Begin and end in seconds of each event, in the order of their numbers."""
    found: dict[int, tuple[float, float]] = {}
    waiting = list(tree)
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        name = str(node.name)
        if name.startswith(_MARK):
            found[int(name[len(_MARK) :])] = (node.start_time_ns * 1e-9, node.end_time_ns * 1e-9)
    return [found[number] for number in sorted(found)]


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
