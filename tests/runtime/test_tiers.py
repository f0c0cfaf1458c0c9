"""Storage tiers: what comes back is what was put, the bytes stay bounded, and nothing is left behind."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from retrograde.errors import TierError, UsageError
from retrograde.runtime import DiskTier, MemoryTier, Tier
from retrograde.runtime import disk as disk_module

MakeTier = Callable[..., Tier]


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeTier:
    def make_tier(capacity: int | str | None = None) -> Tier:
        return MemoryTier(capacity) if request.param == "memory" else DiskTier(capacity, folder=tmp_path)

    return make_tier


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.array(3.5, dtype=np.float32),
        np.zeros((0, 5), dtype=np.int16),
        np.zeros((), dtype="S0"),
        np.arange(24).reshape(2, 3, 4)[:, ::2, ::-1],
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array([1 + 2j, float("nan")], dtype=np.complex64),
        np.array([True, False]),
        np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
        np.arange(3, dtype=">i4"),
        np.array([(1, 2.0)], dtype=[("a", "i1"), ("b", "f8")]),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_content_shape_and_dtype_come_back(make: MakeTier, array: np.ndarray[Any, Any]) -> None:
    with make() as tier:
        handle = tier.put("key", array)
        back = tier.get("key")
        assert back.tobytes() == array.tobytes()
        assert (back.shape, back.dtype) == (array.shape, array.dtype) == (handle.shape, handle.dtype)
        assert handle.bytes == array.nbytes == tier.used_bytes
        assert back.flags.c_contiguous
        assert back.flags.writeable


def test_content_is_read_into_an_array_that_is_there(make: MakeTier) -> None:
    array, target = np.arange(6, dtype=np.int16).reshape(2, 3), np.zeros((2, 3), dtype=np.int16)
    with make() as tier:
        tier.put("key", array)
        tier.get_into("key", target)
        assert (target == array).all()
        assert "key" in tier
        for wrong in (np.zeros(6, dtype=np.int16), np.zeros((2, 3)), np.zeros((3, 2), dtype=np.int16).T):
            with pytest.raises(UsageError, match=r"key 'key' holds int16\[2, 3\], .*; give a C-contiguous one"):
                tier.get_into("key", wrong)
        with pytest.raises(TierError, match="nothing under key 'other'"):
            tier.get_into("other", target)


@given(array=hnp.arrays(dtype=hnp.scalar_dtypes(), shape=hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_any_array_comes_back_from_disk(array: np.ndarray[Any, Any]) -> None:
    with DiskTier() as tier:
        tier.put(0, array)
        back = tier.take(0)
    assert (back.tobytes(), back.shape, back.dtype) == (array.tobytes(), array.shape, array.dtype)


def test_plain_buffers_are_taken(make: MakeTier) -> None:
    with make() as tier:
        tier.put("buffer", memoryview(b"abc"))
        assert tier.get("buffer").tobytes() == b"abc"


def test_what_is_put_and_what_is_got_are_copies(make: MakeTier) -> None:
    array = np.zeros(3)
    with make() as tier:
        tier.put("key", array)
        array[:] = 7
        tier.get("key")[:] = 8
        assert tier.get("key").tolist() == [0, 0, 0]


def test_used_bytes_follow_what_is_held(make: MakeTier) -> None:
    with make("1 KiB") as tier:
        assert tier.capacity_bytes == 1024
        tier.put("a", np.zeros(64))
        tier.put("b", np.zeros(64))
        assert (tier.used_bytes, tier.keys, len(tier), "a" in tier) == (1024, ("a", "b"), 2, True)
        tier.drop("a")
        assert tier.take("b").shape == (64,)
        assert (tier.used_bytes, tier.keys, "a" in tier) == (0, (), False)


def test_a_full_tier_names_the_sizes_and_keeps_nothing(make: MakeTier) -> None:
    with make(100) as tier:
        tier.put("a", np.zeros(8))
        with pytest.raises(
            TierError, match=r"80 bytes \(80 B\) do not fit into this \w+.*: 64 of its 100 bytes are used"
        ):
            tier.put("b", np.zeros(10))
        assert tier.keys == ("a",)
        tier.put("c", np.zeros(4))


def test_wrong_keys_are_refused(make: MakeTier) -> None:
    with make() as tier:
        tier.put("a", [1])
        with pytest.raises(TierError, match="key 'a' is in the tier already; drop it first"):
            tier.put("a", [2])
        assert tier.get("a").tolist() == [1]
        for attempt in (tier.get, tier.drop, tier.take):
            with pytest.raises(TierError, match="nothing under key 'b' in the tier; it holds 1 arrays"):
                attempt("b")


def test_objects_are_refused(make: MakeTier) -> None:
    with make() as tier, pytest.raises(UsageError, match="has Python objects inside; convert it"):
        tier.put("a", np.array([None]))


def test_a_closed_tier_is_refused(make: MakeTier) -> None:
    tier = make()
    tier.put("a", [1])
    tier.close()
    tier.close()
    assert tier.used_bytes == 0
    for attempt in (lambda: tier.put("b", [1]), lambda: tier.get("a"), lambda: tier.drop("a"), tier.__enter__):
        with pytest.raises(TierError, match=r"this \w+ is closed; make a new one"):
            attempt()


@pytest.mark.parametrize("capacity", [0, -1, "40%", "8 GiBs", 1.5])
def test_a_capacity_that_means_nothing_is_refused(make: MakeTier, capacity: Any) -> None:
    with pytest.raises(UsageError, match="is not"):
        make(capacity)


def test_two_threads_cannot_both_take_the_last_room(make: MakeTier) -> None:
    refused: list[int] = []
    with make(8 * 100) as tier:

        def put(number: int) -> None:
            try:
                tier.put(number, np.zeros(10))
            except TierError:
                refused.append(number)

        threads = [threading.Thread(target=put, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(tier), len(refused), tier.used_bytes) == (10, 10, 800)


# On disk only.


def test_the_folder_goes_when_the_block_ends_after_an_exception_too(tmp_path: Path) -> None:
    def fail() -> None:
        with DiskTier(folder=tmp_path) as tier:
            tier.put("a", np.zeros(10))
            assert len(list(tier.folder.glob("*.bin"))) == 1
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_dropped_array_leaves_no_file(tmp_path: Path) -> None:
    with DiskTier(folder=tmp_path) as tier:
        tier.put("a", np.zeros(10))
        tier.drop("a")
        assert list(tier.folder.glob("*.bin")) == []


def test_the_folder_goes_with_the_last_reference(tmp_path: Path) -> None:
    tier = DiskTier(folder=tmp_path)
    tier.put("a", np.zeros(10))
    del tier
    gc.collect()
    assert list(tmp_path.iterdir()) == []


PROGRAM = """
import os, signal, sys, numpy
from retrograde.runtime import DiskTier
tier = DiskTier(folder=sys.argv[1])
tier.put("a", numpy.zeros(10))
{then}
"""


def run_program(then: str, folder: Path) -> int:
    return subprocess.run([sys.executable, "-c", PROGRAM.format(then=then), str(folder)], check=False).returncode


def test_the_folder_goes_when_the_process_exits(tmp_path: Path) -> None:
    assert run_program("sys.exit(3)", tmp_path) == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_leaves_its_parents_folder_alone(tmp_path: Path) -> None:
    then = "pid = os.fork()\nif pid == 0: sys.exit(0)\nos.waitpid(pid, 0)\nassert tier.get('a').shape == (10,)"
    assert run_program(then, tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_the_folder_of_a_killed_process_goes_when_the_next_tier_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_program("os.kill(os.getpid(), signal.SIGKILL)", tmp_path) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with DiskTier(folder=tmp_path):
        assert left.exists(), "a folder this young may still be waiting for its lock"
    in_use = DiskTier(folder=tmp_path)
    an_hour_ago = time.time() - 3600
    for folder in (left, in_use.folder):
        os.utime(folder, (an_hour_ago, an_hour_ago))
    assert disk_module.remove_abandoned_folders(tmp_path) == [left]
    assert list(tmp_path.iterdir()) == [in_use.folder]
    in_use.close()


def test_an_abandoned_folder_without_a_lock_file_goes(tmp_path: Path) -> None:
    left = tmp_path / "retrograde-tier-1"
    left.mkdir()
    os.utime(left, (0, 0))
    with DiskTier(folder=tmp_path):
        assert not left.exists()


class FullDisk:
    """A file that takes a little and then says that the disk is full."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.taken = 0

    def __call__(self, content: memoryview) -> int:
        if self.taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.taken = self.file.write(content[:7])
        return self.taken


