"""Where spilled storages go: files for the CPU, pinned host memory for CUDA."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch

from retrograde.errors import TierError
from retrograde.graph.units import format_bytes, parse_bytes
from retrograde.runtime import DiskTier
from retrograde.runtime.background import in_background

_numbers = itertools.count(1)
_of_options: weakref.WeakKeyDictionary[object, Spiller] = weakref.WeakKeyDictionary()
_spillers: weakref.WeakValueDictionary[int, Spiller] = weakref.WeakValueDictionary()


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


def spiller_for(options: object, folder: str | os.PathLike[str] | None, capacity: int | str | None) -> Spiller:
    """The spiller of some options: all graphs that were captured with them share it, and its capacity."""
    if options not in _of_options:
        _of_options[options] = Spiller(folder, capacity)
    return _of_options[options]


def spiller_of(number: int) -> Spiller:
    """The spiller that has a number; graphs hold numbers only."""
    return _spillers[number]


def medium_for(tensor: torch.Tensor, spiller: Spiller) -> OnDisk | InPinnedMemory:
    """Begin to copy the storage of a tensor to where it can go."""
    content = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())
    return InPinnedMemory(spiller, content) if tensor.is_cuda else OnDisk(spiller, content)


class OnDisk:
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
        self._writing = in_background(self._write)

    def finish(self) -> None:
        try:
            self._writing.wait()
        finally:
            self._source = None

    def load(self) -> tuple[torch.Tensor, Callable[[], None]]:
        content = torch.empty(self._bytes, dtype=torch.uint8)
        self._target = content.numpy()
        reading = in_background(self._read)

        def wait() -> None:
            try:
                reading.wait()
            finally:
                self._target = None

        return content, wait

    def discard(self) -> None:
        # What a forked child drops is still its parent's.
        if os.getpid() == self._owner:
            in_background(_Drop(self._spiller, self._key))

    def _write(self) -> None:
        self._spiller.tier.put(self._key, self._source)

    def _read(self) -> None:
        self._spiller.tier.get_into(self._key, self._target)


class _Drop:
    """Drops a key of a tier if it is still there."""

    def __init__(self, spiller: Spiller, key: int) -> None:
        self._spiller = spiller
        self._key = key

    def __call__(self) -> None:
        if self._key in self._spiller.tier:
            self._spiller.tier.drop(self._key)


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


class InPinnedMemory:
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
