"""Simulated annealing of sequences, reordering included: cycles of cooling on several threads, the best one kept."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from retrograde.errors import UsageError
from retrograde.planning.improve.descent import Effort
from retrograde.planning.simulator import Problem, Simulator
from retrograde.planning.simulator.layout import OVERLOAD

PORTION = 4096
"""Moves between two looks at the clock, at most."""

PORTIONS = 100
"""Steps of the temperature in one cycle, at least."""

FIRST_CYCLE = 1000
"""Moves for each node in the first cycle."""

GROWTH = 1.4
"""How much longer each round of cycles is than the one before."""

PRESSURE = 1.2
"""By how much the price rises beyond its course at each step, late in a cycle that does not fit yet."""

POLL_SECONDS = 0.02
"""How often the main thread looks whether the others are done, so that an interrupt arrives."""

LARGEST_BYTES = 1 << 59
"""The most bytes that all storages, workspaces and fixed demands together may have."""

LARGEST_SUM = 1 << 61
"""The most that the bytes of all storages, times the slots there is room for, may come to before they are coarsened."""


@dataclass(frozen=True)
class Cooling:
    """The course of one cycle.

    Attributes:
        hot: the temperature that it begins at, over the mean cost of an operation.
        price: the price of overload that it begins with, over what pays the base cost for the overload of the order.
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
        price: cost for one unit of overload that pays the base cost for the overload of the given order.
        coarse: the overload is counted in units of two to this power, of bytes.
    """

    mean_cost: float
    coldest: float
    price: float
    coarse: int


class Annealing:
    """Simulated annealing of sequences of one graph, on several threads.

    A move runs a computation elsewhere (the first one of an operation too, so that the order changes), inserts a
    recomputation before a reader with whatever it needs, or takes one away with whatever only it needed. Moves are
    accepted by the rule of Metropolis et al. (1953) on cost + price × overload (Kirkpatrick et al. 1983; for
    rematerialization Imanishi et al., NeurIPS 2023). A cycle cools down geometrically while the price rises. Every
    thread runs cycles of its own, whose parameters are drawn around those that served best so far.

    Args:
        problem: the condensed graph.
        effort: moves (``visits``) of all threads together, and the deadline.
        seed: of everything random. The same seed, moves and threads give the same result.
        threads: how many cycles run at the same time.
        report: called from the calling thread with the cost and the nodes whenever a better sequence that fits is
            in hand.

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
        _check_bytes(problem)
        self.problem = problem
        self.effort = effort
        self.seed = seed
        self.report = report
        self.cost = math.inf
        self.nodes: list[int] = []
        self.moves = 0
        self._stopped = threading.Event()
        self._workers = [_Worker(problem, self._stopped) for _ in range(max(1, threads))]

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
        scale = _scale(self.problem, simulator, budget_bytes)
        simulator.load(nodes)
        if simulator.peak_bytes <= budget_bytes:
            self._take(simulator.cost, list(nodes))
        floor = float(self.problem.arrays.cost.sum())
        rounds = _Rounds(self.seed, len(self.problem.operations))
        while not self._is_over(floor):
            plans = [rounds.next(worker) for worker in range(len(self._workers))]
            moves = self._length(rounds)
            start = self.nodes or list(nodes)
            for worker, cooling in zip(self._workers, plans, strict=True):
                origin = self.problem.sequence if cooling.afresh else start
                worker.prepare(origin, budget_bytes, cooling, scale, moves, self.effort.deadline, rounds.random_seed())
            self._run()
            for worker, cooling in zip(self._workers, plans, strict=True):
                self.moves += worker.done
                self.effort.done += worker.done
                rounds.learn(cooling, worker.cost)
            self._gather()
            rounds.number += 1
        return bool(self.nodes)

    def _is_over(self, floor: float) -> bool:
        return self.effort.is_spent or self._stopped.is_set() or self.cost <= floor * (1 + 1e-15)

    def _length(self, rounds: _Rounds) -> int:
        """Moves of each cycle of a round."""
        moves = int(FIRST_CYCLE * (len(self.problem.operations) + 8) * GROWTH**rounds.number)
        if self.effort.visits is None:
            return moves
        left = -(-(self.effort.visits - self.effort.done) // len(self._workers))
        return left if left < 1.5 * moves else moves

    def _run(self) -> None:
        """Run every worker's cycle, and wait for all of them."""
        try:
            if len(self._workers) == 1:
                self._workers[0].cycle()
            else:
                self._run_threads()
        except BaseException:
            self._gather()
            raise

    def _run_threads(self) -> None:
        threads = [threading.Thread(target=worker.guarded, daemon=True) for worker in self._workers]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL_SECONDS)
        finally:
            self._stopped_while(threads)
        for worker in self._workers:
            if worker.error is not None:
                raise worker.error

    def _stopped_while(self, threads: list[threading.Thread]) -> None:
        """Wait for threads; those that still run (there was an interrupt) are asked to stop first."""
        if any(thread.is_alive() for thread in threads):
            self.stop()
        for thread in threads:
            thread.join()

    def _gather(self) -> None:
        """Take the best that the workers found."""
        for worker in self._workers:
            if worker.cost < self.cost:
                self._take(worker.cost, worker.nodes)

    def _take(self, cost: float, nodes: list[int]) -> None:
        self.cost, self.nodes = cost, nodes
        if self.report is not None:
            self.report(cost, nodes)


