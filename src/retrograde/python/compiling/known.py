"""Functions that texts call by name and that compile to instructions of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from retrograde.python.compiling import lanes, pages

KNOWN: dict[str, Callable[..., Any]] = {**lanes.SUMS, pages.in_large_pages.__name__: pages.in_large_pages}
"""By the names that texts use."""


def known_in(texts: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """Those that texts call."""
    together = "\n".join(texts)
    return {name: function for name, function in KNOWN.items() if f"{name}(" in together}


def declare(functions: Iterable[Any]) -> None:
    """Have Numba compile calls of those among some objects."""
    found = [each for each in functions if callable(each)]
    if any(each in lanes.SUMS.values() for each in found):
        lanes.declare()
    if pages.in_large_pages in found:
        pages.declare()
