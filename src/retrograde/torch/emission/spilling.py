"""Spilling in captured graphs: what emitted graphs call where their plan says ``Spill`` and ``Load``.

On the CPU the bytes of a storage go to a file, written and read by one background thread. On CUDA they go to pinned
host memory, copied on a stream of their own (written, and not run on a device yet).

A forward graph hands a spilled storage to its backward graph as a handle: an empty tensor, known by its storage. When
the last reference to it goes, because the step was abandoned or its backward has loaded the storage, the bytes go, too.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import torch

from retrograde.errors import TierError
from retrograde.graph.units import format_bytes
from retrograde.torch.emission.media import Spiller, medium_for, spiller_of

_handed_out: dict[int, SpilledStorage] = {}


# What emitted graphs call


def begin_step(number: int) -> SpilledStep:
    """The start of a pass through a graph that spills; everything it spills is dropped together if spilling fails."""
    return SpilledStep(spiller_of(number))


def begin_spill(step: SpilledStep, source: torch.Tensor | Loading) -> SpilledStorage:
    """Begin to copy the storage of a tensor, or one that was copied back, to the slower tier.

    The storage stays until ``finish_spill``.
    """
    if isinstance(source, Loading):
        spilled = step.spill(source.content())
        spilled.layouts = dict(source.layouts)
        return spilled
    return step.spill(source)


def finish_spill(spilled: SpilledStorage, values: tuple[int, ...], tensors: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Wait for the copy; from now on it stands for the storage.

    Args:
        spilled: what ``begin_spill`` returned.
        values: numbers of the values that live in the storage.
        tensors: a tensor for each of them.

    Returns:
        A handle.

    Raises:
        TierError: the tier is full or its medium failed; everything that the step has spilled is dropped.
    """
    for value, tensor in zip(values, tensors, strict=True):
        spilled.layouts[value] = (tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset())
    spilled.finish()
    return _handle(spilled)


def begin_load(handle: torch.Tensor) -> Loading:
    """Make room for a spilled storage and begin to copy it back."""
    return Loading(_handed_out[_key(handle)])


def loaded_value(loading: Loading, value: int) -> torch.Tensor:
    """Wait for the copy if it is still under way, and return one of the values of the storage.

    Raises:
        TierError: the bytes cannot be read back.
    """
    return loading.value(value)


def _handle(spilled: SpilledStorage) -> torch.Tensor:
    # The tensor lives on NumPy's memory, so that its end can be noticed.
    content = np.empty(0, dtype=np.int64)
    handle = torch.from_numpy(content)
    _handed_out[_key(handle)] = spilled
    weakref.finalize(content, _drop_handle, _key(handle)).atexit = False
    return handle


def _key(handle: torch.Tensor) -> int:
    return handle.untyped_storage()._cdata


def _drop_handle(key: int) -> None:
    _handed_out.pop(key).discard()


# A step, its storages, and their way back


class SpilledStep:
    """What one pass through a graph spills.

    Args:
        spiller: where to.
    """

    def __init__(self, spiller: Spiller) -> None:
        self.spiller = spiller
        self._storages: weakref.WeakSet[SpilledStorage] = weakref.WeakSet()

    def spill(self, tensor: torch.Tensor) -> SpilledStorage:
        """Begin to copy the storage of a tensor."""
        try:
            spilled = SpilledStorage(self, tensor)
        except TierError as error:
            raise self.failure(error, tensor.untyped_storage().nbytes()) from error
        self._storages.add(spilled)
        return spilled

    def failure(self, error: TierError, size: int) -> TierError:
        """What to raise when a storage cannot be spilled, with everything dropped that the step has spilled."""
        for spilled in list(self._storages):
            spilled.discard()
        error.with_traceback(None)
        return TierError(
            f"a training step cannot spill a storage of {size} bytes ({format_bytes(size)}): {error}. Ask for "
            "budgeted(..., spill_folder=…, spill_bytes=…) with more room, a larger budget, or another strategy; the "
            "step is lost, the next one may run"
        )


class SpilledStorage:
    """A storage on its way to the slower tier, or there.

    Args:
        step: the step that it belongs to.
        tensor: any tensor that lives in it.
    """

    def __init__(self, step: SpilledStep, tensor: torch.Tensor) -> None:
        self.step = step
        self.bytes = tensor.untyped_storage().nbytes()
        self.layouts: dict[int, tuple[torch.dtype, torch.Size, tuple[int, ...], int]] = {}
        self._medium = medium_for(tensor, step.spiller)

    def finish(self) -> None:
        """Wait until the copy is there, and let the storage go.

        Raises:
            TierError: it cannot be there.
        """
        try:
            self._medium.finish()
        except TierError as error:
            raise self.step.failure(error, self.bytes) from error

    def load(self) -> tuple[torch.Tensor, Callable[[], None]]:
        """A tensor of bytes that is being filled with the copy, and a function that waits until it is."""
        return self._medium.load()

    def discard(self) -> None:
        """Drop the copy, if there is one."""
        self._medium.discard()

    def __del__(self) -> None:
        # One that was begun and never handed over: its step failed.
        if hasattr(self, "_medium"):
            self._medium.discard()


class Loading:
    """A storage on its way back.

    Args:
        spilled: the storage.
    """

    def __init__(self, spilled: SpilledStorage) -> None:
        self.layouts = spilled.layouts
        self._content, self._wait = spilled.load()
        self._is_there = False

    def content(self) -> torch.Tensor:
        """The bytes of the storage, once they are there."""
        if not self._is_there:
            self._wait()
            self._is_there = True
        return self._content

    def value(self, number: int) -> torch.Tensor:
        """One of the values of the storage, once it is there."""
        content = self.content()
        dtype, shape, stride, offset = self.layouts[number]
        empty = torch.empty(0, dtype=dtype, device=content.device)
        return empty.set_(content.untyped_storage(), offset, shape, stride)
