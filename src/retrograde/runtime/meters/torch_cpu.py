"""The real peak of a PyTorch step on the CPU, from the events of PyTorch's own allocator."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pathlib
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import Any

from retrograde.errors import UsageError, VersionError
from retrograde.runtime.meters.measurement import AllocationEvent, Measurement, follow_allocations

_ERRORS_ONLY = 2
"""The level of c10's own log below which nothing is written."""

_KINETO_SILENT = "99"
"""A value of KINETO_LOG_LEVEL above every severity that the profiler's library writes."""


_listening: list[weakref.WeakMethod[Callable[[Sequence[Any]], object]]] = []
_running = threading.local()


def is_measuring() -> bool:
    """Whether a measurement runs in this thread."""
    return getattr(_running, "measurement", False)


def after_measuring(callback: weakref.WeakMethod[Callable[[Sequence[Any]], object]]) -> None:
    """Call a method with the events of the measurement that runs in this thread, once it is over."""
    _listening.append(callback)


_giving_way: list[weakref.WeakMethod[Callable[[], object]]] = []


def before_measuring(callback: weakref.WeakMethod[Callable[[], object]]) -> None:
    """Call a method once before the next measurement, so that it can give the profiler up."""
    _giving_way.append(callback)


def measure_torch_cpu(step: Callable[[], object]) -> Measurement:
    """Run a step once and read its real peak from the events of PyTorch's CPU allocator.

    Every tensor counts, and so does the scratch that an operator takes from the allocator (oneDNN's for a
    convolution). Threads that PyTorch starts by itself are seen; a ``threading.Thread`` that the step starts is not,
    since PyTorch hands the profiler to its own threads only.

    Args:
        step: called once, without arguments; what it returns is dropped after the call.

    Raises:
        UsageError: a profiler runs already; measure outside it.
        VersionError: PyTorch is not installed.
    """
    torch = import_torch()
    while _giving_way:
        give_way = _giving_way.pop()()
        if give_way is not None:
            give_way()
    if torch._C._autograd._profiler_enabled():
        raise UsageError(
            "a PyTorch profiler is running, and the meter needs it to itself; measure outside the profiler"
        )
    with quiet_profiler():
        profiler = torch.autograd.profiler.profile(profile_memory=True)
        with profiler:
            begin_seconds = time.time()
            _running.measurement = True
            try:
                step()
            finally:
                _running.measurement = False
        tree = profiler.kineto_results.experimental_event_tree()
        _tell(tree)
        events = cpu_allocations(tree)
    return follow_allocations(events, begin_seconds=begin_seconds, meter="torch allocator events", device="cpu")


def _tell(tree: Sequence[Any]) -> None:
    while _listening:
        listen = _listening.pop()()
        if listen is not None:
            listen(tree)


def import_torch() -> Any:
    """PyTorch, imported now.

    Raises:
        VersionError: PyTorch is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise VersionError(
            f"measuring a PyTorch step needs PyTorch, which cannot be imported ({error}); "
            'install it with `pip install "retrograde[torch]"`'
        ) from error


def cpu_allocations(roots: Sequence[Any]) -> list[AllocationEvent]:
    """The allocations and frees on the CPU out of the profiler's event tree, over all threads, in order of time."""
    allocation = import_torch()._C._profiler._EventType.Allocation
    found: list[tuple[int, AllocationEvent]] = []
    waiting = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if node.tag == allocation and node.extra_fields.device.type == "cpu":
            fields = node.extra_fields
            nanoseconds = node.start_time_ns
            found.append((nanoseconds, AllocationEvent(nanoseconds * 1e-9, fields.ptr, fields.alloc_size)))
    found.sort(key=lambda pair: pair[0])
    return [event for _, event in found]


@contextlib.contextmanager
def quiet_profiler() -> Generator[None]:
    """Hold off what PyTorch's libraries write to standard error about profiling (not a Python warning, so no filter).

    One complains of frees of earlier memory, which the definition ignores; the other announces start and stop.
    """
    before = os.environ.get("KINETO_LOG_LEVEL")
    if before is None:
        os.environ["KINETO_LOG_LEVEL"] = _KINETO_SILENT
    level = _c10_log_level(import_torch())
    level_before = level.value if level is not None else 0
    try:
        if level is not None:
            level.value = max(level_before, _ERRORS_ONLY)
        yield
    finally:
        if level is not None:
            level.value = level_before
        if before is None:
            os.environ.pop("KINETO_LOG_LEVEL", None)


def _c10_log_level(torch: Any) -> ctypes.c_int | None:
    """The variable in c10 that holds its log level; None where the library does not export it."""
    folder = pathlib.Path(torch.__file__).parent / "lib"
    for name in ("libc10.so", "libc10.dylib"):
        try:
            return ctypes.c_int.in_dll(ctypes.CDLL(str(folder / name)), "FLAGS_caffe2_log_level")
        except (OSError, ValueError):
            continue
    return None
