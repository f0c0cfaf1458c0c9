"""What slower tiers change: a storage may be absent at a cut and come back without being computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from retrograde.errors import UsageError


class SlowerTier(Protocol):
    """A slower place for storages: ``retrograde.planning.transfers.Tier`` is one."""

    @property
    def write_bytes_per_second(self) -> float: ...
    @property
    def read_bytes_per_second(self) -> float: ...
    @property
    def capacity_bytes(self) -> int | None: ...


@dataclass(frozen=True)
class Channel:
    """All tiers as one that is at least as good: their bandwidths and capacities added up.

    Attributes:
        write_cost: seconds for each byte that goes there.
        read_cost: seconds for each byte that comes back.
        capacity_bytes: the most that it holds; None for no limit.
    """

    write_cost: Fraction
    read_cost: Fraction
    capacity_bytes: int | None = None


def channel_of(tiers: Sequence[SlowerTier]) -> Channel | None:
    """The channel that stands for some tiers, None for none. Latencies and shared channels are left out.

    Raises:
        UsageError: a bandwidth that is not above 0.

    Example:
        >>> from types import SimpleNamespace
        >>> disk = SimpleNamespace(write_bytes_per_second=2.0, read_bytes_per_second=4.0, capacity_bytes=None)
        >>> channel_of([disk, disk])
        Channel(write_cost=Fraction(1, 4), read_cost=Fraction(1, 8), capacity_bytes=None)
    """
    if not tiers:
        return None
    for tier in tiers:
        for name in ("write_bytes_per_second", "read_bytes_per_second"):
            speed = getattr(tier, name)
            if not (math.isfinite(speed) and speed > 0):
                raise UsageError(f"a tier's {name} must be above 0 and finite, found {speed!r}")
    write = sum((Fraction(t.write_bytes_per_second) for t in tiers), Fraction(0))
    read = sum((Fraction(t.read_bytes_per_second) for t in tiers), Fraction(0))
    capacities = [t.capacity_bytes for t in tiers]
    limited = [c for c in capacities if c is not None]
    return Channel(1 / write, 1 / read, sum(limited) if len(limited) == len(capacities) else None)
