"""The course of an annealing cycle, in units that do not depend on the graph's, and how the next course is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from retrograde.errors import UsageError
from retrograde.planning.simulator import Problem, Simulator
from retrograde.planning.simulator.layout import OVERLOAD

LARGEST_BYTES = 1 << 59
"""Where annealing refuses: the bytes of all storages, workspaces and fixed demands together."""

LARGEST_SUM = 1 << 61
"""The most that those bytes, times the slots there is room for, may come to; beyond it the overload is coarsened."""

SLOW_MOVES = 100_000.0
"""Moves that a thread makes in a second, at a first guess."""

MANY_MOVES = 800
"""Moves for each node with which a cycle may begin at any heat."""


@dataclass(frozen=True)
class Cooling:
    """The course of one cycle.

    Attributes:
        hot: the temperature that it begins at, over the mean cost of an operation.
        price: the price of overload that it begins with, over the scale's.
        fee: what one more slot costs, over the temperature: it keeps operations that cost nothing from piling up.
        afresh: whether it begins with the given order, not with the best sequence in hand.
    """

    hot: float
    price: float
    fee: float
    afresh: bool


@dataclass(frozen=True)
class Scale:
    """What makes the parameters of a cycle independent of the graph's units.

    Attributes:
        mean_cost: the mean cost of operations that cost anything.
        coldest: the temperature at which a cycle ends, over the mean cost.
        price: cost of one unit of overload: what pays the base cost for all the overload of the given order.
        price_of_bytes: the same, if a storage of the mean size above the budget at one slot pays one mean cost.
        coarse: the overload is counted in units of two to this power, of bytes.
    """

    mean_cost: float
    coldest: float
    price: float
    price_of_bytes: float
    coarse: int


def scale_of(problem: Problem, budget_bytes: int) -> Scale:
    """The scale of a graph at a budget."""
    from retrograde.planning.simulator.order_kernels import watch

    arrays = problem.arrays
    cost = arrays.cost[arrays.cost > 0]
    mean_cost = float(cost.mean()) if cost.size else 1.0
    coldest = 0.05 * float(np.quantile(cost, 0.1)) / mean_cost if cost.size else 1.0
    coarse = 0
    while (total_bytes(problem) * room_of(problem)) >> coarse > LARGEST_SUM:
        coarse += 1
    simulator = Simulator(problem)
    watch(simulator.state, budget_bytes, coarse)
    overload = max(1, int(simulator.state.number[OVERLOAD]))
    base_cost = max(mean_cost, float(cost.sum()))
    mean_bytes = max(1.0, total_bytes(problem) / max(1, len(problem.operations)))
    unit = 2.0**coarse
    return Scale(mean_cost, min(0.02, max(1e-4, coldest)), base_cost / overload, mean_cost * unit / mean_bytes, coarse)


def room_of(problem: Problem) -> int:
    """Slots for which a cycle has room."""
    return 12 * len(problem.operations) + 4096


def total_bytes(problem: Problem) -> int:
    """The bytes of all storages, workspaces and fixed demands together: more than are ever live."""
    graph = problem.graph
    total = sum(s.bytes for s in graph.storages) + sum(o.workspace_bytes for o in graph.operations)
    return total + sum(graph.fixed_bytes)


def check_bytes(problem: Problem) -> None:
    """Refuse a graph whose bytes cannot be summed exactly.

    Raises:
        UsageError: they cannot.
    """
    total = total_bytes(problem)
    if total >= LARGEST_BYTES:
        raise UsageError(
            f"the graph's storages, workspaces and fixed demands come to {total} bytes; annealing sums bytes as 64-bit "
            f"integers and takes less than {LARGEST_BYTES}. Describe the graph in a larger unit than bytes"
        )


class Rounds:
    """Draws the courses of cycles: at large, or around that of the best cycle so far.

    Args:
        seed: of the draws.
        size: how many nodes the graph has.
    """

    def __init__(self, seed: int, size: int) -> None:
        self.random = np.random.default_rng([seed & 0xFFFFFFFF, size])
        self.size = max(1, size)
        self.number = 0
        self.best: tuple[tuple[float, float], Cooling] | None = None
        self.pressed = 0

    def random_seed(self) -> int:
        """A seed for a kernel."""
        return int(self.random.integers(1, 1 << 62))

    def next(self, worker: int, moves: float, overhead: float) -> Cooling:
        """The course of a worker's next cycle.

        Args:
            worker: whose.
            moves: that it will make: few for each node allow little heat.
            overhead: of the best sequence in hand, over the base cost; what a unit of overload was worth there tells
                where prices begin. Infinite if nothing fits.
        """
        draw = self.random.random(5)
        if self.best is not None and draw[0] < 0.5:
            cooling = self._near(self.best[1])
        else:
            hot = 10 ** float(-1.0 + 1.2 * draw[1])
            afresh = (self.number + worker) % 2 == 0
            cooling = Cooling(hot, self._price(float(draw[2]), overhead), 3.0 * float(draw[3]) ** 2, afresh)
        each = moves / self.size
        if each >= MANY_MOVES:
            return cooling
        most = 0.01 * max(1.0, each / 10.0) ** 0.75
        price = max(cooling.price, 3.0 * overhead) if math.isfinite(overhead) else max(1.0, cooling.price)
        return replace(cooling, hot=min(cooling.hot, most * 30.0 ** -float(draw[4])), price=price, afresh=False)

    def _price(self, draw: float, overhead: float) -> float:
        if math.isfinite(overhead) and overhead > 0:
            return overhead * 10 ** (-0.7 + 1.7 * draw)
        return 10 ** (-2.0 + 2.5 * draw + min(3, self.pressed))

    def steep(self) -> Cooling:
        """The course of a cycle in which bytes count and costs hardly do."""
        draw = self.random.random(3)
        return Cooling(10 ** float(-1.0 + 1.5 * draw[0]), 10 ** float(-1.5 + 2.0 * draw[1]), float(draw[2]), False)

    def _near(self, cooling: Cooling) -> Cooling:
        steps = self.random.normal(0.0, 0.3, 2)
        afresh = bool(self.random.random() < 0.5)
        hot = cooling.hot * 10 ** float(steps[0]) * (1.0 if afresh == cooling.afresh else (4.0 if afresh else 0.25))
        return Cooling(min(hot, 3.0), cooling.price * 10 ** float(steps[1]), cooling.fee, afresh)

    def learn(self, cooling: Cooling, cost: float, overload: float) -> None:
        """Note what a cycle came to: its cost, infinite if nothing fitted, and the overload that was left then."""
        result = (cost, overload)
        if self.best is None or result <= self.best[0]:
            self.best = (result, cooling)

    def end(self) -> None:
        """End a round. While nothing fits, prices rise from round to round."""
        self.number += 1
        self.pressed += self.best is None or math.isinf(self.best[0][0])
