"""What a plan is made of: four actions, each an immutable value that refers to the graph by index."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compute:
    """Run an operation.

    A storage that the operation allocates and that is live already (another of its values was wanted again) is
    written to a duplicate that lives while the operation runs; the live one stays as it is.

    Attributes:
        operation: index of the operation.
        choice: which of the operation's choices to run; 0 where there is one way to run it.
        overwrites: pairs (value made, value read) out of the operation's ``may_overwrite``: the storage of the one
            read becomes that of the one made, so that only one of them is live while the operation runs.

    Read ``Compute(3)`` aloud as "run operation 3", ``Compute(3, 2)`` "run operation 3 by its choice 2".
    """

    operation: int
    choice: int = 0
    overwrites: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Free:
    """Drop a live storage with every value in it. Read ``Free(3)`` aloud as "give back storage 3"."""

    storage: int


@dataclass(frozen=True, slots=True)
class Spill:
    """Move a live storage to a slower tier. Read ``Spill(3)`` aloud as "move storage 3 out of memory".

    Attributes:
        storage: index of the storage.
        tier: index of the tier, of those that the plan was allowed.
    """

    storage: int
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """Move a spilled storage back to memory. Read ``Load(3)`` aloud as "bring storage 3 back"."""

    storage: int


Action = Compute | Free | Spill | Load
