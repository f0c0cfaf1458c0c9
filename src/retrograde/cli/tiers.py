"""Tiers as a command line writes them: ``disk:write=2GB/s,read=3GB/s,latency=1ms,capacity=80GiB,duplex``."""

from __future__ import annotations

import re

from retrograde.errors import UsageError
from retrograde.graph.units import parse_bytes
from retrograde.planning import Tier

_HELP = 'write it as "disk:write=2GB/s,read=3GB/s", with latency=1ms, capacity=80GiB and duplex if you know them'
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_LATENCY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|ms|us)\s*")


def parse_tier(text: str) -> Tier:
    """A tier out of text.

    Raises:
        UsageError: the text means nothing, or the tier does not.

    Example:
        >>> parse_tier("disk:write=2GB/s,read=3GB/s,latency=1ms")
        Tier(name='disk', write_bytes_per_second=2000000000, read_bytes_per_second=3000000000, \
latency_seconds=0.001, capacity_bytes=None, duplex=False)
    """
    name, _, rest = text.partition(":")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        key, _, value = part.partition("=")
        if key.strip() in fields:
            raise UsageError(f"the tier {text!r} says {key.strip()!r} twice; {_HELP}")
        fields[key.strip()] = value.strip()
    unknown = sorted(set(fields) - {"write", "read", "latency", "capacity", "duplex"})
    missing = [key for key in ("write", "read") if key not in fields]
    if not name.strip() or unknown or missing or fields.get("duplex", ""):
        raise UsageError(f"the tier {text!r} is not understood; {_HELP}")
    return Tier(
        name=name.strip(),
        write_bytes_per_second=_speed(text, fields["write"]),
        read_bytes_per_second=_speed(text, fields["read"]),
        latency_seconds=_latency(text, fields.get("latency", "0s")),
        capacity_bytes=_size(text, fields["capacity"]) if "capacity" in fields else None,
        duplex="duplex" in fields,
    )


def _speed(text: str, speed: str) -> int:
    if not speed.endswith("/s"):
        raise UsageError(f"the tier {text!r} has a speed of {speed!r}, which is not in bytes per second; {_HELP}")
    return _size(text, speed.removesuffix("/s"))


def _size(text: str, size: str) -> int:
    try:
        return parse_bytes(int(size) if size.isdecimal() else size)
    except UsageError as error:
        raise UsageError(f"the tier {text!r} is not understood: {error}; {_HELP}") from error


def _latency(text: str, latency: str) -> float:
    match = _LATENCY.fullmatch(latency)
    if match is None:
        raise UsageError(f"the tier {text!r} has a latency of {latency!r}, which is not in s, ms or us; {_HELP}")
    return float(match[1]) * _SECONDS[match[2]]
