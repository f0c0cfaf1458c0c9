"""Budgets: bytes as a person writes them."""

from __future__ import annotations

import re
from typing import SupportsIndex

from retrograde.errors import UsageError
from retrograde.graph.units import format_bytes, parse_bytes

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_HELP = 'write an int of bytes, "8 GiB", "800 MB", or "40%" of the store-all peak'


class Budget:
    """The most bytes allocated during a call and still live, at any moment of the call.

    Args:
        amount: an ``int`` of bytes above 0, or text: ``"8 GiB"``, ``"800 MB"``, or ``"40%"`` (above 0, at most 100)
            of the store-all peak of the graph that is planned.

    Raises:
        UsageError: the amount is none of these.

    Example:
        >>> Budget("1.5 KiB").resolve(store_all_peak_bytes=0)
        1536
        >>> Budget("40%").resolve(store_all_peak_bytes=1000)
        400
    """

    __slots__ = ("__weakref__", "_bytes", "_percent")

    def __init__(self, amount: int | str | SupportsIndex | Budget) -> None:
        self._bytes: int | None = None
        self._percent: float | None = None
        if isinstance(amount, Budget):
            self._bytes, self._percent = amount._bytes, amount._percent
        elif isinstance(amount, str) and _PERCENT.fullmatch(amount):
            self._percent = _read_percent(amount)
        else:
            self._bytes = _read_bytes(amount)

    @property
    def bytes(self) -> int | None:
        """The budget in bytes, if it is not a percentage."""
        return self._bytes

    def resolve(self, store_all_peak_bytes: int) -> int:
        """The budget in bytes, for a graph with the given store-all peak (which only a budget in percent uses)."""
        if self._percent is not None:
            return int(store_all_peak_bytes * self._percent / 100)
        assert self._bytes is not None
        return self._bytes

    def __repr__(self) -> str:
        return f'Budget("{self._percent:g}%")' if self._percent is not None else f"Budget({self._bytes})"

    def __str__(self) -> str:
        return f"{self._percent:g}%" if self._percent is not None else format_bytes(self._bytes or 0)


def _read_percent(amount: str) -> float:
    percent = float(amount.strip().rstrip("%"))
    if not 0 < percent <= 100:
        raise UsageError(f"a budget of {amount!r} is not above 0 and at most 100 %; {_HELP}")
    return percent


def _read_bytes(amount: str | SupportsIndex) -> int:
    try:
        count = parse_bytes(amount)
    except UsageError:
        raise UsageError(f"a budget of {amount!r} is not understood; {_HELP}") from None
    if count == 0:
        raise UsageError(f"a budget of {amount!r} is not above 0; {_HELP}")
    return count
