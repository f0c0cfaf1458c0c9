"""The border between a tape and its pool: what arrays go in, and what comes out."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from retrograde.autodiff.budgeted.account import Account, MemoryReport
from retrograde.autodiff.budgeted.held import Held
from retrograde.autodiff.budgeted.policies import POLICIES
from retrograde.autodiff.budgeted.pool import Pool
from retrograde.autodiff.forward.dual import Dual
from retrograde.autodiff.tape.backward import pull_back
from retrograde.autodiff.tape.tracked import Node
from retrograde.errors import UsageError
from retrograde.planning import Budget
from retrograde.program.array_like import ArrayLike
from retrograde.runtime import EventLog

_WITHOUT_BUDGET = ("recompute_all", "sqrt")
_OFFLINE = ("block", "selective", "interval_tree", "revolve", "optimal", "search", "spill")


def border_for(
    budget: int | str | SupportsIndex | Budget | None, strategy: str, events: EventLog | None
) -> Border | None:
    """The border of a tape with a budget, or with a strategy that drops without one; None for any other tape.

    Raises:
        UsageError: a budget in percent, a strategy that is unknown, that needs to know the whole computation, or that
            needs a budget and has none.
    """
    if strategy not in POLICIES:
        why = (
            "which has to know the whole computation, and a tape knows only what has run"
            if strategy in _OFFLINE
            else "which is none that is known"
        )
        raise UsageError(f"strategy={strategy!r} was asked for, {why}; a tape has {', '.join(POLICIES)}")
    if budget is None:
        if strategy in ("auto", "store_all"):
            return None
        if strategy not in _WITHOUT_BUDGET:
            raise UsageError(f"strategy={strategy!r} drops where a budget asks for it; give one: budget='800 MB'")
    return Border(Pool(Account(None if budget is None else _in_bytes(budget), events), POLICIES[strategy]()))


def _in_bytes(budget: int | str | SupportsIndex | Budget) -> int:
    count = Budget(budget).bytes
    if count is None:
        raise UsageError(
            f"a budget of {budget} was given, which is a part of what storing everything takes, and a tape does not "
            'know that beforehand; give bytes: an int, or "800 MB"'
        )
    return count


class Border:
    """What a tape with a budget does beside recording: arrays become cells of a pool, and come out again as arrays."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def report(self) -> MemoryReport:
        """What the pool did so far."""
        return self._pool.account.report()

    def foreign(self, array: Any) -> None:
        """An array that was there before the call, and does not count."""
        self._pool.foreign(array)

    def enter(self, array: Any) -> Any:
        """What stands for an array of the caller on the tape.

        Raises:
            UsageError: the array is tracked by another tape.
        """
        if isinstance(array, Dual):
            return Dual(self.enter(array.value), self.enter(array.tangent), array.level)
        if isinstance(array, ArrayLike):
            raise UsageError(
                f"a tape with a budget was to watch {array.kind}: an outer tape, which keeps what the inner one "
                "drops, is around it; give the budget to the outermost tape or derivative"
            )
        array = np.asarray(array) if not hasattr(array, "dtype") else array
        self._pool.foreign(array)
        return Held(self._pool.constant(array))

    def pull_back(self, seeds: list[tuple[Node, Any]], sources: list[Node], *, keep: bool) -> list[Any]:
        """As `retrograde.autodiff.tape.backward.pull_back`, inside the budget. The gradients are plain arrays."""
        with self._pool.backward():
            entered = [(node, self.enter(cotangent)) for node, cotangent in seeds]
            gradients = pull_back(entered, sources, keep=keep)
            own = [self._owned(gradient) for gradient in gradients]
            return [_plain(gradient) for gradient in own]

    def _owned(self, gradient: Any) -> Any:
        if isinstance(gradient, Dual):
            return Dual(self._owned(gradient.value), self._owned(gradient.tangent), gradient.level)
        if type(gradient) is Held and self._pool.is_shared(gradient.cell):
            return Held(self._pool.copied(gradient.cell))
        return gradient


def output(value: Any) -> Any:
    """A value of a tape with a budget as a plain array, which stays; of any other tape the value as it is."""
    if type(value) is Held:
        value.cell.root.pins += 1
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Dual):
        return Dual(_plain(value.value), _plain(value.tangent), value.level)
    return value.cell.pool.value_of(value.cell) if type(value) is Held else value
