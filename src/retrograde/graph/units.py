"""Bytes as people read them."""

from __future__ import annotations


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