class _Rounds:
    """The parameters of cycles: drawn at large, or around those of the best cycle so far."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = np.random.default_rng([seed & 0xFFFFFFFF, size])
        self.number = 0
        self.best: tuple[float, Cooling] | None = None

    def random_seed(self) -> int:
        return int(self.random.integers(1, 1 << 62))

    def next(self, worker: int) -> Cooling:
        draw = self.random.random(4)
        if self.best is not None and draw[0] < 0.5:
            return self._near(self.best[1])
        hot = 10 ** float(-1.0 + 1.2 * draw[1])
        price = 10 ** float(-2.0 + 2.5 * draw[2])
        return Cooling(hot, price, 3.0 * float(draw[3]) ** 2, (self.number + worker) % 2 == 0)

    def _near(self, cooling: Cooling) -> Cooling:
        steps = self.random.normal(0.0, 0.3, 2)
        afresh = bool(self.random.random() < 0.5)
        hot = cooling.hot * 10 ** float(steps[0]) * (1.0 if afresh == cooling.afresh else (4.0 if afresh else 0.25))
        return Cooling(hot, cooling.price * 10 ** float(steps[1]), cooling.fee, afresh)

    def learn(self, cooling: Cooling, cost: float) -> None:
        if math.isfinite(cost) and (self.best is None or cost <= self.best[0]):
            self.best = (cost, cooling)


class _Worker:
    """One thread's state, and the cycle that it is to run."""

    def __init__(self, problem: Problem, stopped: threading.Event) -> None:
        self.problem = problem
        self.stopped = stopped
        self.simulator = Simulator(problem, slots=_room(problem))
        self.kept = np.zeros(self.simulator.state.slot.shape[1], dtype=np.int64)
        self.error: BaseException | None = None
        self.cost = math.inf
        self.nodes: list[int] = []
        self.done = 0

    def prepare(
        self,
        nodes: Sequence[int],
        budget_bytes: int,
        cooling: Cooling,
        scale: Scale,
        moves: int,
        deadline: float | None,
        seed: int,
    ) -> None:
        """Say what the next cycle does."""
        from retrograde.planning.simulator.order_kernels import watch

        self.simulator.load(nodes, len(self.kept))
        if self.simulator.state.slot.shape[1] > len(self.kept):
            self.kept = np.zeros(self.simulator.state.slot.shape[1], dtype=np.int64)
        watch(self.simulator.state, budget_bytes, scale.coarse)
        self.budget_bytes, self.cooling, self.scale = budget_bytes, cooling, scale
        self.moves, self.deadline = moves, deadline
        self.seed = np.array([seed], dtype=np.int64)
        self.cost, self.nodes, self.done = math.inf, [], 0

    def guarded(self) -> None:
        """Run the cycle, and keep what it raises for the thread that waits."""
        try:
            self.cycle()
        except BaseException as error:
            self.error = error

    def cycle(self) -> None:
        """Cool down from the prepared sequence; ``cost`` and ``nodes`` are then the best that fits."""
        from retrograde.planning.improve.annealing_kernels import BEST, FOUND, anneal_steps

        arrays, state = self.problem.arrays, self.simulator.state
        control = np.zeros(4)
        control[BEST] = math.inf
        counts = np.zeros(3, dtype=np.int64)
        begun = time.monotonic()
        portion = max(16, min(PORTION, self.moves // PORTIONS))
        pressure = 1.0
        try:
            while self.done < self.moves and not self.stopped.is_set():
                progress = self._progress(begun)
                if progress >= 1.0:
                    break
                if progress > 0.7 and state.number[OVERLOAD] > 0:
                    pressure *= PRESSURE
                self._set(control, progress, pressure)
                count = min(portion, self.moves - self.done)
                anneal_steps(arrays, state, count, control, self.seed, counts, self.kept)
                self.done += count
        finally:
            if counts[FOUND]:
                self.cost, self.nodes = float(control[BEST]), self.kept[: counts[FOUND]].tolist()
        self._polish()

    def _progress(self, begun: float) -> float:
        progress = self.done / self.moves
        if self.deadline is not None:
            now = time.monotonic()
            progress = max(progress, (now - begun) / max(1e-9, self.deadline - begun))
        return progress

    def _set(self, control: np.ndarray, progress: float, pressure: float) -> None:
        from retrograde.planning.improve.annealing_kernels import FEE, PRICE, TEMPERATURE

        cooling, scale = self.cooling, self.scale
        hot = cooling.hot * scale.mean_cost
        cold = min(hot, scale.coldest * scale.mean_cost)
        control[TEMPERATURE] = hot * (cold / hot) ** progress
        control[PRICE] = cooling.price * scale.price * 300.0 ** (progress**3) * pressure
        control[FEE] = cooling.fee * control[TEMPERATURE]

    def _polish(self) -> None:
        """Take away what the best sequence does not need."""
        from retrograde.planning.improve.kernels import polish

        if not self.nodes or self.stopped.is_set():
            return
        self.simulator.load(self.nodes, len(self.kept))
        while polish(self.problem.arrays, self.simulator.state, self.budget_bytes):
            pass
        if self.simulator.cost < self.cost:
            self.cost, self.nodes = self.simulator.cost, self.simulator.nodes()


def _scale(problem: Problem, simulator: Simulator, budget_bytes: int) -> Scale:
    cost = problem.arrays.cost[problem.arrays.cost > 0]
    total = float(cost.sum())
    mean = total / max(1, cost.size)
    mean = mean if mean > 0 else 1.0
    coldest = 0.05 * float(np.quantile(cost, 0.1)) / mean if cost.size else 1.0
    room = _room(problem)
    coarse = 0
    while (_total_bytes(problem) * room) >> coarse > LARGEST_SUM:
        coarse += 1
    from retrograde.planning.simulator.order_kernels import watch

    watch(simulator.state, budget_bytes, coarse)
    overload = int(simulator.state.number[OVERLOAD])
    return Scale(mean, min(0.02, max(1e-4, coldest)), max(total, mean) / max(1, overload), coarse)


def _room(problem: Problem) -> int:
    return 12 * len(problem.operations) + 4096


def _total_bytes(problem: Problem) -> int:
    graph = problem.graph
    total = sum(s.bytes for s in graph.storages) + sum(o.workspace_bytes for o in graph.operations)
    return total + sum(graph.fixed_bytes)


def _check_bytes(problem: Problem) -> None:
    total = _total_bytes(problem)
    if total >= LARGEST_BYTES:
        raise UsageError(
            f"the graph's storages, workspaces and fixed demands come to {total} bytes; annealing sums bytes as 64-bit "
            f"integers and takes less than {LARGEST_BYTES}. Describe the graph in a larger unit than bytes"
        )
