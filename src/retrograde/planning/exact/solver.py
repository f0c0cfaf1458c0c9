"""The exact search from Python: slices of it, rising limits, and what was proved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from retrograde.errors import UsageError
from retrograde.planning.exact.instance import Instance
from retrograde.planning.exact.layout import (
    COUNT,
    EXHAUSTED,
    EXPANDED,
    FULL,
    GOAL,
    KEY,
    LIMIT,
    MOVE,
    PARENT,
    PRESENT,
    Frontier,
    Tables,
    bits_of,
    grown,
    new_frontier,
    words_of,
)
from retrograde.planning.exact.tables import MOST_COST, Costs, no_costs, tables_of, whole_costs

SLICE = 2000
"""Expansions between two looks at the clock."""

FIRST_STATES = 1 << 14

MOST_STATES = 1 << 23
"""States that are kept at most: about a gigabyte."""

FIRST_SHARE = 64
"""The first limit stands this part of the way from the bound to the best known plan; then four times as far."""


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


class Clock:
    """How much a search may do: seconds, or expansions of states in their place.

    Args:
        seconds: unused if ``expansions`` is given.
        expansions: states that may be expanded.
        tell: called with the number of expansions after each slice.

    Raises:
        UsageError: from ``check``, when the time is over.
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
            raise UsageError(
                f"strategy 'optimal' proved nothing in {self.seconds} seconds ({self.done} states); give a longer "
                "time_limit, or use strategy 'auto'"
            )
        if self.expansions is not None and self.done >= self.expansions:
            raise UsageError(
                f"strategy 'optimal' proved nothing in {self.expansions} iterations; give more, or use strategy 'auto'"
            )


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
        UsageError: not proved in time.
    """
    best: tuple[Move, ...] | None = None
    while True:
        costs = whole_costs(instance, ceiling)
        tables = tables_of(instance, budget_bytes, costs, given_order=given_order)
        moves = _with_rising_limits(instance, tables, int(ceiling / costs.quantum) - 1, clock)
        if moves is None:
            return Outcome(best, ceiling, _rounded_down(ceiling, costs))
        excess = excess_of(instance, moves)
        if costs.is_exact or excess * (1 << 12) > ceiling or not excess:
            return Outcome(moves, excess, _bound(moves, costs))
        best, ceiling = moves, excess


def excess_of(instance: Instance, moves: tuple[Move, ...]) -> Fraction:
    """What a schedule spends on running operations again, exactly."""
    runs = [0] * len(instance.steps)
    for move in moves:
        runs[move.step] += 1
    return sum((Fraction(step.cost) * (n - 1) for step, n in zip(instance.steps, runs, strict=True)), Fraction(0))


def _rounded_down(ceiling: Fraction, costs: Costs) -> Fraction:
    return ceiling if costs.is_exact else int(ceiling / costs.quantum) * costs.quantum


def _bound(moves: tuple[Move, ...], costs: Costs) -> Fraction:
    runs = [0] * len(costs.whole)
    for move in moves:
        runs[move.step] += 1
    return sum(whole * (n - 1) for whole, n in zip(costs.whole, runs, strict=True)) * costs.quantum


def _with_rising_limits(instance: Instance, tables: Tables, most: int, clock: Clock) -> tuple[Move, ...] | None:
    """Search below a limit that rises until something is found: states dearer than the optimum are hardly met."""
    least = _root_bound(tables)
    share = FIRST_SHARE
    while True:
        limit = most if share <= 1 else min(most, least + max(0, most - least) // share)
        moves = _below(instance, tables, limit, clock)
        if moves is not None or limit >= most:
            return moves
        share //= 4


def _root_bound(tables: Tables) -> int:
    return min(MOST_COST, max((int(most) for most in tables.guard[3, :-1]), default=0))


def _below(instance: Instance, tables: Tables, limit: int, clock: Clock) -> tuple[Move, ...] | None:
    """The cheapest schedule of a cost up to a limit, in whole costs."""
    from retrograde.planning.exact.search_kernels import advance, begin

    frontier = new_frontier(FIRST_STATES, int(tables.sets.shape[2]))
    begin(tables, frontier, np.array(words_of(instance.held, int(tables.sets.shape[2])), dtype=np.int64))
    frontier.number[LIMIT] = limit
    frontier.state[0, KEY] = 0
    while True:
        before = int(frontier.number[EXPANDED])
        outcome = int(advance(tables, frontier, clock.slice()))
        clock.count(int(frontier.number[EXPANDED]) - before)
        if outcome == EXHAUSTED:
            return _path(frontier)
        if outcome == FULL:
            frontier = _with_room(frontier)
        clock.check()


def _with_room(frontier: Frontier) -> Frontier:
    if len(frontier.state) >= MOST_STATES:
        raise UsageError(
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
