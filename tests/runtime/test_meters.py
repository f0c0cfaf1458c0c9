"""Walking over allocator events, and the meters of Python and of the process."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograde.errors import RetrogradeError, UsageError
from retrograde.runtime.meters import (
    AllocationEvent,
    follow_allocations,
    follow_cuda_trace,
    measure_process,
    measure_python,
)
from retrograde.runtime.meters import process as process_meter

MIB = 2**20


def events(*pairs: tuple[int, int]) -> list[AllocationEvent]:
    return [AllocationEvent(float(second), address, size) for second, (address, size) in enumerate(pairs)]


def test_a_free_of_earlier_memory_does_not_count() -> None:
    measurement = follow_allocations(events((1, 100), (7, -1000), (2, 50), (1, -100), (2, -50)))
    assert measurement.peak_bytes == 150
    assert [live for _, live in measurement.timeline] == [100, 150, 50, 0]


def test_an_address_that_is_used_again_counts_once() -> None:
    assert follow_allocations(events((1, 100), (1, -100), (1, 80), (1, -80), (1, -80))).peak_bytes == 100


def test_an_address_handed_out_twice_was_freed_unseen() -> None:
    measurement = follow_allocations(events((1, 100), (1, 30)))
    assert [live for _, live in measurement.timeline] == [100, 30]


def test_times_count_from_the_beginning() -> None:
    found = follow_allocations([AllocationEvent(12.5, 1, 8)], begin_seconds=12.0, meter="m", device="d")
    assert found.timeline == ((0.5, 8),)
    assert (found.meter, found.device, found.end_bytes) == ("m", "d", 8)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=40))
def test_live_bytes_agree_with_a_recount(pairs: list[tuple[int, int]]) -> None:
    """Each pair toggles an address: free if it is live, else allocate. Recounted from scratch at every moment."""
    live: dict[int, int] = {}
    steps: list[tuple[int, int]] = []
    expected = [0]
    for address, size in pairs:
        if address in live:
            steps.append((address, -live.pop(address)))
        else:
            live[address] = size
            steps.append((address, size))
        expected.append(sum(live.values()))
    measurement = follow_allocations(events(*steps))
    assert measurement.peak_bytes == max(expected)
    assert [0, *(bytes_ for _, bytes_ in measurement.timeline)] == expected


def entry(action: str, address: int, size: int, time_us: int) -> dict[str, object]:
    return {"action": action, "addr": address, "size": size, "time_us": time_us, "stream": 0}


def test_a_cuda_trace_counts_blocks_until_they_can_be_used_again() -> None:
    trace = [
        entry("free_requested", 64, 4096, 100),
        entry("free_completed", 64, 4096, 100),
        entry("segment_alloc", 0, 2 * MIB, 101),
        entry("alloc", 0, 1024, 102),
        entry("free_requested", 0, 1024, 103),
        entry("alloc", 2048, 512, 104),
        entry("free_completed", 0, 1024, 105),
        entry("alloc", 0, 256, 106),
        entry("segment_free", 0, 2 * MIB, 107),
        {"action": "snapshot", "size": 0},
    ]
    measurement = follow_cuda_trace(trace, device="cuda:1")
    assert measurement.peak_bytes == 1536
    assert measurement.timeline == ((2e-6, 1024), (4e-6, 1536), (5e-6, 512), (6e-6, 768))
    assert measurement.device == "cuda:1"


def test_a_cuda_trace_that_ran_out_of_memory_is_refused() -> None:
    trace = [{"action": "oom", "size": 999, "device_free": 5, "time_us": 1}]
    with pytest.raises(RetrogradeError, match="asked cuda for 999 bytes and there was no room"):
        follow_cuda_trace(trace)


def test_python_reads_arrays_to_a_few_kilobytes() -> None:
    held = [np.zeros(4 * MIB, dtype=np.uint8)]

    def step() -> None:
        held.clear()
        first = np.zeros(MIB, dtype=np.uint8)
        second = np.zeros(2 * MIB, dtype=np.uint8)
        del first, second

    assert 3 * MIB <= measure_python(step).peak_bytes < 3 * MIB + 20_000


def test_python_refuses_a_tracing_that_runs_already() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=r"call tracemalloc\.stop\(\) first"):
            measure_python(lambda: None)
    finally:
        tracemalloc.stop()


def test_python_stops_tracing_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError):
        measure_python(lambda: 1 // 0)
    assert not tracemalloc.is_tracing()


def touch_pages() -> None:
    np.ones(32 * MIB, dtype=np.uint8)


def linger_over_pages() -> None:
    pages = np.ones(32 * MIB, dtype=np.uint8)
    for _ in range(20):
        pages += 1


@pytest.fixture
def high_water() -> None:
    if not process_meter._reset_high_water():  # pyright: ignore[reportPrivateUsage]
        pytest.skip("this system has no high-water mark that can be reset")


def test_process_reads_the_high_water_mark(high_water: None) -> None:
    measurement = measure_process(touch_pages)
    assert measurement.meter == "high-water mark"
    assert 31 * MIB <= measurement.peak_bytes < 36 * MIB


def test_process_is_not_misled_by_an_earlier_peak(high_water: None) -> None:
    touch_pages()
    assert measure_process(lambda: None).peak_bytes < 4 * MIB


def test_process_by_sampling() -> None:
    measurement = measure_process(linger_over_pages, method="sampling")
    assert measurement.meter == "resident memory"
    assert 30 * MIB <= measurement.peak_bytes < 40 * MIB
    assert measurement.peak_bytes == max(live for _, live in measurement.timeline)


def test_process_samples_where_there_is_no_high_water_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_meter, "_reset_high_water", lambda: False)
    assert measure_process(lambda: None, warmups=0).meter == "resident memory"
    with pytest.raises(UsageError, match='measure with method="sampling"'):
        measure_process(lambda: None, method="high-water")


def test_process_refuses_an_unknown_method() -> None:
    with pytest.raises(UsageError, match="there is no method 'exact'"):
        measure_process(lambda: None, method="exact")


def test_process_runs_the_warmups_and_then_the_step() -> None:
    calls: list[int] = []
    measure_process(lambda: calls.append(1), warmups=2)
    assert len(calls) == 3


def test_process_stops_its_watcher_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError):
        measure_process(lambda: 1 // 0, warmups=0, method="sampling")
