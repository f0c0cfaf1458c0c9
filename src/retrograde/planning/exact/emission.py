"""From the moves of the exact search to a schedule: drops, overwrites, and the views that dissolved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Free
from retrograde.planning.exact.incumbent import is_accepted
from retrograde.planning.exact.instance import Instance
from retrograde.planning.exact.layout import BORDER, END, PLAIN
from retrograde.planning.exact.solver import Move
from retrograde.planning.lowering import Lowering, Schedule


def schedule_of(graph: Graph, instance: Instance, moves: Sequence[Move], budget_bytes: int) -> Schedule:
    """The schedule that moves stand for.

    The lowering frees each storage as early as it can; where it does not reach the same bytes (views made again that
    were there, several ways to overwrite), the moves are spelled out as the search took them.
    """
    lowering = Lowering(graph)
    sequence = run_order(instance, moves)
    peak, cost = lowering.measure(sequence)
    if peak <= budget_bytes and cost <= sum(instance.steps[move.step].cost for move in moves):
        schedule = lowering.lower(sequence)
        if is_accepted(graph, schedule, budget_bytes):
            return schedule
    return spelled_out(graph, instance, moves, budget_bytes)


def spelled_out(graph: Graph, instance: Instance, moves: Sequence[Move], budget_bytes: int) -> Schedule:
    """The schedule with exactly the drops and overwrites that the search chose."""
    return _Emitter(graph, instance, budget_bytes).emit(moves)


def run_order(instance: Instance, moves: Sequence[Move]) -> list[list[int]]:
    """The operations that moves run, by segment."""
    sequence: list[list[int]] = [[]]
    for move in moves:
        step = instance.steps[move.step]
        if step.kind == BORDER:
            sequence.append([])
        elif step.kind == PLAIN:
            sequence[-1].append(step.operation)
    return sequence


class _Emitter:
    """Spells moves out, with the bytes that are live at each."""

    def __init__(self, graph: Graph, instance: Instance, budget_bytes: int) -> None:
        self.graph = graph
        self.instance = instance
        self.budget_bytes = budget_bytes
        self.actions: list[Action] = []
        self.segments = [0]
        self.pinned = set(instance.held)
        self.present: frozenset[int] = frozenset()
        self.values = {v for v, value in enumerate(graph.values) if value.available_from == 0}
        steps = {step.operation for step in instance.steps}
        self.views = [o for o in graph.order if o not in steps]

    def emit(self, moves: Sequence[Move]) -> Schedule:
        self._add_views()
        for move in moves:
            kind = self.instance.steps[move.step].kind
            if kind == END:
                break
            if kind == BORDER:
                self._cross(move)
            else:
                self._run(move)
            self._add_views()
            self._free(self._live(self.present) - self._live(move.present))
            self.present = move.present
        self.pinned = self._outputs() | self.instance.held
        self._free(self._live(self.present))
        return Schedule(tuple(self.actions), tuple(self.segments))

    def _live(self, items: frozenset[int]) -> set[int]:
        return {self.instance.item_storage[item] for item in items}

    def _outputs(self) -> set[int]:
        return {self.graph.values[v].storage for v in self.graph.outputs}

    def _free(self, storages: set[int]) -> None:
        for storage in sorted(storages - self.pinned):
            self.actions.append(Free(storage))
            self.values.difference_update(self.graph.storage_values[storage])

    def _cross(self, move: Move) -> None:
        made = self.instance.steps[move.step].makes
        self._free(self._live(self.present) - self._live(move.present))
        segment = len(self.segments)
        self.present = self.present & move.present
        self.pinned |= self.instance.pins[segment]
        if self.instance.retain:
            self.pinned |= self._live(self.present)
        self.segments.append(len(self.actions))
        self.present |= made
        self.values |= {v for v, value in enumerate(self.graph.values) if value.available_from == segment}

    def _run(self, move: Move) -> None:
        step = self.instance.steps[move.step]
        held = move.present - step.makes
        lost = {self.instance.item_storage[item] for item in self.present - held - step.makes}
        renewed = {s for s in step.allocates if not self._others(s, step.makes)}
        self._free((self._live(self.present) & (lost | renewed)) - step.touches)
        kept = {i for i in self.present if self.instance.item_storage[i] in step.touches or i in held}
        self.present = frozenset(kept | {i for i in self.present if self.instance.item_storage[i] in self.pinned})
        dying = sorted((self._live(self.present) & step.touches) - self._live(move.present) - self.pinned)
        overwrites = self._overwrites(move.step, dying)
        self.actions.append(Compute(step.operation, 0, overwrites))
        self.values |= set(self.graph.operations[step.operation].makes)
        for _, read in overwrites:
            storage = self.graph.values[read].storage
            self.values.difference_update(self.graph.storage_values[storage])
            self.present = frozenset(i for i in self.present if self.instance.item_storage[i] != storage)
        self.present |= step.makes

    def _others(self, storage: int, makes: set[int]) -> bool:
        """Whether items that the step does not make live in a storage."""
        return any(self.instance.item_storage[item] == storage and item not in makes for item in self.present)

    def _overwrites(self, index: int, dying: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Pairs that bring the step within the budget: as few as possible."""
        step = self.instance.steps[index]
        values = self.graph.values
        live = self._live(self.present)
        fresh = set(step.allocates) - live
        pairs = [
            pair
            for pair in self.graph.operations[step.operation].may_overwrite
            if values[pair[0]].storage in fresh and values[pair[1]].storage in dying
        ]
        sizes = self.instance.storage_bytes
        need = sum(sizes[s] for s in live) + sum(sizes[s] for s in step.allocates) + step.workspace_bytes
        need += self.instance.fixed_bytes[len(self.segments) - 1] - self.budget_bytes
        for count in range(len(pairs) + 1):
            for chosen in combinations(pairs, count):
                made, read = {values[m].storage for m, _ in chosen}, {values[r].storage for _, r in chosen}
                if len(made) == len(read) == count and sum(sizes[s] for s in read) >= need:
                    return chosen
        return ()

    def _add_views(self) -> None:
        """Run the dissolved views of whatever is present, each as soon as it can."""
        segment = len(self.segments) - 1
        for index in self.views:
            operation = self.graph.operations[index]
            wanted = operation.segment <= segment and not self.values.issuperset(operation.makes)
            if wanted and self.values.issuperset(operation.reads):
                self.actions.append(Compute(index))
                self.values.update(operation.makes)
