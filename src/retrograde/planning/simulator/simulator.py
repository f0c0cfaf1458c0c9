"""The simulator: the peak of a sequence of computations, exact to the byte, kept up to date move by move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning.simulator.layout import (
    FREE,
    HEAD,
    LOGGED,
    MISSING,
    NODE,
    PREVIOUS,
    RUNS,
    SINCE,
    State,
    grown,
    new_state,
)
from retrograde.planning.simulator.problem import Problem, condense


class Simulator:
    """A sequence of computations and the bytes live at each of them, as moves change it.

    A slot is one computation; its number stays the same while it stands. Every read binds to the latest earlier
    slot of the operation that makes the storage, and a storage is freed after its last such read: the bytes are
    those that the referee sees when ``lower(graph, simulator.sequence())`` is replayed. (In a graph that retains
    they may be more, when something is computed again after it crossed a border.) A move costs some hundred
    nanoseconds in compiled code, beside the call from Python; ``problem.arrays`` and ``state`` are what the kernels
    (``retrograde.planning.simulator.kernels``) take, so that a search compiled with Numba calls them directly.

    Args:
        graph: the computation, or what ``condense`` made of it.
        sequence: for each segment the operations to run, in order; the graph's own order when left out.
        slots: room for slots; grows when moves made from Python need more.

    Raises:
        UsageError: the sequence reads what was not computed before, or runs an operation in an earlier segment.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 2, 3], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)])
        >>> simulator = Simulator(graph)
        >>> simulator.peak_bytes, simulator.cost
        (24, 6.0)
        >>> slot = simulator.insert(0, before=simulator.slots()[2])
        >>> simulator.sequence(), simulator.cost
        ([[0, 1, 0, 2]], 7.0)
        >>> simulator.undo(0)
        >>> simulator.sequence()
        [[0, 1, 2]]
    """

    def __init__(
        self,
        graph: Graph | Problem,
        sequence: Sequence[Sequence[int]] | None = None,
        *,
        slots: int | None = None,
    ) -> None:
        self.problem = graph if isinstance(graph, Problem) else condense(graph)
        nodes = self.problem.sequence if sequence is None else self.problem.nodes_of(sequence)
        self.state: State
        self.load(nodes, slots or 4 * len(nodes) + 1024)

    def load(self, nodes: Sequence[int], slots: int | None = None) -> None:
        """Replace the sequence by another, given as nodes with borders and end; the log of moves starts empty.

        Raises:
            UsageError: the sequence is not valid.
        """
        from retrograde.planning.simulator.kernels import load_nodes

        room = max(slots or 0, 2 * len(nodes) + 1024)
        self.state = new_state(len(self.problem.operations), room)
        for segment_bound, node in self._bounds(nodes):
            if segment_bound:
                raise UsageError(f"the sequence runs operation {self.problem.operations[node]} before its segment")
        load_nodes(self.problem.arrays, self.state, np.array(nodes, dtype=np.int64))
        if self.state.number[MISSING]:
            raise UsageError("the sequence reads a value that was not computed before; compute it first")

    def _bounds(self, nodes: Sequence[int]) -> list[tuple[bool, int]]:
        segment, found = 0, list[tuple[bool, int]]()
        borders = set(self.problem.borders[1:])
        for node in nodes:
            if node in borders:
                segment = int(self.problem.arrays.node[SINCE, node])
            found.append((int(self.problem.arrays.node[SINCE, node]) > segment, node))
        return found

    # What there is

    @property
    def peak_bytes(self) -> int:
        """The most bytes live at any slot or border."""
        from retrograde.planning.simulator.order_kernels import peak_of

        return int(peak_of(self.state))

    @property
    def peak_slot(self) -> int:
        """The first slot at which the peak is reached; -1 when nothing is ever live."""
        from retrograde.planning.simulator.order_kernels import peak_slot_of

        return int(peak_slot_of(self.state))

    @property
    def cost(self) -> float:
        """The cost of all slots; views that dissolved are not in it."""
        return float(self.state.cost[0])

    @property
    def is_valid(self) -> bool:
        """Whether every read finds what it reads, and every operation runs."""
        return not self.state.number[MISSING] and bool((self.state.runner[RUNS] > 0).all())

    def overload(self, budget_bytes: int) -> int:
        """Bytes above a budget, summed over all slots."""
        from retrograde.planning.simulator.order_kernels import overload_of

        return int(overload_of(self.state, budget_bytes))

    def slots(self) -> list[int]:
        """All slots in order; borders and the end are slots too."""
        slot = int(self.state.runner[HEAD, self.problem.end])
        slots: list[int] = []
        while slot >= 0:
            slots.append(slot)
            slot = int(self.state.slot[PREVIOUS, slot])
        return slots[::-1]

    def operation(self, slot: int) -> int:
        """The operation that a slot runs; -1 for a border or the end."""
        return self.problem.operations[int(self.state.slot[NODE, slot])]

    def bytes_at(self, slot: int) -> int:
        """Bytes live while a slot runs, its workspace and the segment's fixed demand included."""
        from retrograde.planning.simulator.order_kernels import bytes_at

        return int(bytes_at(self.state, slot))

    def live_at(self, slot: int) -> list[int]:
        """The graph's storages that are live while a slot runs (those the caller held before the call left out)."""
        from retrograde.planning.simulator.kernels import live_storages

        live = live_storages(self.problem.arrays, self.state, slot)
        return [self.problem.storages[s] for s in np.flatnonzero(live) if self.problem.storages[s] >= 0]

    def nodes(self) -> list[int]:
        """The sequence as nodes, borders and end included: what ``load`` takes."""
        return [int(self.state.slot[NODE, slot]) for slot in self.slots()]

    def sequence(self) -> list[list[int]]:
        """For each segment the operations in order: what ``lower`` takes."""
        return sequence_of(self.problem, self.nodes())

    # Moves

    def insert(self, operation: int, before: int) -> int:
        """Run an operation once more, before a slot; returns the new slot.

        Raises:
            UsageError: the operation is a view, may not run twice, or may not run in that segment yet.
        """
        from retrograde.planning.simulator.kernels import insert_slot

        self._make_room()
        node = self.problem.node_of[operation]
        slot = int(insert_slot(self.problem.arrays, self.state, node, before)) if node >= 0 else -1
        if slot < 0:
            raise UsageError(f"operation {operation} may not run (again) before slot {before}")
        return slot

    def remove(self, slot: int) -> None:
        """Take a computation away; see ``is_valid`` for whether something still reads it.

        Raises:
            UsageError: the slot is a border or the end.
        """
        from retrograde.planning.simulator.kernels import remove_slot

        self._make_room()
        if not remove_slot(self.problem.arrays, self.state, slot):
            raise UsageError(f"slot {slot} is a border between segments; it cannot be removed")

    def move(self, slot: int, before: int) -> int:
        """Take a computation away and put it before another slot; returns its slot there."""
        operation = self.operation(slot)
        if slot == before:
            return slot
        self.remove(slot)
        return self.insert(operation, before)

    def mark(self) -> int:
        """Where the log of moves stands; ``undo`` takes the moves after it back."""
        return int(self.state.number[LOGGED])

    def undo(self, mark: int) -> None:
        """Take back every move made after a mark."""
        from retrograde.planning.simulator.kernels import undo_to

        undo_to(self.problem.arrays, self.state, mark)

    def commit(self) -> None:
        """Forget the log of moves: what was done before stays done, and earlier marks are void."""
        self.state.number[LOGGED] = 0

    def _make_room(self) -> None:
        if self.state.number[FREE] < 1 or self.state.number[LOGGED] >= self.state.log.shape[0] - 1:
            self.state = grown(self.state)


def sequence_of(problem: Problem, nodes: Sequence[int]) -> list[list[int]]:
    """A sequence of nodes as operations for each segment."""
    sequence: list[list[int]] = [[]]
    borders = set(problem.borders[1:])
    for node in nodes:
        if node in borders:
            sequence.append([])
        elif node != problem.end:
            sequence[-1].append(problem.operations[node])
    return sequence
