"""Independent meters of the real peak: of a PyTorch step, of a Python function, of the whole process."""

from retrograde.runtime.meters.measurement import AllocationEvent, Measurement, follow_allocations
from retrograde.runtime.meters.process import measure_process, measure_python
from retrograde.runtime.meters.torch_any import measure_torch
from retrograde.runtime.meters.torch_cpu import measure_torch_cpu
from retrograde.runtime.meters.torch_cuda import follow_cuda_trace, measure_torch_cuda

__all__ = [
    "AllocationEvent",
    "Measurement",
    "follow_allocations",
    "follow_cuda_trace",
    "measure_process",
    "measure_python",
    "measure_torch",
    "measure_torch_cpu",
    "measure_torch_cuda",
]
