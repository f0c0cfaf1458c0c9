"""Storage tiers: slower places for storages that do not fit, with a bounded size. This file: the tier in memory."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograde.errors import TierError, UsageError
from retrograde.planning.budget import Budget, format_bytes

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Handle:
    """What a tier holds under a key.

    Attributes:
        key: as it was given.
        bytes: size of the content.
        shape: of the array.
        dtype: of the array.
    """

    key: Hashable
    bytes: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Tier(ABC):
    """A place for arrays with a bounded size. Used as a context manager, it is closed at the end of the block.

    Args:
        capacity: the most bytes that it may hold: an int, ``"8 GiB"``, or None for no limit.

    Raises:
        UsageError: the capacity is none of these.
    """

    def __init__(self, capacity: int | str | None = None) -> None:
        self.capacity_bytes = None if capacity is None else _read_capacity(capacity)
        self._handles: dict[Hashable, Handle] = {}
        self._used_bytes = 0
        self._closed = False
        self._lock = threading.Lock()

    # What a tier must know how to do.

    @abstractmethod
    def _write(self, handle: Handle, array: Array) -> None:
        """Keep an array; leave nothing behind on failure."""

    @abstractmethod
    def _read(self, handle: Handle, array: Array) -> None:
        """Copy the content into an array of its shape and dtype, C-contiguous."""

    @abstractmethod
    def _remove(self, handle: Handle) -> None:
        """Give up what is kept for the handle."""

    # What every tier does.

    @property
    def used_bytes(self) -> int:
        """Bytes that it holds now."""
        return self._used_bytes

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """Keys of what it holds, in the order in which it came."""
        return tuple(self._handles)

    def put(self, key: Hashable, array: ArrayLike) -> Handle:
        """Copy an array into the tier.

        Args:
            key: to get it back by.
            array: any shape and any dtype but those with Python objects inside; anything NumPy reads as an array.

        Returns:
            A handle that tells what is held.

        Raises:
            TierError: the tier is full, closed, has the key already, or its medium failed; nothing was kept.
            UsageError: the array has Python objects inside.
        """
        content = np.asarray(array)
        if content.dtype.hasobject:
            raise UsageError(
                f"a tier keeps bytes, and an array of {content.dtype} has Python objects inside; convert it"
            )
        handle = Handle(key, content.nbytes, content.shape, content.dtype)
        with self._lock:
            self._check_open()
            if key in self._handles:
                raise TierError(f"key {key!r} is in the tier already; drop it first")
            self._check_room(handle)
            # Room is taken before the slow writing begins, so that two threads cannot both take the last of it.
            self._handles[key] = handle
            self._used_bytes += handle.bytes
        try:
            self._write(handle, content)
        except BaseException:
            self._forget(handle)
            raise
        return handle

    def get(self, key: Hashable) -> Array:
        """A new array, C-contiguous, with the content, shape and dtype of what was put; the tier keeps its own.

        Raises:
            TierError: no such key, the tier is closed, or its medium failed.
        """
        self._check_open()
        handle = self._handle(key)
        array = np.empty(handle.shape, handle.dtype)
        self._read(handle, array)
        return array

    def get_into(self, key: Hashable, array: Array) -> None:
        """Copy what is held under a key into an array that is there already.

        Args:
            key: as it was given.
            array: of the shape and dtype of what was put, C-contiguous.

        Raises:
            TierError: as ``get``.
            UsageError: the array is of another shape or dtype, or not contiguous.
        """
        self._check_open()
        handle = self._handle(key)
        if (array.shape, array.dtype) != (handle.shape, handle.dtype) or not array.flags.c_contiguous:
            raise UsageError(
                f"key {key!r} holds {handle.dtype}{list(handle.shape)}, and the array to read it into is "
                f"{array.dtype}{list(array.shape)}; give a C-contiguous one of the same shape and dtype"
            )
        self._read(handle, array)

    def drop(self, key: Hashable) -> None:
        """Give up what is held under a key.

        Raises:
            TierError: no such key, or the tier is closed.
        """
        self._check_open()
        handle = self._handle(key)
        self._forget(handle)
        self._remove(handle)

    def take(self, key: Hashable) -> Array:
        """``get``, then ``drop``: what loading a spilled storage means.

        Raises:
            TierError: as ``get``.
        """
        array = self.get(key)
        self.drop(key)
        return array

    def clear(self) -> None:
        """Give up everything that is held; the tier stays open."""
        for key in self.keys:
            self.drop(key)

    def close(self) -> None:
        """Give up everything and refuse further use. Closing twice is fine."""
        if not self._closed:
            self.clear()
            self._closed = True

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._handles

    def __len__(self) -> int:
        return len(self._handles)

    @property
    def _description(self) -> str:
        return type(self).__name__

    def _forget(self, handle: Handle) -> None:
        with self._lock:
            del self._handles[handle.key]
            self._used_bytes -= handle.bytes

    def _handle(self, key: Hashable) -> Handle:
        try:
            return self._handles[key]
        except KeyError:
            raise TierError(f"there is nothing under key {key!r} in the tier; it holds {len(self)} arrays") from None

    def _check_open(self) -> None:
        if self._closed:
            raise TierError(f"this {type(self).__name__} is closed; make a new one")

    def _check_room(self, handle: Handle) -> None:
        if self.capacity_bytes is not None and self._used_bytes + handle.bytes > self.capacity_bytes:
            raise TierError(
                f"{handle.bytes} bytes ({format_bytes(handle.bytes)}) do not fit into this {self._description}: "
                f"{self._used_bytes} of its {self.capacity_bytes} bytes are used; drop something or give it more"
            )


class MemoryTier(Tier):
    """A tier in the host's memory: for storages of a device with less of it.

    Args:
        capacity: the most bytes that it may hold: an int, ``"8 GiB"``, or None for no limit.

    Raises:
        UsageError: the capacity is none of these.

    Example:
        >>> with MemoryTier("1 KiB") as tier:
        ...     handle = tier.put("state", [1.0, 2.0])
        ...     print(handle.bytes, tier.used_bytes, tier.take("state"), tier.used_bytes)
        16 16 [1. 2.] 0
    """

    def __init__(self, capacity: int | str | None = None) -> None:
        super().__init__(capacity)
        self._arrays: dict[Hashable, Array] = {}

    def _write(self, handle: Handle, array: Array) -> None:
        self._arrays[handle.key] = np.array(array, copy=True, order="C")

    def _read(self, handle: Handle, array: Array) -> None:
        np.copyto(array, self._arrays[handle.key], casting="no")

    def _remove(self, handle: Handle) -> None:
        del self._arrays[handle.key]


def _read_capacity(capacity: int | str) -> int:
    amount = Budget(capacity)
    if str(amount).endswith("%"):
        raise UsageError(f'a capacity of {capacity!r} is not understood; write an int of bytes or "8 GiB"')
    return amount.resolve(0)
