"""Bytes as people write and read them."""

from __future__ import annotations

import operator
import re
from typing import SupportsIndex

from retrograde.errors import UsageError

_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_bytes(amount: str | SupportsIndex) -> int:
    """Bytes out of an int of 0 or more, or text with a unit.

    Raises:
        UsageError: the amount is neither.

    Example:
        >>> parse_bytes("1.5 KiB")
        1536
    """
    if isinstance(amount, str):
        match = _PATTERN.fullmatch(amount)
        if match is None or match[2].upper() not in _UNITS:
            raise UsageError(f'{amount!r} is not an amount of bytes; write an int, "8 GiB" or "800 MB"')
        return int(float(match[1]) * _UNITS[match[2].upper()])
    try:
        count = operator.index(amount)
    except TypeError:
        raise UsageError(f'{amount!r} is not an amount of bytes; write an int, "8 GiB" or "800 MB"') from None
    if isinstance(amount, bool) or count < 0:
        raise UsageError(f"{amount!r} is not an amount of bytes of 0 or more")
    return count


def format_bytes(count: float) -> str:
    """Bytes as messages and tables write them.

    Example:
        >>> format_bytes(1536)
        '1.50 KiB'
    """
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TiB"
