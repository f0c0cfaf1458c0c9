"""The greedy descent: sweeps over a sequence at a rising price of overload, until it fits its budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from retrograde.planning.simulator import Problem, Simulator

PORTION = 256
"""Slots that are visited between two looks at the clock."""


class Effort:
    """How much a search may still do: visits to slots, and seconds.

    Args:
        visits: visits to slots; None for no limit.
        seconds: seconds from now; None for no limit.
    """

    def __init__(self, visits: int | None = None, seconds: float | None = None) -> None:
        self.visits = visits
        self.done = 0
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def part(self, visits: int) -> Effort:
        """A part of what is left: so many visits at most, until the same moment."""
        left = visits if self.visits is None else min(visits, self.visits)
        part = Effort(left)
        part.deadline = self.deadline
        return part

    def postpone(self, seconds: float) -> None:
        """Move the moment at which it ends, by what was spent on something else."""
        if self.deadline is not None:
            self.deadline += seconds

    @property
    def is_spent(self) -> bool:
        """Whether the search has to stop."""
        if self.visits is not None and self.done >= self.visits:
            return True
        return self.deadline is not None and time.monotonic() >= self.deadline


class Descent:
    """Greedy improvement of sequences of one graph, each move judged by the simulator.

    Args:
        problem: the condensed graph.
        effort: shared by all descents; each stops when it is spent.
        seed: of the order in which slots are visited.
        report: called with the peak and the sequence in nodes whenever a sweep ends with a peak that no earlier
            one had reached.
    """

    def __init__(
        self,
        problem: Problem,
        effort: Effort,
        seed: int,
        report: Callable[[int, list[int]], None],
    ) -> None:
        self.problem = problem
        self.effort = effort
        self.report = report
        self.random = np.array([(seed * 2654435761 + 88172645463325252) % (1 << 62) + 1], dtype=np.int64)
        room = 12 * len(problem.operations) + 4096
        self.simulator = Simulator(problem, slots=room)
        self.smallest = 1 << 62
        self.final_price = 0.0

    def fit(
        self,
        nodes: Sequence[int],
        budget_bytes: int,
        *,
        price: float | None = None,
        factor: float = 1.5,
        always: bool = False,
    ) -> bool:
        """Descend from a sequence to a budget: sweep at a rising price of overload until nothing is above.

        Args:
            nodes: the sequence to start from, borders and end included.
            budget_bytes: the budget.
            price: cost that one byte above the budget at one slot is worth to begin with; a thousandth of what
                pays for the whole base cost when left out.
            factor: by how much the price rises after each sweep.
            always: sweep at least once, even if the sequence fits.

        Returns:
            Whether the sequence now fits; ``nodes_now`` gives it.
        """
        simulator = self.simulator
        overload = self.overload(nodes, budget_bytes)
        if price is None:
            price = 0.01 * max(simulator.cost, 1e-12) / max(1, overload)
        stuck = 0
        while (overload or always) and stuck < 2 and not self.effort.is_spent:
            self.sweep(budget_bytes, price)
            always = False
            self._look(budget_bytes)
            left = simulator.overload(budget_bytes)
            dear = price * left > 4.0 * simulator.cost
            stuck = stuck + 1 if dear and left > 0.9 * overload else 0
            overload = left
            self.final_price = price
            price *= factor if not dear else 4.0 * factor
        if overload == 0:
            self.polish(budget_bytes)
        return overload == 0

    def overload(self, nodes: Sequence[int], budget_bytes: int) -> int:
        """The overload of a sequence: bytes above the budget, summed over its slots."""
        self.simulator.load(nodes, self.simulator.state.slot.shape[1])
        return self.simulator.overload(budget_bytes)

    def sweep(self, budget_bytes: int, price: float) -> None:
        """Visit every slot once, in random order."""
        from retrograde.planning.improve.kernels import shuffled_slots, sweep

        arrays, state = self.problem.arrays, self.simulator.state
        slots = shuffled_slots(state, self.random)
        for first in range(0, len(slots), PORTION):
            if self.effort.is_spent:
                return
            portion = slots[first : first + PORTION]
            sweep(arrays, state, portion, budget_bytes, price, self.random)
            self.effort.done += len(portion)

    def polish(self, budget_bytes: int) -> None:
        """Take away every recomputation that the budget does not need."""
        from retrograde.planning.improve.kernels import polish

        while polish(self.problem.arrays, self.simulator.state, budget_bytes):
            pass

    def nodes_now(self) -> list[int]:
        """The sequence as it stands."""
        return self.simulator.nodes()

    def _look(self, budget_bytes: int) -> None:
        peak = self.simulator.peak_bytes
        if budget_bytes < peak < self.smallest:
            self.smallest = peak
            self.report(peak, self.nodes_now())
