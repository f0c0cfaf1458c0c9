"""What a long search tells its caller while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a search to its ``progress`` callback.

    Attributes:
        stage: what is being done, for people.
        fraction: how much of the search is done, 0 to 1; None where that is not known.
        peak_bytes: the peak of the best plan so far, in bytes; None while there is none.
        cost: its cost, in the graph's unit; None while there is none.
    """

    stage: str
    fraction: float | None = None
    peak_bytes: int | None = None
    cost: float | None = None


ProgressCallback = Callable[[Progress], None]
