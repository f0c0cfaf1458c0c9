"""The real peak of a PyTorch step on a CUDA device, from the history of the caching allocator.

The walk over the events is tested on recorded traces; the recording itself has not run on hardware yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from retrograde.errors import RetrogradeError, UsageError
from retrograde.runtime.meters.measurement import AllocationEvent, Measurement, follow_allocations
from retrograde.runtime.meters.torch_cpu import import_torch


def measure_torch_cuda(step: Callable[[], object], device: object = None) -> Measurement:
    """Run a step once and read its real peak from the history of CUDA's caching allocator.

    A block counts from its allocation until it can be used again: one that waits for another stream is live.
    Sizes are those asked for, before the allocator rounds them up (to 512 bytes, usually).

    Args:
        step: called once, without arguments.
        device: the CUDA device, as ``torch.device`` takes it; the current one when left out.

    Raises:
        UsageError: there is no CUDA device.
        VersionError: PyTorch is not installed.
    """
    torch = import_torch()
    if not torch.cuda.is_available():
        raise UsageError(f'device {device!r} was asked for and PyTorch finds no CUDA device; measure with device="cpu"')
    index: int = torch.cuda._utils._get_device_index(device, optional=True)
    memory = torch.cuda.memory
    torch.cuda.synchronize(index)
    memory._record_memory_history(enabled="all", context=None, stacks="python", clear_history=True)
    try:
        step()
        torch.cuda.synchronize(index)
        trace = memory._snapshot(index)["device_traces"][index]
    finally:
        memory._record_memory_history(enabled=None)
    return follow_cuda_trace(trace, device=f"cuda:{index}")


def follow_cuda_trace(trace: Iterable[Mapping[str, Any]], *, device: str = "cuda") -> Measurement:
    """Live bytes over time from one device's trace entries, as ``torch.cuda.memory._snapshot`` gives them.

    Args:
        trace: entries with ``action``, ``addr``, ``size`` in bytes and ``time_us``, in order of time. Entries about
            segments (the allocator's own reserve) do not count.
        device: where they were recorded.

    Raises:
        RetrogradeError: the step ran out of memory, so that its peak was never reached.

    Example:
        >>> trace = [{"action": "alloc", "addr": 4096, "size": 512, "time_us": 10},
        ...          {"action": "free_requested", "addr": 4096, "size": 512, "time_us": 20},
        ...          {"action": "free_completed", "addr": 4096, "size": 512, "time_us": 30}]
        >>> follow_cuda_trace(trace).timeline
        ((0.0, 512), (2e-05, 0))
    """
    events: list[AllocationEvent] = []
    begin_microseconds: int | None = None
    for entry in trace:
        if begin_microseconds is None:
            begin_microseconds = entry.get("time_us", 0)
        if entry["action"] == "oom":
            raise RetrogradeError(
                f"the step asked {device} for {entry['size']} bytes and there was no room; "
                "its peak is not known, measure a smaller step"
            )
        sign = {"alloc": 1, "free_completed": -1}.get(entry["action"], 0)
        if sign:
            seconds = (entry.get("time_us", 0) - begin_microseconds) / 1e6
            events.append(AllocationEvent(seconds, entry["addr"], sign * entry["size"]))
    return follow_allocations(events, meter="torch allocator history", device=device)
