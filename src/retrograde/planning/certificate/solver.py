"""Prices from a linear program, in floating point; whoever uses them proves them first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from retrograde.planning.certificate.exact import Goal, Prices
from retrograde.planning.certificate.relaxation import Relaxation
from retrograde.planning.certificate.spilling import Channel
from retrograde.planning.certificate.structure import NOBODY, Integers, Reals

_EXCESS_PRICE = 2.0**12
_BREACH_PRICE = 16.0


@dataclass(frozen=True)
class Solution:
    """What the solver says.

    Attributes:
        prices: of the rows and limits.
        values: for each variable of the relaxation its value, between 0 and 1.
    """

    prices: Prices
    values: Reals


@dataclass
class _Program:
    """A linear program that grows: minimise cost over columns of 0 or more, rows at most their limits."""

    costs: list[Reals]
    most: list[Reals]
    entries: list[tuple[Integers, Integers, Reals]]
    limits: list[Reals]
    columns: int = 0
    rows: int = 0

    def add_columns(self, costs: Reals, most: float = np.inf) -> Integers:
        """Add columns and return their numbers."""
        self.costs.append(costs)
        self.most.append(np.full(len(costs), most))
        self.columns += len(costs)
        return np.arange(self.columns - len(costs), self.columns)

    def add_rows(self, limits: Reals) -> Integers:
        """Add rows and return their numbers."""
        self.limits.append(limits)
        self.rows += len(limits)
        return np.arange(self.rows - len(limits), self.rows)

    def add(self, row: Integers, column: Integers, entry: Reals) -> None:
        """Add entries."""
        self.entries.append((row, column, entry))

    def solve(self, fixed: Sequence[tuple[int, int]], time_limit: float | None) -> tuple[Reals, Reals] | None:
        """A price of 0 or more for each row and the value of each column, None where the solver gave up."""
        optimize: Any = import_module("scipy.optimize")
        sparse: Any = import_module("scipy.sparse")
        row, column, entry = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        least, most = np.zeros(self.columns), np.concatenate(self.most)
        for column_fixed, value in fixed:
            least[column_fixed] = most[column_fixed] = value
        options: dict[str, Any] = {} if time_limit is None else {"time_limit": max(time_limit, 0.01)}
        found = optimize.linprog(
            np.concatenate(self.costs),
            A_ub=sparse.csr_array((entry, (row, column)), shape=(self.rows, self.columns)),
            b_ub=np.concatenate(self.limits),
            bounds=np.stack([least, most], axis=1),
            method="highs",
            options=options,
        )
        return (-found.ineqlin.marginals, found.x) if found.status == 0 else None


def solve(
    relaxation: Relaxation,
    budget_bytes: int,
    *,
    goal: Goal = "cost",
    channel: Channel | None = None,
    fixed: Sequence[tuple[int, int]] = (),
    elastic: bool = False,
    time_limit: float | None = None,
) -> Solution | None:
    """The prices that prove most for a budget, and what they go with, or None where the solver gave up.

    A byte above the budget is allowed at a high price, so that there always are prices.

    Args:
        relaxation: its rows.
        budget_bytes: the budget; with the goal "bytes" it does not matter.
        goal: "cost", the least cost of what runs again, or "bytes", the least budget.
        channel: the slower tiers that schedules may use; for one cut only.
        fixed: pairs (variable, its value), of one case among several.
        elastic: whether rows may be broken at a high price too: a case may contradict them.
        time_limit: seconds, or None for no limit.
    """
    structure, program = relaxation.structure, _Program([], [], [], [])
    paid = structure.costs[relaxation.run_operation] * (relaxation.paid != NOBODY) / float(structure.cost_scale)
    priced = goal == "cost" and channel is None
    program.add_columns(paid if priced else np.zeros(relaxation.runs))
    live = program.add_columns(np.zeros(len(relaxation.live_storage)))
    program.add_columns(np.zeros(relaxation.variables - program.columns), 1.0)
    rows = program.add_rows(-relaxation.least.astype(np.float64))
    program.add(relaxation.row, relaxation.column, -relaxation.sign.astype(np.float64))
    if elastic:
        program.add(rows, program.add_columns(np.full(len(rows), _BREACH_PRICE)), -np.ones(len(rows)))
    sizes = structure.scaled_sizes[relaxation.live_storage]
    limits = _add_limits(program, relaxation, 0 if goal == "bytes" else budget_bytes, goal)
    program.add(limits[relaxation.live_stage], live, sizes)
    absent = _add_absence(program, relaxation, channel, sizes, paid) if channel is not None else None
    solved = program.solve(fixed, time_limit)
    if solved is None:
        return None
    prices, values = solved
    shares: list[float] = prices[absent].tolist() if absent is not None else [0.0, 0.0, 0.0]
    write_share, read_share, capacity = shares
    found = Prices(prices[rows], tuple(prices[limits].tolist()), write_share, read_share, capacity)
    return Solution(found, values[: relaxation.variables])


def _add_limits(program: _Program, relaxation: Relaxation, budget_bytes: int, goal: Goal) -> Integers:
    """The rows of bytes, and what is above the budget: one number for all cuts where bytes are the goal."""
    scale = relaxation.structure.bytes_scale
    limits = program.add_rows(np.array([float(Fraction(budget_bytes - c.taken_bytes, scale)) for c in relaxation.cuts]))
    if goal == "bytes":
        excess = np.repeat(program.add_columns(np.ones(1)), len(limits))
    else:
        excess = program.add_columns(np.full(len(limits), _EXCESS_PRICE))
    program.add(limits, excess, np.full(len(limits), -1.0))
    return limits


def _add_absence(program: _Program, relaxation: Relaxation, channel: Channel, sizes: Reals, paid: Reals) -> Integers:
    """Storages that went to a slower tier; the time before and behind the cut is that of the slower of two things.

    Returns the rows that say so: writing, reading, capacity.
    """
    structure, cut = relaxation.structure, relaxation.cuts[0]
    absent = program.add_columns(np.zeros(len(sizes)))
    is_live = (relaxation.column >= relaxation.runs) & (relaxation.column < relaxation.runs + len(sizes))
    columns = absent[relaxation.column[is_live] - relaxation.runs]
    program.add(relaxation.row[is_live], columns, -relaxation.sign[is_live].astype(np.float64))
    operations = np.flatnonzero(cut.before[: structure.count])
    scale = float(structure.cost_scale)
    first = float(structure.costs[operations].sum() - structure.costs[cut.operation]) / scale
    second = float(structure.base_cost) / scale - first
    capacity = np.inf if channel.capacity_bytes is None else channel.capacity_bytes / structure.bytes_scale
    times = program.add_columns(np.ones(2))
    computing = program.add_rows(np.zeros(1))
    program.add(np.repeat(computing, relaxation.runs), np.arange(relaxation.runs), paid)
    program.add(computing, times[1:], -np.ones(1))
    rows = program.add_rows(np.array([first, second, min(capacity, 2.0 * len(sizes) + 1)]))
    per_byte = structure.bytes_scale / structure.cost_scale
    program.add(np.repeat(rows[0], len(absent)), absent, sizes * float(channel.write_cost * per_byte))
    program.add(np.repeat(rows[1], len(absent)), absent, sizes * float(channel.read_cost * per_byte))
    program.add(np.repeat(rows[2], len(absent)), absent, sizes)
    program.add(rows[:2], times, -np.ones(2))
    return rows
