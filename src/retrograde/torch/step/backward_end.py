"""Called when ``backward`` returns, which no hook of PyTorch's tells from outside the engine."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import torch

from retrograde.torch.step.recorder import within_backward

_waiting: list[weakref.WeakMethod[Callable[[], bool]]] = []


def after_backward(callback: weakref.WeakMethod[Callable[[], bool]]) -> None:
    """Call a method when ``torch.autograd.backward`` (``Tensor.backward`` too) has returned, until it says True.

    While something waits, ``torch.autograd.backward`` is wrapped; afterwards it is PyTorch's own again.
    """
    if not _waiting:
        _wrap()
    _waiting.append(callback)


def _wrap() -> None:
    original = torch.autograd.backward

    @functools.wraps(original)
    def backward(*args: Any, **kwargs: Any) -> None:
        try:
            original(*args, **kwargs)
        finally:
            _call_back()
            if not _waiting and torch.autograd.backward is backward:
                torch.autograd.backward = original

    torch.autograd.backward = backward


def _call_back() -> None:
    if not within_backward():
        _waiting[:] = [method for method in _waiting if _still_waits(method)]


def _still_waits(method: weakref.WeakMethod[Callable[[], bool]]) -> bool:
    callback = method()
    return callback is not None and not callback()
