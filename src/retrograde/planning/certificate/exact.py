"""Exact arithmetic: prices for the rows of a relaxation prove a bound, whoever found the prices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from retrograde.graph import Graph
from retrograde.planning.certificate.cuts import cut_at
from retrograde.planning.certificate.relaxation import Relaxation, relax
from retrograde.planning.certificate.spilling import Channel
from retrograde.planning.certificate.structure import DIGITS, Integers, Reals, Structure

_LARGEST = 1 << 57

Goal = Literal["cost", "bytes"]


@dataclass(frozen=True, eq=False)
class Prices:
    """What rows and limits are worth; integers once they are to prove something.

    Attributes:
        rows: for each row of the relaxation.
        bytes: for each cut, of ``bytes_scale`` bytes of the budget.
        write_share: how much of the time before the cut is counted as transfers rather than computation, 0 to 1.
        read_share: the same of the time behind the cut.
        capacity: of ``bytes_scale`` bytes of the slower tiers.
    """

    rows: Reals | Integers
    bytes: tuple[float, ...]
    write_share: float = 0.0
    read_share: float = 0.0
    capacity: float = 0.0


@dataclass(frozen=True, eq=False)
class Leaf:
    """One of several cases that together are all: some variables have the values given, and prices prove a line.

    Attributes:
        fixed: pairs (variable, its value, 0 or 1), in the order in which the cases were divided.
        prices: of the rows and limits, in whole ``Structure.unit``.
        constant_cost: the bound on the cost of recomputation if the budget were 0.
        cost_per_byte: by how much each byte of the budget lowers it.
    """

    fixed: tuple[tuple[int, int], ...]
    prices: Prices
    constant_cost: Fraction
    cost_per_byte: Fraction


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proof that recomputation costs something, or that a budget is too small.

    Every schedule satisfies the rows of the relaxation. Multiplied by prices that are 0 or more and added up, they
    say that some sum of variables is at least a number; each variable is between 0 and 1, so it can be exchanged for
    what it costs, less what it is priced above that. So recomputation costs at least
    ``constant_cost - cost_per_byte * budget_bytes``. Where that is loose, cases are told apart: a variable is 0 or
    1, and each case has prices of its own.

    With the goal "bytes" running again costs nothing, and what is proved is that the budget is at least
    ``constant_cost / cost_per_byte``.

    Attributes:
        operations: those whose first runs are the cuts of the relaxation, earliest first.
        leaves: the cases.
        in_order: whether it holds only where first runs follow the given order.
        goal: "cost" or "bytes".
        channel: the slower tiers that it allows for; then it bounds what the makespan has over the base cost.

    Source: weak duality of linear programs; safe bounds by Neumaier and Shcherbina (2004).
    """

    operations: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    in_order: bool = False
    goal: Goal = "cost"
    channel: Channel | None = None

    def extra_cost(self, budget_bytes: int) -> Fraction:
        """What any schedule within a budget costs at least beyond the base cost, in the graph's unit of cost."""
        return max(Fraction(0), min(leaf.constant_cost - leaf.cost_per_byte * budget_bytes for leaf in self.leaves))

    def bytes(self) -> int:
        """With the goal "bytes": what any budget is at least that a schedule meets."""
        if any(not leaf.cost_per_byte for leaf in self.leaves):
            return 0
        return max(0, min(math.ceil(leaf.constant_cost / leaf.cost_per_byte) for leaf in self.leaves))

    def verify(self, graph: Graph) -> bool:
        """Whether the prices prove what is claimed, computed again from the graph alone."""
        structure = Structure(graph)
        cuts = [cut_at(structure, o, in_order=self.in_order) for o in self.operations]
        relaxation = relax(structure, cuts)
        return _are_all_cases([leaf.fixed for leaf in self.leaves], relaxation.variables) and all(
            self._holds(relaxation, leaf) for leaf in self.leaves
        )

    def _holds(self, relaxation: Relaxation, leaf: Leaf) -> bool:
        if len(relaxation.least) != len(leaf.prices.rows) or not _are_valid(leaf.prices):
            return False
        constant, slope = _Evaluation(relaxation, leaf.prices, self.goal, self.channel).line(leaf.fixed)
        return constant >= leaf.constant_cost and slope <= leaf.cost_per_byte


def _are_all_cases(cases: Sequence[Sequence[tuple[int, int]]], variables: int) -> bool:
    """Whether every way to give variables the values 0 and 1 falls into one of some cases."""
    if any(not case for case in cases):
        return len(cases) == 1
    divided = {case[0][0] for case in cases}
    if len(divided) != 1 or not 0 <= min(divided) < variables:
        return False
    return all(_are_all_cases([case[1:] for case in cases if case[0][1] == value], variables) for value in (0, 1))


def certify_prices(
    relaxation: Relaxation,
    prices: Prices,
    *,
    in_order: bool = False,
    goal: Goal = "cost",
    channel: Channel | None = None,
) -> Certificate:
    """A certificate out of prices found in floating point, in scaled units; negative ones become 0.

    Args:
        relaxation: the rows.
        prices: for costs in ``Structure.cost_scale`` and bytes in ``Structure.bytes_scale``.
        in_order: whether the relaxation is for first runs in the given order.
        goal: what the prices were found for.
        channel: the slower tiers that schedules may use.
    """
    operations = tuple(cut.operation for cut in relaxation.cuts)
    return Certificate(operations, (prove_leaf(relaxation, prices, (), goal, channel),), in_order, goal, channel)


