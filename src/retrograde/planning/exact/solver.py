"""The exact search from Python: slices of it, and what they prove."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from retrograde.errors import UsageError
from retrograde.planning.exact.instance import Instance, Step
from retrograde.planning.exact.layout import (
    COUNT,
    END,
    EXHAUSTED,
    EXPANDED,
    FULL,
    GOAL,
    LIMIT,
    MOVE,
    PARENT,
    PAUSED,
    PLAIN,
    PRESENT,
    SLOPE,
    Frontier,
    Integers,
    Tables,
    bits_of,
    grown,
    new_frontier,
    words_of,
)
from retrograde.planning.exact.tables import Costs, no_costs, tables_of, whole_costs

SLICE = 2000
"""Expansions between two looks at the clock."""

FIRST_STATES = 1 << 14

PUSH = 1.0
"""How strongly a search without proof prefers states that got far: 1 spreads what may be spent evenly over the way."""

MOST_STATES = 1 << 22
"""States that are kept at most: some hundred megabytes."""


@dataclass(frozen=True)
class Move:
    """One step that the search takes: which, and the items present after it."""

    step: int
    present: frozenset[int]


@dataclass(frozen=True)
class Outcome:
    """What a search proved.

    Attributes:
        moves: the best schedule; None if there is none below the ceiling that was given.
        excess: what it spends on running operations again, exactly, in the graph's unit.
        bound: no schedule spends less.
    """

    moves: tuple[Move, ...] | None
    excess: Fraction
    bound: Fraction


class Unproved(UsageError):
    """The proof was not complete in time, or in memory."""


class Clock:
    """How much a search may do: seconds, or expansions of states in their place.

    Args:
        seconds: unused if ``expansions`` is given.
        expansions: states that may be expanded.
        tell: called with the number of expansions after each slice.

    Raises:
        Unproved: from ``check``, when the time is over.
    """

    def __init__(
        self, seconds: float | None, expansions: int | None = None, tell: Callable[[int], None] | None = None
    ) -> None:
        self.expansions = expansions
        self.until = None if seconds is None or expansions is not None else time.monotonic() + seconds
        self.seconds = seconds
        self.done = 0
        self.tell = tell

    def slice(self) -> int:
        """Expansions for the next slice."""
        return SLICE if self.expansions is None else min(SLICE, self.expansions - self.done)

    def count(self, done: int) -> None:
        """Note that states were expanded."""
        self.done += done
        if self.tell is not None:
            self.tell(self.done)

    def check(self) -> None:
        """Stop when there is no more time."""
        if self.until is not None and time.monotonic() > self.until:
            raise Unproved(
                f"strategy 'optimal' proved nothing in {self.seconds} seconds ({self.done} states); give a longer "
                "time_limit, or use strategy 'auto'"
            )
        if self.expansions is not None and self.done >= self.expansions:
            raise Unproved(
                f"strategy 'optimal' proved nothing in {self.expansions} iterations; give more, or use strategy 'auto'"
            )


def warm_up() -> None:
    """Load the compiled kernels, or compile them where no cache holds them, so that no clock pays for it."""
    if not _is_warm:
        step = Step(0, PLAIN, 0, makes={0}, allocates=[0])
        instance = Instance([step, Step(-1, END, 0)], [1], [0], set(), [set()], [0], False)
        find_any(instance, 1, Clock(None, 1000), given_order=False)
        _is_warm.append(True)


_is_warm: list[bool] = []


def find_any(instance: Instance, budget_bytes: int, clock: Clock, *, given_order: bool) -> tuple[Move, ...] | None:
    """Some schedule that meets a budget, whatever it costs; None proves that there is none."""
    tables = tables_of(instance, budget_bytes, no_costs(instance), given_order=given_order)
    return _below(instance, tables, 0, clock)


def find_best(instance: Instance, budget_bytes: int, ceiling: Fraction, clock: Clock, *, given_order: bool) -> Outcome:
    """The schedule that spends least on running operations again, among those that spend less than a ceiling.

    Best-first search (Hart, Nilsson & Raphael, 1968) over what ran and what is present, with dominance: storages
    are dropped only when something needs the room, so that of two states with the same runs behind them the one
    that holds more is never worse.

    Args:
        instance: what to schedule.
        budget_bytes: the budget.
        ceiling: what some schedule in hand spends on running operations again.
        clock: how long to look.
        given_order: whether first runs follow the given order.

    Raises:
        Unproved: the proof was not complete in time.
    """
    best, excess, bound = None, ceiling, Fraction(0)
    while True:
        costs = whole_costs(instance, excess)
        tables = tables_of(instance, budget_bytes, costs, given_order=given_order)
        moves = _below(instance, tables, _limit(excess, costs), clock)
        if moves is None:
            return Outcome(best, excess, excess)
        before, bound = excess, _spent(instance, moves, costs.whole) * costs.quantum
        if best is None or excess_of(instance, moves) < excess:
            best, excess = moves, excess_of(instance, moves)
        if costs.is_exact or excess * (1 << 12) > before or not excess:
            return Outcome(best, excess, bound)


def seek(
    instance: Instance, budget_bytes: int, ceiling: Fraction, expansions: int, *, given_order: bool
) -> tuple[tuple[Move, ...] | None, int]:
    """A schedule below a ceiling, if a number of expansions finds one; proves nothing.

    Returns:
        The moves, and how many states were expanded.
    """
    costs = whole_costs(instance, ceiling)
    tables = tables_of(instance, budget_bytes, costs, given_order=given_order)
    limit = _limit(ceiling, costs)
    frontier = _begin(instance, tables, limit)
    frontier.number[SLOPE] = int(max(0, limit) * PUSH) // max(1, len(instance.steps) - instance.ran)
    outcome, done = PAUSED, 0
    while outcome != EXHAUSTED and done < expansions:
        outcome = _advance(tables, frontier, min(SLICE, expansions - done))
        done = int(frontier.number[EXPANDED])
        if outcome == FULL:
            frontier = _with_room(frontier)
    return _path(frontier), done


def excess_of(instance: Instance, moves: tuple[Move, ...]) -> Fraction:
    """What a schedule spends on running operations again, exactly."""
    return _spent(instance, moves, [Fraction(step.cost) for step in instance.steps])


def _spent(instance: Instance, moves: tuple[Move, ...], costs: Sequence[Fraction] | Sequence[int]) -> Fraction:
    runs = [int(step < instance.ran) for step in range(len(instance.steps))]
    for move in moves:
        runs[move.step] += 1
    return Fraction(sum(cost * (n - 1) for cost, n in zip(costs, runs, strict=True)))


def _limit(ceiling: Fraction, costs: Costs) -> int:
    """The most that a schedule of less than the ceiling can spend, in whole costs."""
    return math.ceil(ceiling / costs.quantum) - 1


def _below(instance: Instance, tables: Tables, limit: int, clock: Clock) -> tuple[Move, ...] | None:
    """The cheapest schedule of a cost up to a limit, in whole costs."""
    frontier = _begin(instance, tables, limit)
    while True:
        before = int(frontier.number[EXPANDED])
        outcome = _advance(tables, frontier, clock.slice())
        clock.count(int(frontier.number[EXPANDED]) - before)
        if outcome == EXHAUSTED:
            return _path(frontier)
        if outcome == FULL:
            frontier = _with_room(frontier)
        clock.check()


def _begin(instance: Instance, tables: Tables, limit: int) -> Frontier:
    from retrograde.planning.exact.search_kernels import begin

    words = int(tables.sets.shape[2])
    frontier = new_frontier(FIRST_STATES, words)
    begin(tables, frontier, _start(instance, words), instance.segment, instance.ran)
    frontier.number[LIMIT] = limit
    return frontier


def _advance(tables: Tables, frontier: Frontier, expansions: int) -> int:
    from retrograde.planning.exact.search_kernels import advance

    return int(advance(tables, frontier, expansions))


def _start(instance: Instance, words: int) -> Integers:
    """The sets of the state in which the search begins."""
    pinned = instance.held | instance.pins[instance.segment]
    rows = (range(instance.ran), instance.present, pinned, ())
    return np.array([words_of(row, words) for row in rows], dtype=np.int64)


def _with_room(frontier: Frontier) -> Frontier:
    if len(frontier.state) >= MOST_STATES:
        raise Unproved(
            f"strategy 'optimal' met {int(frontier.number[COUNT])} states and has room for no more; use strategy 'auto'"
        )
    return grown(frontier)


def _path(frontier: Frontier) -> tuple[Move, ...] | None:
    state = int(frontier.number[GOAL])
    if state < 0:
        return None
    moves: list[Move] = []
    while frontier.state[state, PARENT] >= 0:
        if frontier.state[state, MOVE] >= 0:
            present = frozenset(bits_of(frontier.sets[state, PRESENT]))
            moves.append(Move(int(frontier.state[state, MOVE]), present))
        state = int(frontier.state[state, PARENT])
    return tuple(moves[::-1])
