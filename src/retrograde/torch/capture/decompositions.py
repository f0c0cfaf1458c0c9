"""Tracing as eager runs: PyTorch's Python decompositions that change bits are set aside while a graph is captured."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch._C import DispatchKey

aten = torch.ops.aten

# Tracing decomposes these in Python into arithmetic of other bits (one, multi_margin_loss, of another value), and
# into large intermediates; the operators themselves trace as they are.
_TRACED_WHOLE = (
    aten.hardshrink,
    aten.multi_margin_loss,
    aten.multilabel_margin_loss_forward,
    aten.softshrink,
    aten._upsample_bicubic2d_aa,
    aten._upsample_bilinear2d_aa,
    aten._upsample_nearest_exact1d,
    aten._upsample_nearest_exact2d,
    aten._upsample_nearest_exact3d,
    aten.upsample_bicubic2d,
    aten.upsample_bilinear2d,
    aten.upsample_linear1d,
    aten.upsample_nearest1d,
    aten.upsample_nearest2d,
    aten.upsample_nearest3d,
    aten.upsample_trilinear3d,
)
_KEYS = (DispatchKey.Autograd, DispatchKey.CompositeImplicitAutograd)

# The tables that are changed belong to PyTorch and to all threads.
_lock = threading.RLock()


@contextlib.contextmanager
def traced_as_eager_runs() -> Iterator[None]:
    """While this lasts, tracing records the operators that eager runs, where PyTorch would decompose them otherwise."""
    with _lock:
        overloads = [getattr(packet, name) for packet in _TRACED_WHOLE for name in packet.overloads()]
        changed = [*overloads, aten.dropout.default]
        before = [(overload, dict(overload.py_kernels)) for overload in changed]
        for overload in overloads:
            _replace(overload, {k: f for k, f in overload.py_kernels.items() if k not in _KEYS})
        dropout = aten.dropout.default
        _replace(dropout, {k: _as_eager(f) if k in _KEYS else f for k, f in dropout.py_kernels.items()})
        try:
            yield
        finally:
            for overload, kernels in before:
                _replace(overload, kernels)


def _replace(overload: Any, kernels: dict[Any, Any]) -> None:
    overload.py_kernels.clear()
    overload.py_kernels.update(kernels)
    overload._dispatch_cache.clear()


def _as_eager(decomposed: Callable[..., Any]) -> Callable[..., Any]:
    """Dropout as PyTorch decomposes it, except where eager on the CPU computes or draws otherwise."""

    def dropout(data: torch.Tensor, p: float, train: bool | None) -> Any:
        if train and p == 1:
            return data * torch.zeros((), dtype=data.dtype, device=data.device)
        if train and 0 < p < 1 and data.device.type == "cpu" and not _scales_alike(data.dtype, p):
            return data * _drawn_as_stored(data, 1 - p).to(data.dtype).div(1 - p)
        return decomposed(data, p, train)

    return dropout


def _drawn_as_stored(data: torch.Tensor, probability: float) -> torch.Tensor:
    """A Bernoulli mask in the layout of some data, drawn in the order of memory: tracing draws in that of indices."""
    strides = torch.empty_like(data).stride()
    order = sorted(range(data.ndim), key=lambda dimension: -strides[dimension])
    back = sorted(range(data.ndim), key=order.__getitem__)
    sizes = [data.shape[dimension] for dimension in order]
    return torch.empty(sizes, dtype=torch.bool, device=data.device).bernoulli_(probability).permute(back)


def _scales_alike(dtype: torch.dtype, p: float) -> bool:
    """Whether dividing by ``1 - p``, as eager does, has the bits of multiplying with ``1 / (1 - p)``, both passes."""
    wide = {torch.float32: np.float32, torch.float64: np.float64}.get(dtype)
    return wide is not None and wide(1) / wide(1 - p) == wide(1 / (1 - p))
