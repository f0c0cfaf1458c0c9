"""The exact peak of code that Inductor wrote, found by running it on tensors that have sizes and no contents."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch._prims.rng_prims import run_and_save_rng_state, run_with_rng_state
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from retrograde.torch.emission.compilers import PairWeight

Workspace = Callable[[Any, tuple[Any, ...], dict[str, Any]], int]
"""Says how many bytes an operator needs beside operands and results."""

_COMPILER_IMPORT = "from torch._inductor.async_compile import AsyncCompile"


class _Silent:
    """Stands for kernels and for what compiles them: whatever it is asked for or called with, nothing happens."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class _ExternKernels:
    """Inductor's table of foreign kernels: those that write into a given tensor do nothing."""

    def __init__(self, kernels: Any, ledger: Ledger) -> None:
        self._kernels = kernels
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        kernel = getattr(self._kernels, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if "out" in kwargs:
                operator = getattr(getattr(torch.ops.aten, name, None), "default", None)
                others = {key: value for key, value in kwargs.items() if key != "out"}
                self._ledger.notice_workspace(operator, args, others)
                return kwargs["out"]
            return kernel(*args, **kwargs)

        return call


class Ledger(TorchDispatchMode):
    """Counts the bytes of all storages that appear while it is on and have not gone again.

    Args:
        workspace: bytes that an operator needs for itself while it runs.

    Attributes:
        peak_bytes: the most that were live at any moment.
    """

    supports_higher_order_operators = True

    def __init__(self, workspace: Workspace | None = None) -> None:
        super().__init__()
        self.peak_bytes = 0
        self._workspace = workspace
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self._free_of_charge: dict[int, StorageWeakRef] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        keywords = kwargs or {}
        if func is run_and_save_rng_state:
            result = self._run(args[0], args[1:], keywords)
            state = _random_state(result)
            self.notice(state)
            return state, result
        if func is run_with_rng_state:
            return self._run(args[1], args[2:], keywords)
        return self._run(func, args, keywords)

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        self.notice(result)
        if isinstance(func, torch._ops.OpOverload) and not func.is_view:
            self.notice_workspace(func, args, kwargs)
        return result

    def allow(self, tensors: Sequence[Any]) -> None:
        """Take tensors for what was there before, which costs nothing."""
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._free_of_charge[storage._cdata] = StorageWeakRef(storage)

    def notice(self, result: Any) -> None:
        """Take note of the storages behind a result."""
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                free = self._free_of_charge.get(key)
                if key not in self._live and (free is None or free.expired()):
                    self._live[key] = (StorageWeakRef(storage), int(storage.nbytes()))
        self.peak_bytes = max(self.peak_bytes, self.live_bytes())

    def notice_workspace(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take note of what an operator needs for itself."""
        if self._workspace is not None:
            self.peak_bytes = max(self.peak_bytes, self.live_bytes() + self._workspace(func, args, kwargs))

    def bytes_of(self, tensors: Sequence[Any]) -> int:
        """Bytes of the storages behind some tensors, of those that count."""
        keys = {t.untyped_storage()._cdata for t in tensors if isinstance(t, torch.Tensor)}
        return sum(self._live[key][1] for key in keys if key in self._live)

    def live_bytes(self) -> int:
        """Bytes of the storages that are still there."""
        self._live = {key: entry for key, entry in self._live.items() if not entry[0].expired()}
        return sum(size for _, size in self._live.values())


def _random_state(result: Any) -> torch.Tensor:
    """A tensor of the size of the random state on the device of a result."""
    on_cpu = all(leaf.device.type == "cpu" for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
    return torch.empty(int(torch.get_rng_state().nbytes) if on_cpu else 16, dtype=torch.uint8)


def compiled_weight(
    forward: str,
    backward: str,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    outputs: int,
    *,
    held_bytes: int = 0,
    workspace: Workspace | None = None,
) -> PairWeight:
    """What a step takes that runs compiled forward and backward code, to the byte, without running it.

    Args:
        forward: the text of the forward, as ``lowered_source`` gives it.
        backward: the text of the backward.
        primals: fake tensors for the inputs of the forward, which cost nothing.
        tangents: fake tensors for the cotangents.
        outputs: how many of the forward's outputs are the user's; the others are saved for the backward.
        held_bytes: what the caller holds throughout the backward.
        workspace: bytes that operators beside Inductor's own kernels need for themselves.
    """
    ledger = Ledger(workspace)
    mode = next(t.fake_mode for t in (*primals, *tangents) if isinstance(t, torch._subclasses.FakeTensor))
    with mode, ledger, torch.no_grad():
        ledger.allow(primals)
        results = _load(forward, ledger)(list(primals))
        ledger.notice(results)
        kept, saved = list(results[:outputs]), list(results[outputs:])
        del results
        forward_peak = ledger.peak_bytes
        residual_bytes = ledger.live_bytes() - ledger.bytes_of(kept)
        ledger.peak_bytes = 0
        ledger.allow(tangents)
        arguments = [*saved, *tangents]
        del saved
        gradients = _load(backward, ledger)(arguments)
        ledger.notice(gradients)
        del gradients, kept
    return PairWeight(forward_peak, residual_bytes, ledger.peak_bytes + held_bytes)


def _load(source: str, ledger: Ledger) -> Callable[[list[Any]], Any]:
    """The function that a text defines, with everything that computes taken out of it."""
    names: dict[str, Any] = {"AsyncCompile": _Silent(), "__name__": "retrograde_dry_run"}
    with _outside_modes():
        exec(compile(source.replace(_COMPILER_IMPORT, ""), "<dry run>", "exec"), names)
    for name in names:
        if name.startswith("empty_strided_"):
            names[name] = _allocator(name.removeprefix("empty_strided_"))
    names["reinterpret_tensor"] = _reinterpret
    names["assert_size_stride"] = names["assert_alignment"] = _Silent()
    names["extern_kernels"] = _ExternKernels(names["extern_kernels"], ledger)
    return names["call"]


@contextlib.contextmanager
def _outside_modes() -> Iterator[None]:
    with torch.utils._python_dispatch._disable_current_modes():
        yield


def _allocator(device: str) -> Callable[..., torch.Tensor]:
    place = "cpu" if device == "cpu_pinned" else device

    def empty(size: Any, stride: Any, dtype: torch.dtype) -> torch.Tensor:
        return torch.empty_strided(size, stride, dtype=dtype, device=place)

    return empty


def _reinterpret(tensor: torch.Tensor, size: Any, stride: Any, offset: int) -> torch.Tensor:
    return torch.as_strided(tensor, size, stride, tensor.storage_offset() + offset)
