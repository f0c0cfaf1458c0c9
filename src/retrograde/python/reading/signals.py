"""What ends one attempt to read a function, so that the next one knows more; and what ends a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograde.program.model import Place

if TYPE_CHECKING:
    from retrograde.python.reading.origins import Origins


class Unreachable(Exception):
    """The rest of a block is not reached: the run raises an exception before, by a check."""


class ConditionChecks(Exception):
    """The condition of a loop makes checks: it is to be computed before the loop, and at the end of its body."""


class NeedsStatic(Exception):
    """Reading must know a number that only the run would: it is read again with what it was computed from fixed.

    Attributes:
        symbol: the number's symbol in the program under construction.
        purpose: what it is needed for, as the error says it where the number depends on data ("an index of a list").
        remedy: what to write instead, where it depends on data.
        place: where in the user's source.
        text: the statement there.
        origins: what it was computed from, once somebody has looked.
        loop: the loop that is read once for each iteration, if the number is whether it goes on.
    """

    def __init__(self, symbol: Any, purpose: str, loop: Any = None, *, remedy: str = "") -> None:
        super().__init__(purpose)
        self.remedy = remedy or ('write it with NumPy\'s functions on arrays, or call the function with backend="tape"')
        self.loop = loop
        self.origins: Origins | None = None
        self.symbol = symbol
        self.purpose = purpose
        self.place: Place | None = None
        self.text = ""

    @property
    def message(self) -> str:
        """What has to be known."""
        return f"{self.purpose} has to be known before the run, and depends on data; {self.remedy}"


class NeedsUnrolling(Exception):
    """A loop's body does what differs in kind from one iteration to the next: it is read once for each iteration.

    Attributes:
        loop: which loop.
        message: why, for the error where the number of iterations depends on data.
        place: where in the user's source.
        text: the statement there.
        growing: the name of a list to which the body appends one element, and what that is; else None.
        at_once: whether reading the first iteration by itself would not help.
    """

    def __init__(self, loop: Any, message: str, *, at_once: bool = False, growing: Any = None) -> None:
        super().__init__(message)
        self.growing = growing
        self.loop = loop
        self.at_once = at_once
        self.message = message
        self.place: Place | None = None
        self.text = ""
