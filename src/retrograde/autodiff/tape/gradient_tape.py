"""The tape: records NumPy code as it runs, and carries cotangents back through it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal, Self, SupportsIndex

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.budgeted import MemoryReport, border_for
from retrograde.autodiff.cotangents import seed
from retrograde.autodiff.tape.backward import pull_back
from retrograde.autodiff.tape.residuals import origin_of_source
from retrograde.autodiff.tape.rows import (
    batch_jacobian_rows,
    jacobian_rows,
    refuse_what_has_no_jacobian,
    refuse_what_is_no_batch,
)
from retrograde.autodiff.tape.tracked import Node, TrackedArray
from retrograde.errors import UsageError
from retrograde.planning import Budget
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import new_level
from retrograde.program.kinds import OTHER_MEANING, is_ndarray, other_meaning
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
        array = _as_array(array)
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
        self._check_ready("gradient", unconnected)
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
        with _Passing(self):
            gradients = self._pull(seeds, nodes, self.persistent)
        return containers.rebuild(sources, own(_connected(gradients, nodes, unconnected), given))

    def jacobian(self, target: Any, sources: Any, unconnected: Unconnected = "none") -> Any:
        """The Jacobian of a target with respect to the sources, by a backward pass for each element of the target.

        Args:
            target: a tracked real array.
            sources: a tracked real array, or a container of such.
            unconnected: as for `gradient`.

        Returns:
            The sources' container with Jacobians in place of the sources: each has the axes of the target, and behind
            them those of its source.

        Raises:
            UsageError: as `gradient`, and for complex arrays.

        Example:
            >>> import numpy as np
            >>> import retrograde as rg
            >>> with rg.GradientTape() as tape:
            ...     x = tape.watch(np.array([1.0, 2.0]))
            ...     y = x[::-1] * x[0]
            >>> tape.jacobian(y, x)
            array([[2., 1.],
                   [2., 0.]])
        """
        self._check_ready("jacobian", unconnected)
        node = self._node(target, "target", 0)
        nodes = [self._node(source, "source", position) for position, source in enumerate(containers.leaves(sources))]
        refuse_what_has_no_jacobian(node, nodes)
        with _Passing(self):
            found = jacobian_rows(node, nodes, lambda g, more: self._pull([(node, g)], nodes, more or self.persistent))
        if unconnected == "zero":
            shapes = [(*node.shape, *source.shape) for source in nodes]
            found = [
                np.zeros(shape, source.dtype) if by_source is None else by_source
                for by_source, shape, source in zip(found, shapes, nodes, strict=True)
            ]
        return containers.rebuild(sources, found)

    def batch_jacobian(self, target: Any, source: Any, unconnected: Unconnected = "none") -> Any:
        """The Jacobian of each example of a batch, where each is computed by itself.

        It takes a backward pass for each element of one example of the target, however many examples there are, and
        one more, which makes sure that no example depends on another.

        Args:
            target: a tracked real array; its first axis is that of the batch.
            source: the same.
            unconnected: as for `gradient`.

        Returns:
            An array: the axis of the batch, the other axes of the target, the other axes of the source.

        Raises:
            UsageError: as `jacobian`, and if the first axes differ, or examples depend on each other.

        Example:
            >>> import numpy as np
            >>> import retrograde as rg
            >>> with rg.GradientTape() as tape:
            ...     x = tape.watch(np.array([[1.0, 2.0], [3.0, 4.0]]))
            ...     y = x[:, ::-1] * x
            >>> tape.batch_jacobian(y, x)
            array([[[2., 1.],
                    [2., 1.]],
            <BLANKLINE>
                   [[4., 3.],
                    [4., 3.]]])
        """
        self._check_ready("batch_jacobian", unconnected)
        node, by = self._node(target, "target", 0), self._node(source, "source", 0)
        refuse_what_has_no_jacobian(node, [by])
        refuse_what_is_no_batch(node, by)
        with _Passing(self):
            found = batch_jacobian_rows(
                node, by, lambda g, more: self._pull([(node, g)], [by], more or self.persistent)
            )
        if found is None and unconnected == "zero":
            return np.zeros((*node.shape, *by.shape[1:]), by.dtype)
        return found

    def _check_ready(self, asked: str, unconnected: str) -> None:
        if unconnected not in ("none", "zero"):
            raise UsageError(f'unconnected={unconnected!r} was asked for; it is "none" or "zero"')
        if self._state in ("used", "new"):
            remedy = (
                "make it GradientTape(persistent=True) to call it again"
                if self._state == "used"
                else "record something first"
            )
            raise UsageError(f"{asked} was called on a tape that is {self._stage()}; {remedy}")

    def _pull(self, seeds: list[tuple[Node, Any]], nodes: list[Node], keep: bool) -> list[Any]:
        return (pull_back if self.border is None else self.border.pull_back)(seeds, nodes, keep=keep)

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


def _as_array(array: Any) -> Any:
    """What can be watched: an array or a number of NumPy's, or something that stands for an array in all of NumPy.

    Raises:
        UsageError: an array of a subclass that changes what operations mean.
    """
    if isinstance(array, OTHER_MEANING):
        raise other_meaning(array)
    if type(array) is np.memmap or not hasattr(array, "__array_function__"):
        return np.asarray(array)[()]
    return array


class _Passing:
    """While cotangents pass through a recording, which may be used up by it, nothing is recorded."""

    __slots__ = ("recorded", "tape")

    def __init__(self, tape: GradientTape) -> None:
        self.tape = tape
        self.recorded = tape.recording

    def __enter__(self) -> None:
        self.tape.recording = False

    def __exit__(self, *_: object) -> None:
        tape = self.tape
        tape.recording = self.recorded and tape.persistent
        if not tape.persistent:
            tape._state = "used"  # pyright: ignore[reportPrivateUsage]


def _connected(gradients: list[Any], nodes: list[Node], unconnected: Unconnected) -> list[Any]:
    if unconnected == "none":
        return gradients
    return [
        np.zeros(node.shape, node.dtype) if gradient is None else gradient
        for gradient, node in zip(gradients, nodes, strict=True)
    ]


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
        it. Such a value cannot be written, since derivatives read it; a copy of it can.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.grad(lambda x: x * rg.stop_gradient(x))(3.0)
        np.float64(3.0)
    """
    return containers.map_leaves(_plain, arrays)


def _plain(array: Any) -> Any:
    plain = PRIMITIVES["stop_gradient"](array)
    if plain is not array and is_ndarray(plain):
        plain = plain.view()
        plain.flags.writeable = False
    return plain
