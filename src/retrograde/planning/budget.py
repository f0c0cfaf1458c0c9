"""Budgets: bytes as a person writes them."""

from __future__ import annotations

import operator
import re
from typing import SupportsIndex

from retrograde.errors import UsageError
from retrograde.graph.units import format_bytes

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
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%|[A-Za-z]*)\s*")
_HELP = 'write an int of bytes, "8 GiB", "800 MB", or "40%" of the store-all peak'


class Budget:
    """The most bytes allocated during a call and still live, at any moment of the call.

    Several modules of one step share one ``Budget`` object.

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

    __slots__ = ("_bytes", "_percent")

    def __init__(self, amount: int | str | SupportsIndex | Budget) -> None:
        self._bytes: int | None = None
        self._percent: float | None = None
        if isinstance(amount, Budget):
            self._bytes, self._percent = amount._bytes, amount._percent
        elif isinstance(amount, str):
            self._read_text(amount)
        else:
            self._read_int(amount)

    def _read_int(self, amount: SupportsIndex) -> None:
        try:
            count = operator.index(amount)
        except TypeError:
            raise UsageError(f"a budget of {amount!r} is not understood; {_HELP}") from None
        if isinstance(amount, bool) or count <= 0:
            raise UsageError(f"a budget of {amount!r} bytes is not above 0; {_HELP}")
        self._bytes = count

    def _read_text(self, amount: str) -> None:
        match = _PATTERN.fullmatch(amount)
        unit = match[2].upper() if match else ""
        if match is None or (unit != "%" and unit not in _UNITS):
            raise UsageError(f"a budget of {amount!r} is not understood; {_HELP}")
        number = float(match[1])
        if unit == "%":
            if not 0 < number <= 100:
                raise UsageError(f"a budget of {amount!r} is not above 0 and at most 100 %; {_HELP}")
            self._percent = number
        else:
            self._read_int(int(number * _UNITS[unit]))

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
