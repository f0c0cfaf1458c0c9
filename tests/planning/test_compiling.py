"""Machine code of kernels does not outlive their sources."""

from __future__ import annotations

from pathlib import Path

from retrograde.planning.compiling import drop_stale_kernels


def test_code_is_dropped_when_the_source_of_any_kernel_changes(tmp_path: Path) -> None:
    room = tmp_path / "room"
    cache = room / "__pycache__"
    cache.mkdir(parents=True)
    (room / "kernels.py").write_text("one = 1")
    (room / "other_kernels.py").write_text("two = 2")
    code = cache / "kernels.one-1.py311.nbi"
    code.write_text("old")
    assert drop_stale_kernels(tmp_path)
    assert not code.exists()
    code.write_text("new")
    assert not drop_stale_kernels(tmp_path)
    assert code.exists()
    (room / "other_kernels.py").write_text("two = 3")
    assert drop_stale_kernels(tmp_path)
    assert not code.exists()


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text("one = 1")
    (tmp_path / "__pycache__").write_text("a file where the folder should be")
    assert drop_stale_kernels(tmp_path)
    assert (tmp_path / "__pycache__").is_file()
