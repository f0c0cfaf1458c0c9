"""Tracing as eager runs: PyTorch's Python decompositions that change bits are set aside while a graph is captured."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

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
    """Dropout as PyTorch decomposes it, except with probability 1, for which eager draws no random numbers."""

    def dropout(data: torch.Tensor, p: float, train: bool | None) -> Any:
        if train and p == 1:
            return data * torch.zeros((), dtype=data.dtype, device=data.device)
        return decomposed(data, p, train)

    return dropout
