"""Documents on disk: atomic, checked, and never in the way."""

import logging
from pathlib import Path

import pytest

from retrograde.disk_cache import DiskCache, default_cache_folder


def test_what_was_put_is_got_by_another_instance(tmp_path):
    DiskCache("kind", tmp_path).put("key", {"a": [1, 2.5, None]})
    assert DiskCache("kind", tmp_path).get("key") == {"a": [1, 2.5, None]}
    assert [p.name for p in (tmp_path / "kind").iterdir()] == ["key.json"]


def test_an_absent_key_is_none(tmp_path):
    assert DiskCache("kind", tmp_path).get("key") is None


@pytest.mark.parametrize("content", [b"", b"no digest", b"0" * 64 + b"\n{}", b"\xff\xff\n{}"])
def test_corrupt_entries_count_as_absent_and_are_replaced(tmp_path, content, caplog):
    DiskCache("kind", tmp_path).put("key", 1)
    (tmp_path / "kind" / "key.json").write_bytes(content)
    with caplog.at_level(logging.WARNING, logger="retrograde"):
        assert DiskCache("kind", tmp_path).get("key") is None
    assert "key.json is corrupt" in caplog.text
    DiskCache("kind", tmp_path).put("key", 2)
    assert DiskCache("kind", tmp_path).get("key") == 2


def test_without_a_writable_folder_documents_last_for_the_process(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    cache = DiskCache("kind", blocker)
    cache.put("key", 3)
    assert cache.get("key") == 3
    assert DiskCache("kind", blocker).get("key") is None


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    cache = DiskCache("kind", tmp_path)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    cache.put("key", 3)
    assert list((tmp_path / "kind").iterdir()) == []


def test_the_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", "/chosen")
    assert default_cache_folder() == Path("/chosen")
    monkeypatch.delenv("RETROGRADE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_cache_folder() == Path("/cache/retrograde")
