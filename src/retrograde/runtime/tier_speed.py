"""How fast a folder takes storages and gives them back, measured the way that spilling uses it."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from retrograde.disk_cache import DiskCache
from retrograde.graph.units import parse_bytes
from retrograde.planning import Tier
from retrograde.runtime.disk import DiskTier

_SIZE = 16 * 2**20
_TIMES = 3
_known: dict[str, dict[str, float]] = {}


def measured_tier(
    folder: str | os.PathLike[str] | None = None, capacity: int | str | None = None, *, cache: bool = True
) -> Tier:
    """A folder as a planner sees it, its bandwidths and latency measured once.

    A few files of 16 MiB are written and read back, which takes a moment. What the operating system keeps in memory on
    the way counts as it will when storages are spilled. One thread does all copies: reads and writes share a channel.

    Args:
        folder: where files go; the system's folder for temporary files when left out.
        capacity: the most bytes that may lie there: an int, text such as ``"80 GiB"``, or None for no limit.
        cache: whether the figures are kept on disk, so that other processes plan with the same.

    Raises:
        TierError: the folder cannot be made, or written to.
        UsageError: the capacity means nothing.

    Example:
        >>> tier = measured_tier(tempfile.mkdtemp(), "1 GiB", cache=False)
        >>> tier.write_bytes_per_second > 0, tier.capacity_bytes
        (True, 1073741824)
    """
    capacity_bytes = None if capacity is None else parse_bytes(capacity)
    place = Path(tempfile.gettempdir() if folder is None else folder).resolve()
    key = hashlib.sha256(f"{platform.node()}\n{place}".encode()).hexdigest()[:32]
    figures = _known.get(key) or (_read(DiskCache("tiers").get(key)) if cache else None)
    if figures is None:
        figures = _measure(place)
        if cache:
            DiskCache("tiers").put(key, figures)
    _known[key] = figures
    return Tier(
        name=str(place),
        write_bytes_per_second=figures["write"],
        read_bytes_per_second=figures["read"],
        latency_seconds=figures["latency"],
        capacity_bytes=capacity_bytes,
    )


def _measure(place: Path) -> dict[str, float]:
    content = np.arange(_SIZE // 8, dtype=np.float64)
    with DiskTier(folder=place) as tier:
        _transfer(tier, content)
        large = [_transfer(tier, content) for _ in range(_TIMES)]
        small = [_transfer(tier, content[:1]) for _ in range(_TIMES)]
    latency = statistics.median(seconds for pair in small for seconds in pair)
    write, read = (statistics.median(pair[way] for pair in large) for way in (0, 1))
    return {
        "write": _two_digits(_SIZE / max(write - latency, 1e-6)),
        "read": _two_digits(_SIZE / max(read - latency, 1e-6)),
        "latency": _two_digits(latency),
    }


def _transfer(tier: DiskTier, content: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Seconds that it takes to write an array and to read it back."""
    target = np.empty_like(content)
    begin = time.perf_counter()
    tier.put("measured", content)
    written = time.perf_counter()
    tier.get_into("measured", target)
    end = time.perf_counter()
    tier.drop("measured")
    return written - begin, end - written


def _two_digits(figure: float) -> float:
    return float(f"{figure:.1e}")


def _read(document: Any) -> dict[str, float] | None:
    """Figures that were kept, if they are ones."""
    try:
        figures = {name: float(document[name]) for name in ("write", "read", "latency")}
    except (TypeError, KeyError, ValueError):
        return None
    return figures if figures["write"] > 0 and figures["read"] > 0 and figures["latency"] >= 0 else None
