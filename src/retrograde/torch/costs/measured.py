"""What operations cost: seconds and workspace measured on the device, remembered by operation and shapes."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch._C._profiler import ProfilerConfig, ProfilerState, _ExperimentalConfig
from torch._functorch._aot_autograd.descriptors import PlainAOTInput
from torch.autograd import _disable_profiler_legacy, _enable_profiler_legacy  # type: ignore[attr-defined]

from retrograde.disk_cache import DiskCache
from retrograde.torch.capture.describe import CostModel, OperationCost
from retrograde.torch.capture.joint import JointGraph
from retrograde.torch.capture.operators import is_effectful, result_tensors
from retrograde.torch.costs.roofline import roofline_seconds

_logger = logging.getLogger("retrograde")
_LEAST_REPEATS, _MOST_REPEATS = 3, 10
_ENOUGH_SECONDS = 0.02
_METHOD = "2: the thread's own clock"
_LONG_SECONDS = 1.0

# These read their sizes out of a workspace that another operation filled; on a made-up one they crash.
_NOT_ALONE = frozenset({torch.ops.aten.mkldnn_rnn_layer.default, torch.ops.aten.mkldnn_rnn_layer_backward.default})


class RooflineCosts:
    """Costs estimated from arithmetic and traffic; workspace is taken to be 0.

    Nothing runs. The predicted peak may fall short of the real one by an operation's workspace.
    """

    def operation_cost(self, node: fx.Node) -> OperationCost:
        """Seconds by the roofline model."""
        return OperationCost(roofline_seconds(node), 0)


class MeasuredCosts:
    """Costs measured by running each kind of operation, alone, on operands of the right sizes.

    Operands that are parameters or inputs of the module are the caller's own tensors; the others are made for the
    occasion and dropped at once, so that no more is live than while the operation runs in the step itself.
    Results are remembered on disk by operation, shapes, strides and hardware.

    Args:
        held: tensors of the caller by storage key of their fake counterparts.
        cache: where results live between runs; None to keep them for this run only.
    """

    def __init__(self, held: Mapping[int, torch.Tensor], cache: DiskCache | None = None) -> None:
        self._held = held
        self._cache = cache
        self._key = hardware_key()
        self._table: dict[str, list[float]] = dict(self._known())
        self._measured: dict[str, list[float]] = {}

    def operation_cost(self, node: fx.Node) -> OperationCost:
        """Seconds and workspace of an operation, measured now or earlier."""
        signature = operation_signature(node)
        if signature not in self._table:
            self._table[signature] = self._measured[signature] = self._measure(node)
        seconds, workspace, *results = self._table[signature]
        return OperationCost(seconds, int(workspace), tuple(int(size) for size in results))

    def save(self) -> None:
        """Write what was measured to disk, beside what other processes wrote meanwhile."""
        if self._measured and self._cache is not None:
            self._cache.put(self._key, {**self._known(), **self._measured})
            self._measured = {}

    def _known(self) -> dict[str, list[float]]:
        return (self._cache.get(self._key) if self._cache is not None else None) or {}

    def _measure(self, node: fx.Node) -> list[float]:
        if node.target in _NOT_ALONE or is_effectful(node) or not isinstance(node.target, torch._ops.OpOverload):
            return [roofline_seconds(node), 0]
        outcome: list[list[float]] = []
        failure: list[Exception] = []

        def work() -> None:
            # Asking is what carries the caller's number of threads over; operators beside ATen's loops need it.
            torch.get_num_threads()
            try:
                outcome.append(self._run(node))
            except Exception as error:
                failure.append(error)

        # A thread of its own: whatever profiler or mode is active in the caller's does not reach in here.
        thread = threading.Thread(target=work, name="retrograde-measure")
        thread.start()
        thread.join()
        if failure:
            _logger.debug("costs: %s cannot run alone (%s); estimated", node.target, failure[0])
            return [roofline_seconds(node), 0]
        return outcome[0]

    def _run(self, node: fx.Node) -> list[float]:
        target: Callable[..., Any] = node.target  # type: ignore[assignment]
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            arguments = fx.node.map_arg(node.args, self._operand)
            keywords = fx.node.map_arg(node.kwargs, self._operand)
            workspace, results, first_seconds = _memory_use(lambda: target(*arguments, **keywords))
            seconds: list[float] = []
            least = 1 if first_seconds > _LONG_SECONDS else _LEAST_REPEATS
            while len(seconds) < least or (sum(seconds) < _ENOUGH_SECONDS and len(seconds) < _MOST_REPEATS):
                seconds.append(_seconds(lambda: target(*arguments, **keywords), _device_of(node)))
        return [round(min(seconds), 9), workspace, *results]

    def _operand(self, node: fx.Node) -> Any:
        value = node.meta["val"]
        if not isinstance(value, torch.Tensor):
            return value
        held = self._held.get(value.untyped_storage()._cdata)
        if held is not None:
            alike = torch.as_strided(held.detach(), value.shape, value.stride(), value.storage_offset())
        else:
            alike = _made_up(value)
        # Operators copy an operand that is conjugated or negated lazily.
        alike = alike.conj() if value.is_conj() else alike
        return torch._neg_view(alike) if value.is_neg() else alike


@contextlib.contextmanager
def cost_model(
    joint: JointGraph, inputs: Sequence[Any], *, measure: bool = True, cache: bool = True
) -> Iterator[CostModel]:
    """The cost model to describe a joint graph with; what it measures is kept when the block ends.

    Args:
        joint: the joint graph.
        inputs: what the captured function was called with; operations are measured on these where they take them.
        measure: measure costs, or estimate them.
        cache: whether measured costs are kept on disk.
    """
    if not measure:
        yield RooflineCosts()
        return
    costs = MeasuredCosts(_held_tensors(joint, inputs), DiskCache("operations") if cache else None)
    try:
        yield costs
    finally:
        costs.save()


def _held_tensors(joint: JointGraph, inputs: Sequence[Any]) -> dict[int, torch.Tensor]:
    """The caller's own tensors, by the storage key of their fake counterparts."""
    held: dict[int, torch.Tensor] = {}
    for primal in joint.primals:
        place = primal.meta.get("desc")
        fake = primal.meta.get("val")
        if not isinstance(place, PlainAOTInput) or not isinstance(fake, torch.Tensor) or place.idx >= len(inputs):
            continue
        real = inputs[place.idx]
        if isinstance(real, torch.Tensor) and real.shape == fake.shape and real.stride() == fake.stride():
            held[fake.untyped_storage()._cdata] = real
    return held


