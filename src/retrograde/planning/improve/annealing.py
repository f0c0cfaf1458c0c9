"""Simulated annealing of sequences, reordering included: cycles of cooling on several threads, the best one kept."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from retrograde.planning.improve.cooling import SLOW_MOVES, Rounds, check_bytes, scale_of
from retrograde.planning.improve.descent import Effort
from retrograde.planning.improve.worker import Task, Worker
from retrograde.planning.simulator import Problem, Simulator

FIRST_CYCLE = 1000
"""Moves for each node in the first cycle."""

GROWTH = 1.4
"""How much longer each round of cycles is than the one before."""

POLL_SECONDS = 0.02
"""How often the calling thread looks whether the others are done, so that an interrupt arrives."""

VAIN_ROUNDS = 2
"""Rounds after which a budget that nothing fits is approached in steps."""

STEP, SMALLEST_STEP = 0.08, 0.002
"""By how much of the peak the search for the smallest one goes down at first, and at last."""


class Annealing:
    """Simulated annealing of sequences of one graph, on several threads.

    A move runs a computation elsewhere (the first one of an operation too, so that the order changes), inserts a
    recomputation before a reader with whatever it needs, or takes one away with whatever only it needed. Moves are
    accepted by the rule of Metropolis et al. (1953) on cost + price × overload (Kirkpatrick et al. 1983; for
    rematerialization Imanishi et al., NeurIPS 2023). A cycle cools down geometrically while the price rises. Every
    thread runs cycles of its own, whose courses are drawn around those that served best so far.

    Args:
        problem: the condensed graph.
        effort: moves (``visits``) of all threads together, and the deadline.
        seed: of everything random. The same seed, moves and threads give the same result.
        threads: how many cycles run at the same time.
        report: called from the calling thread with the cost and the nodes whenever a better sequence that fits is
            in hand.

    Attributes:
        cost: of the best sequence that fits; infinite if there is none.
        nodes: that sequence; empty if there is none.

    Raises:
        UsageError: the bytes of the graph are too many to be summed exactly.

    Example:
        >>> from retrograde import Graph
        >>> from retrograde.planning.simulator import condense, sequence_of
        >>> graph = Graph.from_arrays(cost=[1, 1, 1, 1], bytes=[8, 8, 8, 8], edges=[(0, 1), (1, 2), (0, 3), (2, 3)])
        >>> problem = condense(graph)
        >>> annealing = Annealing(problem, Effort(2000))
        >>> annealing.fit(problem.sequence, 24)
        True
        >>> sequence_of(problem, annealing.nodes), annealing.cost
        ([[0, 1, 2, 3]], 4.0)
    """

    def __init__(
        self,
        problem: Problem,
        effort: Effort,
        seed: int = 0,
        *,
        threads: int = 2,
        report: Callable[[float, list[int]], None] | None = None,
    ) -> None:
        check_bytes(problem)
        self.problem = problem
        self.effort = effort
        self.seed = seed
        self.report = report
        self.cost = math.inf
        self.nodes: list[int] = []
        self._speed = SLOW_MOVES
        self._stopped = threading.Event()
        self._workers = [Worker(problem, self._stopped) for _ in range(max(1, threads))]

    def stop(self) -> None:
        """Ask for an end; may be called from any thread. What was found so far stays readable."""
        self._stopped.set()

    def fit(self, nodes: Sequence[int], budget_bytes: int) -> bool:
        """Anneal until the effort is spent, or until nothing is left to save.

        Args:
            nodes: the sequence to start from, borders and end included; it need not fit the budget.
            budget_bytes: the budget.

        Returns:
            Whether a sequence fits; ``nodes`` and ``cost`` are then the cheapest found, never dearer than a start
            that fits.
        """
        simulator = Simulator(self.problem, slots=len(nodes))
        simulator.load(nodes)
        self.cost, self.nodes = math.inf, []
        if simulator.peak_bytes <= budget_bytes:
            self._take(simulator.cost, list(nodes))
        scale = scale_of(self.problem, budget_bytes)
        base = float(self.problem.arrays.cost.sum())
        enough = base * (1 + 1e-14)
        rounds = Rounds(self.seed, len(self.problem.operations))
        near: tuple[float, list[int]] = (math.inf, list(nodes))
        while not self._is_over() and self.cost > enough:
            moves = self._length(FIRST_CYCLE * GROWTH**rounds.number)
            start = self.nodes or near[1]
            overhead = max(0.0, self.cost / max(base, 1e-300) - 1.0)
            coolings = [rounds.next(worker, self._affordable(moves), overhead) for worker in range(len(self._workers))]
            self._run(
                [
                    Task(
                        self.problem.sequence if cooling.afresh else start,
                        budget_bytes, cooling, scale, moves, self.effort.deadline, enough, False, rounds.random_seed(),
                    )
                    for cooling in coolings
                ]
            )  # fmt: skip
            for worker, cooling in zip(self._workers, coolings, strict=True):
                rounds.learn(cooling, worker.cost, worker.overload)
                near = min(near, (worker.overload, worker.nodes), key=lambda pair: pair[0])
            rounds.end()
            if rounds.number == VAIN_ROUNDS and not self.nodes:
                self._sink(nodes, budget_bytes, rounds, lambda peak: peak <= budget_bytes)
        return bool(self.nodes)

    def lower(self, nodes: Sequence[int], *, reorder_only: bool = False, least_bytes: int = 0) -> int:
        """Look for a sequence with a small peak: fit budgets that shrink step by step, at a price that rules cost out.

        Args:
            nodes: the sequence to start from, borders and end included.
            reorder_only: whether nothing is computed again that the start does not compute again.
            least_bytes: a peak that no sequence goes below; where the search ends.

        Returns:
            The smallest peak found, in bytes; ``nodes`` and ``cost`` are the sequence that has it.
        """
        rounds = Rounds(self.seed, len(self.problem.operations))
        return self._sink(nodes, least_bytes, rounds, lambda peak: True, reorder_only=reorder_only)

    # Parts

    def _sink(
        self,
        nodes: Sequence[int],
        least_bytes: int,
        rounds: Rounds,
        is_wanted: Callable[[int], bool],
        *,
        reorder_only: bool = False,
    ) -> int:
        """Go down step by step, by half as much after every third failure; take what has a peak that is wanted."""
        simulator = Simulator(self.problem, slots=len(nodes))
        simulator.load(nodes)
        if is_wanted(simulator.peak_bytes):
            self._take(simulator.cost, list(nodes))
        peak, step, failures = simulator.peak_bytes, STEP, 0
        while not self._is_over() and step > SMALLEST_STEP and peak > least_bytes:
            target = max(least_bytes, min(peak - 1, int(peak * (1 - step))))
            scale = scale_of(self.problem, target)
            scale = replace(scale, price=scale.price_of_bytes)
            moves = self._length(FIRST_CYCLE // 4 * GROWTH**failures)
            tasks = [
                Task(nodes, target, rounds.steep(), scale, moves, self.effort.deadline,
                     sys.float_info.max, reorder_only, rounds.random_seed())
                for _ in self._workers
            ]  # fmt: skip
            self._run(tasks, gather=False)
            best = min(self._workers, key=lambda worker: worker.cost)
            if math.isfinite(best.cost):
                nodes = best.nodes
                simulator.load(nodes)
                peak = simulator.peak_bytes
                if is_wanted(peak):
                    self._take(best.cost, nodes)
            else:
                failures += 1
                step /= 1.0 if failures % 3 else 2.0
        return peak

    def _is_over(self) -> bool:
        return self.effort.is_spent or self._stopped.is_set()

    def _length(self, moves_each: float) -> int:
        """Moves of each cycle of a round, given how many for each node there are to be."""
        moves = int(moves_each * (len(self.problem.operations) + 8))
        if self.effort.visits is None:
            return moves
        left = -(-(self.effort.visits - self.effort.done) // len(self._workers))
        return left if left < 1.5 * moves else moves

    def _affordable(self, moves: int) -> float:
        """Moves that a cycle can make until the deadline, at a guess."""
        if self.effort.deadline is None:
            return moves
        return min(moves, self._speed * max(0.0, self.effort.deadline - time.monotonic()))

    def _run(self, tasks: Sequence[Task], *, gather: bool = True) -> None:
        """Run a cycle on every worker, wait for all of them, and take the best that they found."""
        begun = time.monotonic()
        try:
            if len(tasks) == 1:
                self._workers[0].cycle(tasks[0])
            else:
                self._run_threads(tasks)
        finally:
            done = sum(worker.done for worker in self._workers)
            self._speed = done / len(self._workers) / max(1e-3, time.monotonic() - begun)
            self.effort.done += done
            for worker in self._workers if gather else ():
                if worker.cost < self.cost:
                    self._take(worker.cost, worker.nodes)

    def _run_threads(self, tasks: Sequence[Task]) -> None:
        threads = [
            threading.Thread(target=worker.guarded, args=(task,), daemon=True)
            for worker, task in zip(self._workers, tasks, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL_SECONDS)
        finally:
            self._end_of(threads)
        for worker in self._workers:
            if worker.error is not None:
                raise worker.error

    def _end_of(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for threads; those that still run (there was an interrupt) are asked to stop first."""
        if any(thread.is_alive() for thread in threads):
            self.stop()
        for thread in threads:
            thread.join()

    def _take(self, cost: float, nodes: list[int]) -> None:
        self.cost, self.nodes = cost, nodes
        if self.report is not None:
            self.report(cost, nodes)