def test_a_full_disk_is_reported_and_leaves_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all = disk_module._write_all  # pyright: ignore[reportPrivateUsage]
    with DiskTier(folder=tmp_path) as tier:
        tier.put("a", np.arange(5))
        with monkeypatch.context() as patch:
            patch.setattr(
                disk_module, "_write_all", lambda write, content: write_all(FullDisk(write.__self__), content)
            )
            with pytest.raises(TierError, match=r"800 bytes \(800 B\) cannot be written to .*No space left") as caught:
                tier.put("b", np.zeros(100))
        assert isinstance(caught.value.__cause__, OSError)
        assert len(list(tier.folder.glob("*.bin"))) == 1
        assert (tier.keys, tier.used_bytes) == (("a",), 40)
        tier.put("b", np.zeros(100))
        assert tier.get("a").tolist() == [0, 1, 2, 3, 4]


def test_an_interrupted_write_leaves_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(write: Any, content: memoryview) -> None:
        write(content[:3])
        raise KeyboardInterrupt

    with DiskTier(folder=tmp_path) as tier:
        monkeypatch.setattr(disk_module, "_write_all", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tier.put("a", np.zeros(100))
        assert list(tier.folder.glob("*.bin")) == []
        assert tier.used_bytes == 0


def test_short_writes_are_continued() -> None:
    written = bytearray()

    def write(content: memoryview) -> int:
        written.extend(content[:3])
        return len(content[:3])

    disk_module._write_all(write, memoryview(b"0123456789"))  # pyright: ignore[reportPrivateUsage]
    assert written == b"0123456789"


def test_a_file_that_was_cut_short_is_reported(tmp_path: Path) -> None:
    with DiskTier(folder=tmp_path) as tier:
        tier.put("a", np.zeros(10))
        (path,) = tier.folder.glob("*.bin")
        os.truncate(path, 16)
        with pytest.raises(TierError, match="has 16 bytes and 80 were written; what was spilled is lost"):
            tier.get("a")


def test_a_file_that_is_gone_is_reported(tmp_path: Path) -> None:
    with DiskTier(folder=tmp_path) as tier:
        tier.put("a", np.zeros(10))
        (path,) = tier.folder.glob("*.bin")
        path.unlink()
        with pytest.raises(TierError, match=r"cannot be read back: .*; what was spilled is lost, run the step again"):
            tier.get("a")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(TierError, match=r"no folder for spilled storages can be made in .*; give another"):
        DiskTier(folder=file)
