"""What is asked of a derivative, apart from the arguments it is taken at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from retrograde.autodiff.arguments import Wrt
from retrograde.autodiff.functions import BudgetLike
from retrograde.errors import UsageError
from retrograde.python.choosing import BACKENDS

if TYPE_CHECKING:
    from retrograde.python.budget.spilling import DiskLike

Of: TypeAlias = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Request:
    """What is asked of a derivative.

    Attributes:
        kind: "grad", "value_and_grad", "vjp" or "jvp".
        wrt: positions and names of arguments; None for all.
        of: names of outputs; None for the return value or, without one, the arguments that the function changes.
        backend: one of `BACKENDS`.
        budget: the most bytes that may be held.
        strategy: what is dropped to hold no more.
        recompute: names of variables that are computed again in place of being kept.
        threshold: loops of fewer iterations keep everything.
        disk: where states of loops may go that the budget has no room for.
    """

    kind: str
    wrt: Wrt | None = 0
    of: Of = None
    backend: str = "auto"
    budget: BudgetLike = None
    strategy: str = "auto"
    recompute: tuple[str, ...] = ()
    threshold: int | None = None
    disk: DiskLike = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise UsageError(f"backend={self.backend!r} is none of {', '.join(BACKENDS)}; choose one of them")
        names = self.of if isinstance(self.of, tuple) else (self.of,)
        if self.of is not None and not all(isinstance(name, str) for name in names):
            raise UsageError(
                f'of={self.of!r} names no output; give "return", "return_0" for the first of several, the name of '
                "an argument that the function changes, or a tuple of these"
            )
        if self.disk is not None and self.budget is None:
            raise UsageError(
                f"disk={self.disk!r} is for what a budget in memory has no room for, and there is none; give budget="
            )
        if self.backend == "tape":
            self.refuse_on_tape()

    def refuse_on_tape(self) -> None:
        """See that nothing is asked of the tape that only a program can do.

        Raises:
            UsageError: variables are to be recomputed, or states to go to disk.
        """
        if self.disk is not None:
            raise UsageError(
                f"disk={self.disk!r} is for the states of loops that are read from the source, and the tape keeps all "
                "it keeps in memory; leave it out, or give a function whose source can be read"
            )
        if self.recompute:
            raise UsageError(
                f"recompute={list(self.recompute)} names variables of the source, and the tape sees none; give a "
                "budget, or a function whose source can be read"
            )

    @property
    def is_planned(self) -> bool:
        """Whether a program has to be planned for the sizes of a call before it runs."""
        return self.budget is not None or self.strategy != "auto"

    @property
    def limits(self) -> dict[str, Any]:
        """The budget and the strategy, as the tape takes them."""
        return {"budget": self.budget, "strategy": self.strategy}
