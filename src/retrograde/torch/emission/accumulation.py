"""Gradients added to ``.grad`` as soon as they are made, so that they do not stand beside it all at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from retrograde.torch.step.call import Call


class _Running(threading.local):
    """The call whose backward runs in a thread."""

    def __init__(self) -> None:
        self.call: Call | None = None


_running = _Running()


@contextlib.contextmanager
def gradients_of(call: Call) -> Iterator[None]:
    """While this lasts, gradients that planned code makes in this thread belong to a call."""
    before, _running.call = _running.call, call
    try:
        yield
    finally:
        _running.call = before


def accumulate(position: int, gradient: torch.Tensor) -> torch.Tensor | None:
    """Add a gradient to ``.grad`` of an input, as autograd would once the backward has returned.

    Args:
        position: the input's position among those of the captured graph.
        gradient: its gradient.

    Returns:
        None if it was added; else the gradient, for autograd: where there is no ``.grad`` yet, where hooks want to
        see it, where it is not all of the parameter's gradient, or where autograd is not to accumulate.
    """
    call = _running.call
    leaf = call.leaf(position) if call is not None else None
    if call is None or leaf is None or not _may_add(leaf, gradient) or not call.is_only_user(position):
        return gradient
    assert leaf.grad is not None
    leaf.grad.add_(gradient)
    return None


def _may_add(leaf: torch.Tensor, gradient: torch.Tensor) -> bool:
    held = leaf.grad
    if held is None or held.requires_grad or held.layout != torch.strided or torch.is_grad_enabled():
        return False
    if leaf._backward_hooks or leaf._post_accumulate_grad_hooks:  # type: ignore[attr-defined]
        return False
    alike = held.dtype == gradient.dtype and held.device == gradient.device and held.shape == gradient.shape
    return alike and _autograd_accumulates(leaf)


def _autograd_accumulates(leaf: torch.Tensor) -> bool:
    """Whether the backward that runs is to accumulate into a leaf, and not to return its gradient or leave it out."""
    node = torch.autograd.graph.get_gradient_edge(leaf).node
    try:
        return bool(torch._C._will_engine_execute_node(node))  # type: ignore[attr-defined]
    except RuntimeError:
        # torch.autograd.grad, which accumulates nothing.
        return False
