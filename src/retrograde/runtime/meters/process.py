"""Meters that ask the operating system or Python itself, for any program."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from retrograde.errors import UsageError
from retrograde.runtime.meters.measurement import Measurement

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_GIVE_BACK_FROM_BYTES = 64 * 1024
_SAMPLE_EVERY_SECONDS = 0.001
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_HIGH_WATER = "5"


def measure_python(step: Callable[[], object]) -> Measurement:
    """Run a step once and read its peak from Python's own allocation tracing (``tracemalloc``), exactly.

    It sees what Python and NumPy allocate: arrays to the byte, and Python's objects too (some hundred bytes each).
    What a library allocates behind Python's back is not seen; ``measure_process`` sees that.

    Args:
        step: called once, without arguments; what it returns is dropped after the call.

    Raises:
        UsageError: ``tracemalloc`` runs already; stop it first.

    Example:
        >>> import numpy
        >>> 8_000_000 <= measure_python(lambda: numpy.zeros(1_000_000)).peak_bytes < 8_010_000
        True
    """
    if tracemalloc.is_tracing():
        raise UsageError("tracemalloc is tracing, and the meter needs it to itself; call tracemalloc.stop() first")
    gc.collect()
    # Tracing that begins now knows nothing of earlier blocks, so freeing those earns no credit.
    tracemalloc.start()
    try:
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Measurement(peak_bytes=peak, meter="tracemalloc", device="cpu")


def measure_process(step: Callable[[], object], *, warmups: int = 1, method: str = "auto") -> Measurement:
    """Run a step and read how far the process's resident memory rose above where it stood before.

    It sees everything, whoever allocated it, to within some hundred kilobytes. Two limits: memory that was live
    before and is freed inside the step does earn credit here, and the C allocator is told to give blocks of 64 KiB
    and more back at once, which stays so for the rest of the process. Measure in a process of its own.

    Args:
        step: called without arguments, ``warmups`` times unmeasured and then once measured.
        warmups: calls before the one that counts; a first call loads code and fills caches, tens of megabytes.
        method: ``"high-water"`` reads the kernel's high-water mark (Linux), ``"sampling"`` asks every millisecond
            (any system; a peak shorter than that may be missed), ``"auto"`` takes the first that works.

    Raises:
        UsageError: an unknown method, or ``"high-water"`` where the kernel has none that can be reset.
    """
    if method not in ("auto", "high-water", "sampling"):
        raise UsageError(f'there is no method {method!r}; choose "auto", "high-water" or "sampling"')
    for _ in range(warmups):
        step()
    _give_back_memory()
    if method != "sampling" and _reset_high_water():
        return _measure_high_water(step)
    if method == "high-water":
        raise UsageError('this system has no high-water mark that can be reset; measure with method="sampling"')
    return _measure_by_sampling(step)


def _measure_high_water(step: Callable[[], object]) -> Measurement:
    before = _read_status("VmRSS")
    step()
    peak = max(0, _read_status("VmHWM") - before)
    return Measurement(peak_bytes=peak, meter="high-water mark", device="process")


def _measure_by_sampling(step: Callable[[], object]) -> Measurement:
    import psutil

    process = psutil.Process()
    done = threading.Event()
    timeline: list[tuple[float, int]] = []
    before = process.memory_info().rss
    begin = time.perf_counter()

    def sample() -> None:
        timeline.append((time.perf_counter() - begin, max(0, process.memory_info().rss - before)))

    def watch() -> None:
        while not done.wait(_SAMPLE_EVERY_SECONDS):
            sample()

    watcher = threading.Thread(target=watch, name="retrograde-meter", daemon=True)
    watcher.start()
    try:
        step()
        done.set()
    finally:
        done.set()
        watcher.join()
    sample()
    peak = max(live for _, live in timeline)
    return Measurement(peak_bytes=peak, timeline=tuple(timeline), meter="resident memory", device="process")


def _give_back_memory() -> None:
    """Collect garbage and, with the GNU C library, return freed memory to the system now and from now on."""
    gc.collect()
    try:
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _GIVE_BACK_FROM_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _GIVE_BACK_FROM_BYTES)
        library.malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return


def _reset_high_water() -> bool:
    """Set the kernel's high-water mark back to what is resident now; False where that cannot be done."""
    if not (os.access(_CLEAR_REFS, os.W_OK) and _STATUS.exists()):
        return False
    try:
        _CLEAR_REFS.write_text(_RESET_HIGH_WATER)
    except OSError:
        return False
    return True


def _read_status(field: str) -> int:
    """One field of the process's status, in bytes."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
