"""The meters of PyTorch against tensors of known size."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from retrograde.errors import UsageError, VersionError
from retrograde.runtime.meters import measure_torch, measure_torch_cpu, measure_torch_cuda
from retrograde.runtime.meters.torch_cpu import import_torch

torch = pytest.importorskip("torch")


def test_known_sizes_are_read_to_the_byte() -> None:
    def step() -> None:
        first = torch.empty(1000)
        second = torch.empty(2000)
        del first
        third = torch.empty(100, dtype=torch.float64)
        del second, third

    measurement = measure_torch(step)
    assert measurement.peak_bytes == 12_000
    assert [live for _, live in measurement.timeline] == [4000, 12_000, 8000, 8800, 800, 0]
    assert measurement.device == "cpu"
    assert measurement.end_bytes == 0


def test_a_step_that_allocates_nothing_has_peak_zero() -> None:
    measurement = measure_torch(lambda: None)
    assert measurement.peak_bytes == 0
    assert measurement.timeline == ()


def test_freeing_earlier_memory_earns_no_credit() -> None:
    held = [torch.empty(1_000_000)]

    def step() -> None:
        held.clear()
        torch.empty(500)

    assert measure_torch(step).peak_bytes == 2000


def test_memory_measured_by_an_earlier_call_and_freed_in_this_one_earns_no_credit() -> None:
    held: list[Any] = []
    assert measure_torch(lambda: held.append(torch.empty(1000))).end_bytes == 4000

    def step() -> None:
        held.clear()
        torch.empty(500)

    measurement = measure_torch(step)
    assert measurement.peak_bytes == 2000
    assert min(live for _, live in measurement.timeline) == 0


def test_what_the_step_leaves_behind_is_still_live_at_its_end() -> None:
    held: list[Any] = []
    measurement = measure_torch(lambda: held.append(torch.empty(250)))
    assert measurement.end_bytes == measurement.peak_bytes == 1000


def test_times_begin_with_the_step_and_never_decrease() -> None:
    times = [seconds for seconds, _ in measure_torch(lambda: [torch.empty(10) for _ in range(5)]).timeline]
    assert times == sorted(times)
    assert -0.01 < times[0] < 60


def test_scratch_of_a_convolution_is_seen() -> None:
    image = torch.randn(1, 16, 64, 64)
    kernel = torch.randn(16, 16, 3, 3)
    output_bytes = 16 * 62 * 62 * 4
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this build of PyTorch has no oneDNN")
    with torch.no_grad():
        assert measure_torch(lambda: torch.nn.functional.conv2d(image, kernel)).peak_bytes > output_bytes


class _Reentrant(torch.autograd.Function):
    """Runs a backward pass inside its own, to a depth at which PyTorch moves to another thread."""

    threads: set[int] = set()  # noqa: RUF012 - filled by the test

    @staticmethod
    def forward(ctx: Any, x: Any, depth: int) -> Any:
        ctx.depth = depth
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        _Reentrant.threads.add(threading.get_ident())
        if ctx.depth:
            with torch.enable_grad():
                inner = torch.ones(1, requires_grad=True)
                _Reentrant.apply(inner, ctx.depth - 1).backward()
        else:
            torch.empty(123_456)
        return grads[0] * 2, None


def test_threads_of_the_backward_pass_are_seen() -> None:
    _Reentrant.threads.clear()
    measurement = measure_torch(lambda: _Reentrant.apply(torch.ones(1, requires_grad=True), 80).backward())
    assert len(_Reentrant.threads) > 1
    assert measurement.peak_bytes >= 123_456 * 4


def test_an_exception_passes_through_and_the_next_measurement_works() -> None:
    def fail() -> None:
        torch.empty(10)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        measure_torch(fail)
    assert measure_torch(lambda: torch.empty(10)).peak_bytes == 40


def test_a_running_profiler_is_refused() -> None:
    with torch.autograd.profiler.profile(), pytest.raises(UsageError, match="measure outside the profiler"):
        measure_torch_cpu(lambda: None)


def test_a_device_without_a_meter_is_refused() -> None:
    with pytest.raises(UsageError, match="no meter for device 'meta'"):
        measure_torch(lambda: None, device="meta")


def test_cuda_without_a_device_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(UsageError, match="no CUDA device"):
        measure_torch_cuda(lambda: None, "cuda:0")


def test_on_cuda_known_sizes_are_read_and_earlier_memory_earns_no_credit() -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    held = [torch.empty(1_000_000, device="cuda")]

    def step() -> None:
        held.clear()
        first = torch.empty(1000, device="cuda")
        second = torch.empty(2000, device="cuda")
        del first, second

    assert measure_torch(step, device="cuda").peak_bytes == 12_000


def test_without_pytorch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(VersionError, match=r'pip install "retrograde\[torch\]"'):
        import_torch()


def test_nothing_is_written_to_standard_error() -> None:
    program = (
        "import torch; from retrograde.runtime.meters import measure_torch\n"
        "held = [torch.empty(1000)]\n"
        "print(measure_torch(held.clear).peak_bytes)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
