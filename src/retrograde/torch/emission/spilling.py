"""Spilling in captured graphs: what emitted graphs call where their plan says ``Spill`` and ``Load``.

On the CPU the bytes of a storage go to a file, written and read by one background thread. On CUDA they go to pinned
host memory, copied on a stream of their own (written, and not run on a device yet).

A forward graph hands a spilled storage to its backward graph as a handle: a tensor of one number. When the last
reference to a handle goes, because the step was abandoned or its backward has loaded the storage, the bytes go, too.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from retrograde.errors import TierError
from retrograde.graph.units import format_bytes, parse_bytes
from retrograde.runtime import DiskTier

_numbers = itertools.count(1)
_spillers: weakref.WeakValueDictionary[int, Spiller] = weakref.WeakValueDictionary()
_handed_out: dict[int, SpilledStorage] = {}


class Spiller:
    """Where the storages of a planned graph go. Its folder is made with the first of them, and removed with it.

    Args:
        folder: where the bytes of CPU storages go; the system's folder for temporary files when left out.
        capacity: the most bytes that may be spilled at any moment: an int, text such as ``"80 GiB"``, or None for no
            limit.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, capacity: int | str | None = None) -> None:
        self.number = next(_numbers)
        self.folder = folder
        self.pinned = PinnedRoom(capacity)
        self._capacity = capacity
        self._tier: DiskTier | None = None
        _spillers[self.number] = self

    def __deepcopy__(self, _: dict[int, Any]) -> Spiller:
        # Copies of a graph, which PyTorch makes, spill to the same place.
        return self

    @property
    def tier(self) -> DiskTier:
        """The tier on disk, made on first use. Only the background thread asks for it."""
        if self._tier is None:
            self._tier = DiskTier(self._capacity, self.folder)
        return self._tier

    @property
    def used_bytes(self) -> int:
        """Bytes that are spilled now."""
        return self.pinned.used_bytes + (0 if self._tier is None else self._tier.used_bytes)


# What emitted graphs call


def begin_step(number: int) -> SpilledStep:
    """The start of a pass through a graph that spills; everything it spills is dropped together if spilling fails."""
    return SpilledStep(_spillers[number])


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
    return Loading(_handed_out[int(handle.item())])


def loaded_value(loading: Loading, value: int) -> torch.Tensor:
    """Wait for the copy if it is still under way, and return one of the values of the storage.

    Raises:
        TierError: the bytes cannot be read back.
    """
    return loading.value(value)


def _handle(spilled: SpilledStorage) -> torch.Tensor:
    number = next(_numbers)
    # The tensor lives on NumPy's memory, so that it takes none of the budget and its end can be noticed.
    content = np.array([number])
    _handed_out[number] = spilled
    weakref.finalize(content, _drop_handle, number).atexit = False
    return torch.from_numpy(content)


def _drop_handle(number: int) -> None:
    _handed_out.pop(number).discard()


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
        self._medium = _media(tensor)(step.spiller, _bytes_of(tensor))

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


def _bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    """The whole storage of a tensor as bytes, shared with it."""
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())


def _media(tensor: torch.Tensor) -> type[_OnDisk] | type[_InPinnedMemory]:
    return _InPinnedMemory if tensor.is_cuda else _OnDisk


# CPU: files, written and read by a thread of their own


class _OnDisk:
    """A storage in a file.

    The thread reads and writes through attributes that are cleared as soon as it is done, so that no reference of its
    own keeps memory that the plan counts as free.
    """

    def __init__(self, spiller: Spiller, content: torch.Tensor) -> None:
        self._spiller = spiller
        self._key = next(_numbers)
        self._owner = os.getpid()
        self._bytes = content.nbytes
        self._source: Any = content.numpy()
        self._target: Any = None
        self._writing = _thread.start(self._write)

    def finish(self) -> None:
        try:
            self._writing.wait()
        finally:
            self._source = None

    def load(self) -> tuple[torch.Tensor, Callable[[], None]]:
        content = torch.empty(self._bytes, dtype=torch.uint8)
        self._target = content.numpy()
        reading = _thread.start(self._read)

        def wait() -> None:
            try:
                reading.wait()
            finally:
                self._target = None

        return content, wait

    def discard(self) -> None:
        # What a forked child drops is still its parent's.
        if os.getpid() == self._owner:
            _thread.start(_Drop(self._spiller, self._key))

    def _write(self) -> None:
        self._spiller.tier.put(self._key, self._source)

    def _read(self) -> None:
        self._spiller.tier.get_into(self._key, self._target)
        self._spiller.tier.drop(self._key)


