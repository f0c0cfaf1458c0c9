"""The smallest peak that can be found: what a ``BudgetError`` names, and where a search begins that meets nothing."""

from __future__ import annotations

from collections.abc import Callable

from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.planning.improve import Curve, Descent, Effort
from retrograde.planning.lowering import RunOrder
from retrograde.planning.searching.record import Record
from retrograde.planning.simulator import sequence_of

VISITS = 40_000
"""Visits to slots in the search for the smallest peak."""

LADDER_NODES = 600
"""The largest graph for which that search begins with a descent in small steps from the given order."""

CHAIN_TARGETS = (1.0, 1.2, 1.5)
"""Budgets for which the chain of blocks is asked, over the bytes below which no plan can be."""


class Lowest:
    """The search for the smallest peak of a graph; what it finds goes to the curve of a record.

    Args:
        record: the graph, and what is known of it.
        effort: how much may be done.
        tell: called with the name of the stage now and then.
    """

    def __init__(self, record: Record, effort: Effort, tell: Callable[[str], None]) -> None:
        self.record = record
        self.curve = record.curve
        self.effort = effort
        self.tell = tell

    def lower(self) -> None:
        """Look for the smallest peak, once for each graph, in a way that does not depend on the budget."""
        if self.record.is_lowest:
            return
        effort = self.effort.part(VISITS)
        floor = self._floor()
        step, number = 0.1, 0
        while step > 0.02 and not effort.is_spent:
            smallest = floor.smallest
            for kind in range(2):
                self._lower_once(floor, int(smallest.peak_bytes * (1 - step)), kind, number, effort)
                number += 1
                if floor.smallest.peak_bytes <= smallest.peak_bytes * (1 - step / 2):
                    break
            else:
                step /= 2
            self.tell("smallest peak")
        self.curve.add(floor.smallest.sequence)
        self.effort.done += effort.done
        self.record.is_lowest = not self.effort.is_spent

    def climb_down(self) -> None:
        """Descend from the given order in small steps, each from the one before, until one fails; once a graph.

        The rungs are plans for budgets that a descent in one go does not reach, or reaches only at a high cost.
        """
        problem = self.record.problem
        if self.record.rungs is not None or len(problem.operations) > LADDER_NODES:
            return
        effort = self.effort.part(VISITS)
        nodes = list(problem.sequence)
        rungs: list[RunOrder] = [sequence_of(problem, nodes)]
        fits, number = True, 1000
        while fits and not effort.is_spent:
            descent = Descent(problem, effort, number, lambda peak_bytes, nodes: None)
            descent.overload(nodes, 0)
            target = int(0.94 * descent.simulator.peak_bytes)
            price = self.record.graph.base_cost / max(1, descent.overload(nodes, target))
            fits = descent.fit(nodes, target, price=price, factor=2.0)
            if fits:
                nodes = descent.nodes_now()
                rungs.append(sequence_of(problem, nodes))
            number += 1
            self.tell("descent in small steps")
        for rung in rungs:
            self.curve.add(rung)
        self.effort.done += effort.done
        self.record.rungs = rungs

    def _floor(self) -> Curve:
        """The smallest of what was made without regard to a budget."""
        floor = Curve(self.record.lowering.measure)
        seeds = self.record.seeds
        for target in CHAIN_TARGETS:
            seeds.plant(int(target * peak_bound_bytes(self.record.graph)), self.effort.deadline)
        if seeds.smallest is not None:
            floor.add(seeds.smallest.sequence)
        self.climb_down()
        floor.add((self.record.rungs or [self.record.given_order])[-1])
        return floor

    def _lower_once(self, floor: Curve, target: int, kind: int, number: int, effort: Effort) -> None:
        """Descend to a target from the smallest plan, at a price at which bytes are all that counts, or afresh."""
        problem = self.record.problem

        def see(peak_bytes: int, nodes: list[int]) -> None:
            if peak_bytes < floor.smallest.peak_bytes:
                floor.add(sequence_of(problem, nodes))

        descent = Descent(problem, effort, number, see)
        nodes, price = list(problem.sequence), None
        if kind == 0:
            nodes = self.record.nodes_of(floor.smallest)
            price = 10.0 * self.record.graph.base_cost / max(1, descent.overload(nodes, target))
        if descent.fit(nodes, target, price=price, factor=3.0 if kind == 0 else 2.0):
            floor.add(sequence_of(problem, descent.nodes_now()))
