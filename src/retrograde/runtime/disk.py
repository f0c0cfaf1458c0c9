"""A storage tier on disk: plain files of raw bytes, in a folder that never outlives its process for long."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np

from retrograde.errors import TierError
from retrograde.planning.budget import format_bytes
from retrograde.runtime.tiers import Array, Handle, Tier

_PREFIX = "retrograde-tier-"
_LOCK = "in-use"
_GRACE_SECONDS = 60.0
"""A folder younger than this may still be waiting for its owner to lock it."""

_logger = logging.getLogger("retrograde")


class DiskTier(Tier):
    """A tier on disk, in a folder of its own that is removed when the tier is closed, dropped, or the process exits.

    Folders left by processes that were killed are removed when the next tier is made in the same place.

    Args:
        capacity: the most bytes that it may hold: an int, ``"80 GiB"``, or None for what the disk has.
        folder: where to make its folder; the system's folder for temporary files when left out.

    Raises:
        UsageError: the capacity means nothing.
        TierError: the folder cannot be made; give another.

    Example:
        >>> import numpy
        >>> with DiskTier("1 MiB") as tier:
        ...     handle = tier.put("state", numpy.arange(3))
        ...     tier.get("state")
        array([0, 1, 2])
    """

    def __init__(self, capacity: int | str | None = None, folder: str | os.PathLike[str] | None = None) -> None:
        super().__init__(capacity)
        place = Path(tempfile.gettempdir() if folder is None else folder)
        remove_abandoned_folders(place)
        try:
            place.mkdir(parents=True, exist_ok=True)
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            lock = _take_lock(self.folder)
        except OSError as error:
            raise TierError(f"no folder for spilled storages can be made in {place}: {error}; give another") from error
        self._numbers = itertools.count()
        self._files: dict[Hashable, Path] = {}
        # A forked child inherits this finalizer and must not remove its parent's folder.
        self._finalizer = weakref.finalize(self, _remove_folder, self.folder, lock, os.getpid())

    def close(self) -> None:
        """Remove every file and the folder, and refuse further use. Closing twice is fine."""
        super().close()
        self._finalizer()

    @property
    def _description(self) -> str:
        return f"{type(self).__name__} in {self.folder}"

    def _write(self, handle: Handle, array: Array) -> None:
        path = self.folder / f"{next(self._numbers)}.bin"
        try:
            with path.open("xb", buffering=0) as file:
                _write_all(file.write, _bytes_of(np.ascontiguousarray(array)))
        except BaseException as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise TierError(
                    f"{handle.bytes} bytes ({format_bytes(handle.bytes)}) cannot be written to {self.folder}: {error}; "
                    f"free room there or give another folder ({self.used_bytes - handle.bytes} bytes are in use by "
                    "this tier)"
                ) from error
            raise
        self._files[handle.key] = path

    def _read(self, handle: Handle, array: Array) -> None:
        path = self._files[handle.key]
        try:
            with path.open("rb", buffering=0) as file:
                found = _read_all(file.readinto, _bytes_of(array))
        except OSError as error:
            raise TierError(
                f"{path} cannot be read back: {error}; what was spilled is lost, run the step again"
            ) from error
        if found != handle.bytes:
            raise TierError(
                f"{path} has {found} bytes and {handle.bytes} were written; what was spilled is lost, "
                "run the step again"
            )

    def _remove(self, handle: Handle) -> None:
        with contextlib.suppress(OSError):
            self._files.pop(handle.key).unlink(missing_ok=True)


def remove_abandoned_folders(place: Path) -> list[Path]:
    """Remove the folders of tiers whose process is gone.

    Args:
        place: the folder in which tiers make theirs.

    Returns:
        The folders that were removed.
    """
    removed: list[Path] = []
    for folder in sorted(place.glob(f"{_PREFIX}*")):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _GRACE_SECONDS and _is_unlocked(folder / _LOCK):
                shutil.rmtree(folder)
                removed.append(folder)
                _logger.info("removed %s, left by a process that is gone", folder)
    return removed


def _bytes_of(array: Array) -> memoryview:
    """The raw bytes of a C-contiguous array, shared with it."""
    if array.nbytes == 0:
        return memoryview(bytearray())
    return array.reshape(-1).view(np.uint8).data


def _write_all(write: Callable[[memoryview], int | None], content: memoryview) -> None:
    while content:
        content = content[write(content) or 0 :]


def _read_all(read_into: Callable[[memoryview], int | None], content: memoryview) -> int:
    found = 0
    while content and (count := read_into(content)):
        content = content[count:]
        found += count
    return found


def _remove_folder(folder: Path, lock: int, owner: int) -> None:
    if os.getpid() == owner:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _take_lock(folder: Path) -> int:
    """Open a lock file in the folder and hold it while this process lives. Windows holds any open file by itself."""
    try:
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR)
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return lock


def _is_unlocked(path: Path) -> bool:
    """Whether nobody holds the lock file any more."""
    if not path.exists():
        return True
    if sys.platform == "win32":
        path.unlink()
        return True
    import fcntl

    lock = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(lock)
    return True
