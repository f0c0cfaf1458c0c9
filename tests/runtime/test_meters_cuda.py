"""How the CUDA meter records a step, on a stand-in for PyTorch; what it makes of a trace is tested in test_meters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from retrograde.runtime.meters import measure_torch_cuda, torch_cuda


class StandIn:
    """As much of PyTorch as the meter touches, with a history that records what the step allocates."""

    def __init__(self) -> None:
        self.recording = False
        self.history: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.cuda = SimpleNamespace(
            is_available=lambda: True,
            synchronize=lambda index: self.calls.append(f"synchronize {index}"),
            _utils=SimpleNamespace(_get_device_index=lambda device, optional: 1 if device is None else int(device[-1])),
            memory=SimpleNamespace(
                _record_memory_history=self.record_history,
                _snapshot=lambda index: {"device_traces": [[], list(self.history)]},
            ),
        )

    def record_history(self, enabled: str | None, *, clear_history: bool = False, **_: object) -> None:
        self.recording = enabled is not None
        if clear_history:
            self.history.clear()

    def act(self, action: str, address: int, size: int) -> None:
        if self.recording:
            moment = 10 * len(self.history)
            self.history.append({"action": action, "addr": address, "size": size, "time_us": moment})


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    torch = StandIn()
    monkeypatch.setattr(torch_cuda, "import_torch", lambda: torch)
    return torch


def test_the_step_alone_is_recorded(stand_in: StandIn) -> None:
    stand_in.act("alloc", 1, 999)
    stand_in.history.append({"action": "alloc", "addr": 2, "size": 777, "time_us": 0})

    def step() -> None:
        stand_in.act("free_completed", 1, 999)
        stand_in.act("alloc", 3, 64)
        stand_in.act("free_requested", 3, 64)

    measurement = measure_torch_cuda(step)
    assert (measurement.peak_bytes, measurement.end_bytes, measurement.device) == (64, 64, "cuda:1")
    assert stand_in.calls == ["synchronize 1", "synchronize 1"]
    assert not stand_in.recording


def test_recording_ends_after_an_exception(stand_in: StandIn) -> None:
    with pytest.raises(ZeroDivisionError):
        measure_torch_cuda(lambda: 1 // 0, "cuda:1")
    assert not stand_in.recording
