"""What the schedule of a loop is made of: six actions, each an immutable value.

A loop of n steps goes through n + 1 states: step k makes state k + 1 out of state k. Its machine has one current
state, a store of snapshots (states) in each tier, and a store of residuals (what a step leaves for its own reversal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TierName = Literal["memory", "disk"]


@dataclass(frozen=True, slots=True)
class Advance:
    """Run steps from the current state without keeping anything of them.

    Attributes:
        start: the first step that is run; the current state has to be this one.
        stop: the current state afterwards; the last step that is run is the one before.

    Read ``Advance(2, 5)`` aloud as "advance from state 2 to state 5".
    """

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Record:
    """Run one step from the current state and keep its residuals, in memory, until it is reversed.

    Read ``Record(4)`` aloud as "run step 4 and keep what its reversal needs".
    """

    step: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Store a copy of the current state.

    Read ``Snapshot(3, "disk")`` aloud as "store state 3 on disk".
    """

    step: int
    tier: TierName = "memory"


@dataclass(frozen=True, slots=True)
class Restore:
    """Make a stored state the current one. It stays stored until it is dropped.

    Read ``Restore(3)`` aloud as "go back to state 3, which is in memory".
    """

    step: int
    tier: TierName = "memory"


@dataclass(frozen=True, slots=True)
class Drop:
    """Give back the bytes of a stored state.

    Read ``Drop(3)`` aloud as "forget state 3 in memory".
    """

    step: int
    tier: TierName = "memory"


@dataclass(frozen=True, slots=True)
class Reverse:
    """Pull the cotangent back through one step with its residuals, and give those back.

    The current state, whose bytes are part of what a running step needs, is gone afterwards.

    Read ``Reverse(4)`` aloud as "reverse step 4".
    """

    step: int


LoopAction = Advance | Record | Snapshot | Restore | Drop | Reverse
