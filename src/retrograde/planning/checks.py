"""What may be asked of ``plan``."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from retrograde.errors import UsageError
from retrograde.planning.strategies import SEARCHES, SPILLING, STRATEGIES


def check_strategy(strategy: str, block_size: int | None = None, recompute: object = None) -> None:
    """Raise UsageError unless there is such a strategy and it has such options."""
    known = [*SEARCHES, *STRATEGIES, *SPILLING]
    if strategy not in known:
        raise UsageError(f"there is no strategy {strategy!r}; the strategies are {', '.join(known)}")
    if recompute is not None and strategy != "auto":
        raise UsageError(f"recompute is a choice by hand, in place of a strategy; leave out strategy={strategy!r}")
    if block_size is not None:
        if strategy != "block":
            raise UsageError(f"block_size is an option of strategy 'block', not of {strategy!r}")
        _check_block_size(block_size)


def check_tiered(strategy: str, recompute: object = None) -> None:
    """Raise UsageError unless a strategy can use tiers."""
    if recompute is not None or strategy not in ("auto", "spill"):
        asked = "recompute=…" if recompute is not None else f"strategy {strategy!r}"
        raise UsageError(f"{asked} moves nothing to a slower tier; leave tiers out, or ask for 'auto' or 'spill'")


def check_search(time_limit: float, iterations: int | None) -> None:
    """Raise UsageError unless a search can be limited like that."""
    if not time_limit > 0:
        raise UsageError(f"time_limit must be a number of seconds above 0, found {time_limit!r}")
    if iterations is not None and iterations < 0:
        raise UsageError(f"iterations must be None or an int of 0 or more, found {iterations!r}")


def _check_block_size(block_size: SupportsIndex) -> None:
    try:
        size = operator.index(block_size)
    except TypeError:
        size = 0
    if isinstance(block_size, bool) or size < 1:
        raise UsageError(f"block_size must be an int of 1 or more, found {block_size!r}")
