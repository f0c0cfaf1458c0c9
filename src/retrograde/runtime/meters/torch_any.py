"""The real peak of a PyTorch step, on whichever device it runs."""

from __future__ import annotations

from collections.abc import Callable

from retrograde.errors import UsageError
from retrograde.runtime.meters.measurement import Measurement
from retrograde.runtime.meters.torch_cpu import import_torch, measure_torch_cpu
from retrograde.runtime.meters.torch_cuda import measure_torch_cuda


def measure_torch(step: Callable[[], object], device: object = None) -> Measurement:
    """Run a PyTorch step once and read its real peak, independently of any plan.

    The peak is the most bytes allocated during the call and still live, at any moment of it. Measuring slows the step
    down: take times in runs of their own.

    Args:
        step: called once, without arguments; what it returns is dropped after the call.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or a ``torch.device``. When left out: the current CUDA device if
            CUDA is in use in this process, else the CPU.

    Returns:
        The peak in bytes and the live bytes over time.

    Raises:
        UsageError: a device that has no meter, or a profiler that runs already.
        VersionError: PyTorch is not installed.

    Example:
        >>> import torch
        >>> measure_torch(lambda: torch.empty(1000)).peak_bytes
        4000
    """
    torch = import_torch()
    if device is None:
        device = "cuda" if torch.cuda.is_initialized() else "cpu"
    kind = torch.device(device).type
    if kind == "cpu":
        return measure_torch_cpu(step)
    if kind == "cuda":
        return measure_torch_cuda(step, device)
    raise UsageError(f'there is no meter for device {str(device)!r}; measure with device="cpu" or device="cuda"')
