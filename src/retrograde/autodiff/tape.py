"""The tape: records NumPy code as it runs, and carries cotangents back through it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal, Self, SupportsIndex

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.backward import pull_back
from retrograde.autodiff.budgeted import MemoryReport, border_for
from retrograde.autodiff.cotangents import seed
from retrograde.autodiff.residuals import origin_of_source
from retrograde.autodiff.tracked import Node, TrackedArray
from retrograde.errors import UsageError
from retrograde.planning import Budget
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import new_level
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import is_differentiable
from retrograde.runtime import EventLog

Unconnected = Literal["none", "zero"]


class GradientTape:
    """Records what is computed from the arrays it watches, and differentiates it.

    Reverse mode on the code as it runs: loops, branches and calls need no support, because the tape sees only the
    operations. (Linnainmaa 1970; the interface follows TensorFlow's.)

    Args:
        persistent: keep the recording, so that `gradient` can be called again. Otherwise it is freed as the first
            call passes through it.
        budget: the most bytes that the tape may hold, the backward pass and the gradients included: an int, "800 MB", a
            `Budget`. To stay within, it drops arrays and computes them again; gradients are the same to the bit. What
            was there before (watched arrays, for one) does not count.
        strategy: what is dropped. "auto", or "dtr", "dtr_local", "lru", "largest", "random", "store_all",
            "recompute_all", "sqrt": see docs/autodiff.md.
        events: a log in which a tape with a budget records what it computes and drops.

    Raises:
        UsageError: the budget is in percent, or the strategy unknown, or one that has to know the whole computation.
        BudgetError: by an operation, in the recording or in `gradient`, for which there is no room.

    Tapes nest, for derivatives of derivatives. A tape belongs to the thread that began it.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> with rg.GradientTape() as tape:
        ...     x = tape.watch(np.array([1.0, 2.0]))
        ...     y = np.sum(x * x)
        >>> tape.gradient(y, x)
        array([2., 4.])
    """

    def __init__(
        self,
        persistent: bool = False,
        *,
        budget: int | str | SupportsIndex | Budget | None = None,
        strategy: str = "auto",
        events: EventLog | None = None,
    ) -> None:
        self.persistent = persistent
        self.border = border_for(budget, strategy, events) if budget is not None or strategy != "auto" else None
        self.recording = False
        self.flat = True
        self.large = 0
        self.level = 0
        self.next_index = count(1).__next__
        self._state: Literal["new", "open", "closed", "used"] = "new"
        self._thread = 0

    def __enter__(self) -> Self:
        if self._state != "new":
            raise UsageError(
                f"a tape that is {self._state} was entered again; make a new GradientTape for each recording"
            )
        self.level = new_level()
        self.recording = True
        self._state = "open"
        self._thread = threading.get_ident()
        return self

    def __exit__(self, *_: object) -> None:
        self.recording = False
        if self._state == "open":
            self._state = "closed"

    def watch(self, arrays: Any) -> Any:
        """Track an array, or every array of a container.

        Args:
            arrays: an array or a number of a floating or complex type; or a tuple, list or dict of such, nested at
                will.

        Returns:
            The same with tracked arrays in place of the arrays. What is computed from these is recorded; the arrays
            themselves are not changed, and must not be written until the gradient is there.

        Raises:
            UsageError: an array is not of a floating or complex type, or the tape is not recording.
        """
        if not self.recording:
            raise UsageError(
                f"watch was called on a tape that is {self._stage()}; call it inside `with GradientTape() as tape:`"
            )
        if threading.get_ident() != self._thread:
            raise UsageError("watch was called on a tape of another thread; make a GradientTape in each thread")
        return containers.map_leaves(self._watch_one, arrays)

    def _watch_one(self, array: Any) -> TrackedArray:
        if not hasattr(array, "__array_ufunc__"):
            array = np.asarray(array)[()]
        if not is_differentiable(array.dtype):
            raise UsageError(
                f"an array of dtype {array.dtype} was to be watched, and only floating and complex ones have "
                "gradients; convert it (`x.astype(float)`), or use it without watching"
            )
        if self.border is not None:
            array = self.border.enter(array)
        if isinstance(array, ArrayLike):
            self.flat = False
        node = Node(self, (), (), None, array, origin_of_source(array))
        tracked = TrackedArray(array, node)
        tracked.watched_at = node
        return tracked

    def gradient(
        self, targets: Any, sources: Any, output_gradients: Any = None, unconnected: Unconnected = "none"
    ) -> Any:
        """The gradient of the targets with respect to the sources.

        Args:
            targets: a tracked scalar, or a container of tracked arrays, whose gradients are added.
            sources: a tracked array (what `watch` returned, or what was computed from it), or a container of such.
            output_gradients: the cotangents of the targets, in the same container; needed where a target is no scalar.
            unconnected: what stands for a source on which no target depends: "none" for None, "zero" for zeros.

        Returns:
            The sources' container with gradients in place of the sources, each of the shape and dtype of its source.

        Raises:
            UsageError: the tape is used already and not persistent; a target or source is not of this tape; a target
                is no scalar and has no output gradient; a source was written in place after it was watched.

        For complex sources see `retrograde.autodiff.cotangents`.
        """
        if unconnected not in ("none", "zero"):
            raise UsageError(f'unconnected={unconnected!r} was asked for; it is "none" or "zero"')
        if self._state in ("used", "new"):
            raise UsageError(
                f"gradient was called on a tape that is {self._stage()}; "
                + (
                    "make it GradientTape(persistent=True) to call it again"
                    if self._state == "used"
                    else "record something first"
                )
            )
        found_targets = containers.leaves(targets)
        given = (
            [None] * len(found_targets)
            if output_gradients is None
            else containers.leaves_like(targets, output_gradients)
        )
        nodes = [self._node(source, "source", position) for position, source in enumerate(containers.leaves(sources))]
        seeds = [
            (self._node(target, "target", position), seed(target, cotangent, position))
            for position, (target, cotangent) in enumerate(zip(found_targets, given, strict=True))
        ]
        recorded, self.recording = self.recording, False
        try:
            if self.border is None:
                gradients = pull_back(seeds, nodes, keep=self.persistent)
            else:
                gradients = self.border.pull_back(seeds, nodes, keep=self.persistent)
        finally:
            self.recording = recorded and self.persistent
            if not self.persistent:
                self._state = "used"
        if unconnected == "zero":
            gradients = [
                np.zeros(node.shape, node.dtype) if gradient is None else gradient
                for gradient, node in zip(gradients, nodes, strict=True)
            ]
        return containers.rebuild(sources, own(gradients, given))

    @property
    def memory(self) -> MemoryReport | None:
        """What a tape with a budget held and recomputed so far; None of a tape without."""
        return None if self.border is None else self.border.report()

    @contextmanager
    def stop_recording(self) -> Generator[None]:
        """A context in which nothing is recorded: results of tracked arrays are plain arrays."""
        recorded, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = recorded

    def _stage(self) -> str:
        return {"new": "not entered yet", "open": "not recording", "closed": "closed", "used": "used already"}[
            self._state
        ]

    def _node(self, array: Any, role: str, position: int) -> Node:
        if not isinstance(array, TrackedArray) or array.node.tape is not self:
            found = (
                "a tracked array of another tape"
                if isinstance(array, TrackedArray)
                else f"a plain {type(array).__name__}"
            )
            raise UsageError(
                f"{role} {position} is {found}, not one that this tape tracks; sources are what tape.watch returned, "
                "targets are computed from them while the tape records"
            )
        if role == "source" and array.is_rewritten():
            raise UsageError(
                f"source {position} was watched and then written in place, so that it is not what was watched; "
                "write into a copy of it (`y = x.copy()`)"
            )
        return array.node


def own(gradients: list[Any], given: list[Any]) -> list[Any]:
    """Gradients as arrays of their own: writing one changes neither another, nor what the caller handed in."""
    seen = {id(item) for item in given}
    owned: list[Any] = []
    for gradient in gradients:
        shared = id(gradient) in seen or (is_ndarray(gradient) and gradient.base is not None)
        seen.add(id(gradient))
        owned.append(gradient.copy() if shared and gradient is not None else gradient)
    return owned


def stop_gradient(arrays: Any) -> Any:
    """The plain values behind tracked arrays: what follows is a constant to every derivative.

    Args:
        arrays: any array, number, or container of such.

    Returns:
        The same, with the value of each tracked array or dual in its place, whatever tapes and derivatives are around
        it.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.grad(lambda x: x * rg.stop_gradient(x))(3.0)
        np.float64(3.0)
    """
    return containers.map_leaves(PRIMITIVES["stop_gradient"], arrays)
