"""One thread of the annealing: a simulator of its own, and the cycle that it runs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrograde.planning.improve.cooling import Cooling, Scale, room_of
from retrograde.planning.simulator import Problem, Simulator
from retrograde.planning.simulator.layout import OVERLOAD, Floats

PORTION = 4096
"""Moves between two looks at the clock, at most."""

PORTIONS = 100
"""Steps of the temperature in one cycle, at least."""

RISE = 300.0
"""By how much the price rises in a cycle."""

PRESSURE = 1.2
"""By how much the price rises beyond its course at each step, late in a cycle that does not fit yet."""


@dataclass(frozen=True)
class Task:
    """A cycle to run.

    Attributes:
        nodes: the sequence to begin with.
        budget_bytes: the budget.
        cooling: the course.
        scale: the units of the course.
        moves: how many moves it makes.
        deadline: when it ends at the latest, whatever the moves, by ``time.monotonic``; it cools down in time.
        enough: the cost at which it ends at once.
        reorder_only: whether nothing may be computed again that the sequence does not compute again.
        seed: of its moves.
    """

    nodes: Sequence[int]
    budget_bytes: int
    cooling: Cooling
    scale: Scale
    moves: int
    deadline: float | None
    enough: float
    reorder_only: bool
    seed: int


class Worker:
    """One thread's state and results.

    Args:
        problem: the condensed graph.
        stopped: set when the worker is to stop.

    Attributes:
        cost: of the best sequence that fits; infinite if there is none.
        nodes: that sequence, or if nothing fits the one at the cycle's end.
        overload: what that one has above the budget.
        done: moves made.
        error: what the cycle raised.
    """

    def __init__(self, problem: Problem, stopped: threading.Event) -> None:
        self.problem = problem
        self.stopped = stopped
        self.simulator = Simulator(problem, slots=room_of(problem))
        self.kept = np.zeros(self.simulator.state.slot.shape[1], dtype=np.int64)
        self.error: BaseException | None = None
        self.cost = math.inf
        self.nodes: list[int] = []
        self.overload = math.inf
        self.done = 0

    def guarded(self, task: Task) -> None:
        """Run a cycle, and keep what it raises for the thread that waits."""
        try:
            self.cycle(task)
        except BaseException as error:
            self.error = error

    def cycle(self, task: Task) -> None:
        """Cool down from a sequence; see the attributes for what came of it."""
        from retrograde.planning.improve.annealing_kernels import BEST, ENOUGH, FOUND, REORDER, anneal_steps

        self._load(task)
        state = self.simulator.state
        control, counts = np.zeros(6), np.zeros(3, dtype=np.int64)
        control[BEST], control[ENOUGH], control[REORDER] = math.inf, task.enough, float(task.reorder_only)
        random = np.array([task.seed], dtype=np.int64)
        portion = max(16, min(PORTION, task.moves // PORTIONS))
        begun, pressure, progress = time.monotonic(), 1.0, 0.0
        try:
            while progress < 1.0 and control[BEST] > task.enough and not self.stopped.is_set():
                late = progress > 0.7 and state.number[OVERLOAD] > 0
                pressure *= PRESSURE if late else 1.0
                _set(control, task, progress, pressure)
                count = min(portion, task.moves - self.done)
                anneal_steps(self.problem.arrays, state, count, control, random, counts, self.kept)
                self.done += count
                progress = _progress(task, self.done, begun)
        finally:
            self._finish(float(control[BEST]), int(counts[FOUND]))
        self._polish(task)

    def _load(self, task: Task) -> None:
        from retrograde.planning.simulator.order_kernels import watch

        self.simulator.load(task.nodes, room_of(self.problem))
        slots = self.simulator.state.slot.shape[1]
        if slots > len(self.kept):
            self.kept = np.zeros(slots, dtype=np.int64)
        watch(self.simulator.state, task.budget_bytes, task.scale.coarse)
        self.cost, self.nodes, self.overload, self.done = math.inf, [], math.inf, 0

    def _finish(self, cost: float, count: int) -> None:
        if count:
            self.cost, self.nodes, self.overload = cost, self.kept[:count].tolist(), 0.0
        else:
            self.nodes, self.overload = self.simulator.nodes(), float(self.simulator.state.number[OVERLOAD])

    def _polish(self, task: Task) -> None:
        """Take away what the best sequence does not need."""
        from retrograde.planning.improve.kernels import polish

        if math.isinf(self.cost) or self.stopped.is_set() or task.reorder_only:
            return
        self.simulator.load(self.nodes, room_of(self.problem))
        while polish(self.problem.arrays, self.simulator.state, task.budget_bytes):
            pass
        self.cost, self.nodes = self.simulator.cost, self.simulator.nodes()


def _progress(task: Task, done: int, begun: float) -> float:
    progress = done / task.moves
    if task.deadline is not None:
        progress = max(progress, (time.monotonic() - begun) / max(1e-9, task.deadline - begun))
    return progress


def _set(control: Floats, task: Task, progress: float, pressure: float) -> None:
    from retrograde.planning.improve.annealing_kernels import FEE, PRICE, TEMPERATURE

    cooling, scale = task.cooling, task.scale
    hot = cooling.hot * scale.mean_cost
    cold = min(hot, scale.coldest * scale.mean_cost)
    control[TEMPERATURE] = hot * (cold / hot) ** progress
    control[PRICE] = cooling.price * scale.price * RISE ** (progress**3) * pressure
    control[FEE] = cooling.fee * control[TEMPERATURE]