def _made_up(value: torch.Tensor) -> torch.Tensor:
    """A tensor like a fake one, with contents that every operation accepts."""
    extent = 1 + sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    if value.numel() == 0:
        return torch.empty(value.shape, dtype=value.dtype, device=value.device)
    flat = torch.empty(extent, dtype=value.dtype, device=value.device)
    if value.dtype.is_floating_point or value.dtype.is_complex:
        parts = torch.view_as_real(flat) if value.dtype.is_complex else flat
        parts.uniform_(0.1, 1.0)
    else:
        flat.zero_()
    return flat.as_strided(value.shape, value.stride())


def _seconds(run: Callable[[], Any], device: torch.device) -> float:
    # On a CPU the thread's own clock, which stands still while another process has the core.
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = clock()
    result = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elapsed = clock() - start
    del result
    return elapsed


def _memory_use(run: Callable[[], Any]) -> tuple[int, list[int], float]:
    """The most bytes live during a run beside its results, the size of each result's storage, and seconds."""
    device = torch.cuda.current_device() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    if device is not None:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    _enable_profiler_legacy(ProfilerConfig(ProfilerState.CPU, False, True, False, False, False, _ExperimentalConfig()))
    start = time.perf_counter()
    try:
        result = run()
    finally:
        elapsed = time.perf_counter() - start
        records = _disable_profiler_legacy()
    live = peak = 0
    for record in (record for thread in records for record in thread):
        if record.kind() == "memory_alloc":
            live += record.cpu_memory_usage()
            peak = max(peak, live)
    tensors = result_tensors(result)
    sizes = [t.untyped_storage().nbytes() for t in tensors]
    distinct = {t.untyped_storage().data_ptr(): size for t, size in zip(tensors, sizes, strict=True)}
    if device is not None:
        torch.cuda.synchronize(device)
        peak += torch.cuda.max_memory_allocated(device) - before
    return max(0, peak - sum(distinct.values())), sizes, elapsed


def _device_of(node: fx.Node) -> torch.device:
    result = node.meta.get("val")
    tensors = result if isinstance(result, (list, tuple)) else [result]
    return next((t.device for t in tensors if isinstance(t, torch.Tensor)), torch.device("cpu"))


def operation_signature(node: fx.Node) -> str:
    """A digest of an operation and everything about its operands that its cost depends on."""

    def describe(argument: Any) -> Any:
        value = argument.meta.get("val") if isinstance(argument, fx.Node) else argument
        if isinstance(value, torch.Tensor):
            return (
                f"{value.dtype} {tuple(value.shape)} {value.stride()} {value.device} {value.is_conj()} {value.is_neg()}"
            )
        return repr(value)

    leaves: list[Any] = [str(node.target)]
    fx.node.map_aggregate((node.args, node.kwargs), lambda a: leaves.append(describe(a)))
    return hashlib.sha256("\n".join(leaves).encode()).hexdigest()[:24]


def hardware_key() -> str:
    """A name for the hardware and software that measured costs belong to."""
    devices = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    facts = [
        _METHOD,
        platform.machine(),
        platform.processor(),
        _cpu_model(),
        str(torch.get_num_threads()),
        torch.__version__,
        *devices,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return ""
