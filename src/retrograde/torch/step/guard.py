"""What must hold at run time for a plan's promise to hold: one call a step, and a backward that releases."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from retrograde.errors import CaptureError

Boxed = Callable[[list[Any]], Any]


class _Waiting(threading.local):
    """The guards of a thread whose forward pass ran last, in this thread."""

    def __init__(self) -> None:
        self.guards: weakref.WeakSet[StepGuard] = weakref.WeakSet()


_waiting = _Waiting()


class StepGuard:
    """Watches a planned forward and backward function for uses that the plan did not provide for.

    A budget covers a step of one captured graph, so no graph may begin while another, of this module or of any other
    in the same thread, waits for its backward pass.

    Args:
        retain_graph: whether the plan provides for ``backward(retain_graph=True)``.
    """

    def __init__(self, *, retain_graph: bool) -> None:
        self._retain_graph = retain_graph
        self._residuals: list[StorageWeakRef] = []

    def residuals_are_live(self) -> bool:
        """Whether a forward pass waits for its backward: some of what it saved is still there."""
        self._residuals = [r for r in self._residuals if not r.expired()]
        return bool(self._residuals)

    def _refuse_overlap(self) -> None:
        """Raise if another step is under way in this thread."""
        if any(guard._is_open() for guard in _waiting.guards):
            # An exception on the way may have left residuals in a cycle.
            gc.collect()
        for guard in list(_waiting.guards):
            if guard._is_open():
                which = "the budgeted module was called again" if guard is self else "a budgeted graph was called"
                raise CaptureError(
                    f"{which} while an earlier call waits for its backward pass, and a budget covers one captured "
                    "graph a step; run backward first, or delete the earlier call's outputs, or call under "
                    "torch.no_grad() if no gradient is wanted; modules that belong to one step go into one module"
                )
        _waiting.guards.add(self)

    def _is_open(self) -> bool:
        return not self._retain_graph and self.residuals_are_live()

    def watch_forward(self, run: Boxed, outputs: int, primals: int) -> Boxed:
        """A forward function that refuses to begin while an earlier call waits for its backward."""

        def forward(arguments: list[Any]) -> Any:
            self._refuse_overlap()
            held = {a.untyped_storage().data_ptr() for a in arguments[:primals] if isinstance(a, torch.Tensor)}
            results = run(arguments)
            kept = {o.untyped_storage().data_ptr() for o in results[:outputs] if isinstance(o, torch.Tensor)}
            self._residuals = [
                StorageWeakRef(saved.untyped_storage())
                for saved in results[outputs:]
                if isinstance(saved, torch.Tensor) and saved.untyped_storage().data_ptr() not in held | kept
            ]
            return results

        forward._boxed_call = True  # type: ignore[attr-defined]
        return forward

    def watch_backward(self, run: Boxed) -> Boxed:
        """A backward function that refuses ``retain_graph=True`` unless that was planned for."""

        def backward(arguments: list[Any]) -> Any:
            if not self._retain_graph and torch._C._autograd._get_current_graph_task_keep_graph():
                arguments.clear()
                raise CaptureError(
                    "backward(retain_graph=True) or create_graph=True on a budgeted module: the saved values would "
                    "stay live and break the budget; ask for budgeted(..., retain_graph=True), which plans for it. "
                    "Second derivatives are not supported by captured graphs: take them of the unbudgeted module"
                )
            return run(arguments)

        backward._boxed_call = True  # type: ignore[attr-defined]
        return backward