class _Drop:
    """Drops a key of a tier if it is still there."""

    def __init__(self, spiller: Spiller, key: int) -> None:
        self._spiller = spiller
        self._key = key

    def __call__(self) -> None:
        if self._key in self._spiller.tier:
            self._spiller.tier.drop(self._key)


class _Job:
    """Work for the thread, and what became of it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work
        self._done = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            assert self._work is not None
            self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._work = None
            self._done.set()

    def wait(self) -> None:
        self._done.wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class _Thread:
    """One background thread that does jobs in the order in which they come."""

    def __init__(self) -> None:
        # Jobs come from finalizers, too, which may interrupt a put: this queue allows that.
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None]) -> _Job:
        """Have the thread do something, after what it was asked for before."""
        job = _Job(work)
        self._jobs.put(job)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="retrograde-spilling", daemon=True)
                self._thread.start()
        return job

    def _run(self) -> None:
        while True:
            self._jobs.get().run()


_thread = _Thread()


def _forget_thread() -> None:
    global _thread
    _thread = _Thread()


# A forked child has no threads but the one that forked.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_thread)


# CUDA: pinned host memory, filled and emptied on a stream of its own


class PinnedRoom:
    """How many bytes of pinned host memory may be taken.

    Args:
        capacity: the most bytes, or None for no limit.
    """

    def __init__(self, capacity: int | str | None) -> None:
        self.capacity_bytes = None if capacity is None else parse_bytes(capacity)
        self.used_bytes = 0
        self._lock = threading.Lock()
        self._streams: dict[torch.device, torch.cuda.Stream] = {}

    def take(self, size: int) -> None:
        """Take room.

        Raises:
            TierError: there is not so much.
        """
        with self._lock:
            if self.capacity_bytes is not None and self.used_bytes + size > self.capacity_bytes:
                raise TierError(
                    f"{size} bytes ({format_bytes(size)}) do not fit into pinned host memory: {self.used_bytes} of the "
                    f"{self.capacity_bytes} bytes allowed are used"
                )
            self.used_bytes += size

    def give_back(self, size: int) -> None:
        """Give room back."""
        with self._lock:
            self.used_bytes -= size

    def stream(self, device: torch.device) -> torch.cuda.Stream:
        """The stream on which copies from and to a device run."""
        if device not in self._streams:
            self._streams[device] = torch.cuda.Stream(device)
        return self._streams[device]


class _InPinnedMemory:
    """A CUDA storage in pinned host memory."""

    def __init__(self, spiller: Spiller, content: torch.Tensor) -> None:
        self._room = spiller.pinned
        self._device = content.device
        self._source: torch.Tensor | None = content
        self._room.take(content.nbytes)
        self._taken_bytes = content.nbytes
        try:
            self._host: torch.Tensor | None = torch.empty(content.nbytes, dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            self.discard()
            raise TierError(f"{content.nbytes} bytes of pinned host memory cannot be had: {error}") from error
        self._copied = self._copy(self._host, content)

    def finish(self) -> None:
        # What the allocator puts into the place of the storage is ordered behind the copy; the host need not wait.
        torch.cuda.current_stream(self._device).wait_event(self._copied)
        self._source = None

    def load(self) -> tuple[torch.Tensor, Callable[[], None]]:
        assert self._host is not None
        content = torch.empty(self._host.nbytes, dtype=torch.uint8, device=self._device)
        copied = self._copy(content, self._host)

        def wait() -> None:
            torch.cuda.current_stream(self._device).wait_event(copied)
            self.discard()

        return content, wait

    def discard(self) -> None:
        taken, self._taken_bytes = self._taken_bytes, 0
        self._host = None
        if taken:
            self._room.give_back(taken)

    def _copy(self, target: torch.Tensor, source: torch.Tensor) -> torch.cuda.Event:
        stream = self._room.stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            target.copy_(source, non_blocking=True)
            return stream.record_event()
