"""How fast a folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrograde import TierError, UsageError
from retrograde.disk_cache import DiskCache
from retrograde.runtime import tier_speed
from retrograde.runtime.tier_speed import measured_tier


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing known in this process, and a cache of its own."""
    monkeypatch.setattr(tier_speed, "_known", {})
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path / "cache"))


def test_a_folder_is_measured_and_left_empty(tmp_path: Path) -> None:
    tier = measured_tier(tmp_path / "here", "1 MiB")
    assert tier.write_bytes_per_second > 0
    assert tier.read_bytes_per_second > 0
    assert tier.latency_seconds > 0
    assert (tier.capacity_bytes, tier.duplex) == (2**20, False)
    assert list((tmp_path / "here").iterdir()) == []


def test_it_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured_tier(tmp_path)
    monkeypatch.setattr(tier_speed, "_measure", lambda place: pytest.fail("measured twice"))
    assert measured_tier(tmp_path) == first
    tier_speed._known.clear()
    assert measured_tier(tmp_path) == first


def test_without_the_cache_nothing_is_kept_on_disk(tmp_path: Path) -> None:
    measured_tier(tmp_path / "here", cache=False)
    assert not (tmp_path / "cache").exists()


def test_figures_that_mean_nothing_are_measured_again(tmp_path: Path) -> None:
    tier = measured_tier(tmp_path)
    (kept,) = (tmp_path / "cache" / "tiers").glob("*.json")
    for broken in ({"write": 0, "read": 1, "latency": 0}, {"write": 1}, ["write"], None):
        DiskCache("tiers").put(kept.stem, broken)
        tier_speed._known.clear()
        assert measured_tier(tmp_path).write_bytes_per_second > 0
    assert tier.name == str(tmp_path.resolve())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TierError, match="no folder for spilled storages can be made"):
        measured_tier(tmp_path / "file" / "below")


def test_a_capacity_that_means_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an amount of bytes"):
        measured_tier(tmp_path, "much")