def prove_leaf(
    relaxation: Relaxation,
    prices: Prices,
    fixed: tuple[tuple[int, int], ...],
    goal: Goal = "cost",
    channel: Channel | None = None,
) -> Leaf:
    """What prices prove for one case; ``certify_prices`` says the rest."""
    rows = np.clip(np.nan_to_num(prices.rows), 0, None)
    whole = min(2.0**DIGITS, _LARGEST / max(1e-300, float(rows.sum())))
    exact = Prices(
        (rows * whole).astype(np.int64),
        tuple(float(_whole(price * whole)) for price in prices.bytes),
        min(1.0, max(0.0, prices.write_share)),
        min(1.0, max(0.0, prices.read_share)),
        float(_whole(prices.capacity * whole)),
    )
    return Leaf(fixed, exact, *_Evaluation(relaxation, exact, goal, channel).line(fixed))


def _whole(price: float) -> int:
    return max(0, int(price)) if math.isfinite(price) else 0


def _are_valid(prices: Prices) -> bool:
    """Whether prices are whole and not negative, and shares are between 0 and 1."""
    return (
        prices.rows.dtype == np.int64
        and not (prices.rows < 0).any()
        and all(price >= 0 and float(price).is_integer() for price in (*prices.bytes, prices.capacity))
        and all(0 <= share <= 1 for share in (prices.write_share, prices.read_share))
    )


class _Evaluation:
    """What prices prove, in integers; whatever is rounded is rounded so that less is proved."""

    def __init__(self, relaxation: Relaxation, prices: Prices, goal: Goal, channel: Channel | None) -> None:
        self.relaxation = relaxation
        self.prices = prices
        self.goal: Goal = goal
        self.channel = channel
        self.structure = relaxation.structure
        self.byte_prices = [int(price) for price in prices.bytes]
        self.write_share = Fraction(prices.write_share) if channel is not None else Fraction(0)
        self.read_share = Fraction(prices.read_share) if channel is not None else Fraction(0)

    def line(self, fixed: Sequence[tuple[int, int]]) -> tuple[Fraction, Fraction]:
        """The constant and the slope where some variables have fixed values, in the graph's unit of cost."""
        relaxation, unit = self.relaxation, self.structure.unit
        rows = np.asarray(self.prices.rows, dtype=np.int64)
        priced = np.zeros(relaxation.variables, dtype=np.int64)
        np.add.at(priced, relaxation.column, rows[relaxation.row] * relaxation.sign)
        spare = self._variable_costs() - priced
        given = np.minimum(spare, 0)
        for variable, value in fixed:
            given[variable] = spare[variable] * value
        whole = int(rows @ relaxation.least) + sum(given.tolist())
        byte_unit = unit / self.structure.bytes_scale
        taken = sum(p * cut.taken_bytes for p, cut in zip(self.byte_prices, relaxation.cuts, strict=True))
        return whole * unit + taken * byte_unit - self._given_away(), sum(self.byte_prices) * byte_unit

    def _variable_costs(self) -> Integers:
        relaxation = self.relaxation
        runs = self._run_costs()
        stages: list[int] = relaxation.live_stage.tolist()
        storages: list[int] = relaxation.live_storage.tolist()
        costs = [self._live_cost(i, self.structure.sizes[s]) for i, s in zip(stages, storages, strict=True)]
        live = np.array(costs, dtype=np.int64)
        return np.concatenate([runs, live, np.zeros(relaxation.variables - len(runs) - len(live), np.int64)])

    def _run_costs(self) -> Integers:
        if self.goal == "bytes":
            return np.zeros(self.relaxation.runs, np.int64)
        costs = self.structure.cost_units[self.relaxation.paid]
        if not self.read_share:
            return costs
        share = 1 - self.read_share
        return np.array([cost * share.numerator // share.denominator for cost in costs.tolist()], dtype=np.int64)

    def _live_cost(self, stage: int, size: int) -> int:
        cost = self.byte_prices[stage] * size // self.structure.bytes_scale
        if self.channel is not None:
            cost = min(cost, int(self._absence_cost * size))
        return min(_LARGEST, cost)

    @property
    def _absence_cost(self) -> Fraction:
        """What a byte costs that is moved to a slower tier before the cut and back behind it, in units."""
        assert self.channel is not None
        seconds = self.write_share * self.channel.write_cost + self.read_share * self.channel.read_cost
        limited = self.channel.capacity_bytes is not None
        held = Fraction(int(self.prices.capacity), self.structure.bytes_scale) if limited else Fraction(0)
        return seconds / self.structure.unit + held

    def _given_away(self) -> Fraction:
        """Computation that is left out because transfers are counted in its place, and the tiers' capacity."""
        if self.channel is None:
            return Fraction(0)
        structure, cut = self.structure, self.relaxation.cuts[0]
        costs = [Fraction(o.cost) for o in structure.graph.operations]
        before = sum((costs[o] for o in range(structure.count) if cut.before[o] and o != cut.operation), Fraction(0))
        given = self.write_share * before + self.read_share * (structure.base_cost - before)
        if self.channel.capacity_bytes is not None:
            given += int(self.prices.capacity) * self.channel.capacity_bytes * structure.unit / structure.bytes_scale
        return given
