"""What a caller can ask of a strategy beyond a budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Options of single strategies; each reads its own.

    Attributes:
        block_size: operations in a block, for ``block``; None to tune it.
        recompute: operations to drop and recompute, for choices by hand.
    """

    block_size: int | None = None
    recompute: tuple[int, ...] = ()
