"""What the simple strategies share: the turn of a graph, and recomputation on demand behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.graph.footprint import store_all_live_bytes
from retrograde.planning.lowering import RunOrder


class Split:
    """A graph cut in two at its turn: what is made early may be dropped and recomputed for those who read it late.

    The turn of a graph of several segments is the border over which the given order keeps most bytes (of a training
    step, the one before the backward); that of a graph of one segment the moment at which it holds most.
    Operations that only make views are left to lowering, unless their value cannot be made again.

    Args:
        graph: the computation.

    Attributes:
        early: the operations before the turn, in the given order, views left out.
        late: those behind it, each with the segment that the given order runs it in.
        position: for each operation its place in ``early``, or -1.
        needs: for each operation the operations whose results it reads, directly or through views.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.turn = _turn(graph)
        self.needs = _needs(graph)
        runs = [not self.is_inserted(i) for i in range(len(graph.operations))]
        self.early = [i for i in graph.order[: self.turn] if runs[i]]
        placed = zip(graph.order[self.turn :], graph.order_segments[self.turn :], strict=True)
        self.late = [(segment, i) for i, segment in placed if runs[i]]
        self.position = [-1] * len(graph.operations)
        for place, operation in enumerate(self.early):
            self.position[operation] = place

    def is_inserted(self, operation: int) -> bool:
        """Whether a view operation is left to lowering: it can be made again from what it views alone."""
        if not self.graph.is_view(operation) or not self.graph.operations[operation].recomputable:
            return False
        return len(self.graph.read_storages(operation)) == 1

    @cached_property
    def droppable(self) -> frozenset[int]:
        """The early operations that may be recomputed and that somebody late wants."""
        wanted: set[int] = set()
        stack = [i for _, i in self.late]
        while stack:
            for need in self.needs[stack.pop()]:
                if need not in wanted:
                    wanted.add(need)
                    stack.append(need)
        return frozenset(i for i in self.early if i in wanted and self.why_kept(i) is None)

    def why_kept(self, operation: int) -> str | None:
        """Why an operation's results are never dropped; None if they may be."""
        graph = self.graph
        if not graph.operations[operation].recomputable:
            return "it may not run twice"
        if graph.is_view(operation):
            return "it only makes views, which take no bytes; name the operation that makes what it views"
        if self.position[operation] < 0:
            return "it runs behind the turn of the graph; only what is made before that is recomputed"
        for value in graph.operations[operation].makes:
            if graph.values[value].storage in self._lasting:
                return f"its result (value {value}) is or shares storage with an output or a part made only once"
        return None

    @cached_property
    def _lasting(self) -> frozenset[int]:
        """Storages of outputs, and those in which an operation that is no mere view of them makes a value."""
        graph = self.graph
        lasting = {graph.values[v].storage for v in graph.outputs}
        for index, operation in enumerate(graph.operations):
            if not self.is_inserted(index):
                made = {graph.values[v].storage for v in operation.makes}
                lasting |= made & set(graph.read_storages(index))
        return frozenset(lasting)

    @cached_property
    def last_early_use(self) -> list[int]:
        """For each place in ``early`` the last place at which its results are read; its own if they are not."""
        last = list(range(len(self.early)))
        for place, operation in enumerate(self.early):
            for need in self.needs[operation]:
                last[self.position[need]] = place
        return last

    @cached_property
    def crossing_bytes(self) -> list[int]:
        """For each place in ``early``, and its end, the bytes made before it and read early at it or later."""
        change = [0] * (len(self.early) + 2)
        for place, operation in enumerate(self.early):
            size = sum(self.graph.storages[s].bytes for s in self.graph.allocated_storages(operation))
            change[place + 1] += size
            change[self.last_early_use[place] + 1] -= size
        total, crossing = 0, list[int]()
        for step in change[:-1]:
            total += step
            crossing.append(total)
        return crossing

    def narrowest(self, low: int, high: int, middle: int) -> int:
        """The place from ``low`` to ``high`` that fewest bytes cross; of equals the one nearest to ``middle``."""
        return min(range(low, high + 1), key=lambda place: (self.crossing_bytes[place], abs(place - middle)))


def _turn(graph: Graph) -> int:
    """The place in the given order at which the late part begins."""
    live = store_all_live_bytes(graph)
    segments = graph.order_segments
    borders = [p for p in range(1, len(segments)) if segments[p] != segments[p - 1]]
    if graph.segment_count > 1:
        return max(borders, key=lambda place: (min(live[place - 1], live[place]), -place), default=len(segments))
    return max(range(len(live)), key=live.__getitem__, default=-1) + 1


def _needs(graph: Graph) -> list[tuple[int, ...]]:
    """For each operation the operations, views left out, whose results it reads directly or through views."""
    through: list[tuple[int, ...]] = [()] * len(graph.values)
    needs: list[tuple[int, ...]] = [()] * len(graph.operations)
    for index in graph.order:
        operation = graph.operations[index]
        needs[index] = tuple(dict.fromkeys(n for v in operation.reads for n in through[v]))
        for value in operation.makes:
            storage = graph.values[value].storage
            viewed = [v for v in operation.reads if graph.values[v].storage == storage]
            own = () if graph.is_view(index) else (index,)
            through[value] = tuple(dict.fromkeys([*own, *(n for v in viewed for n in through[v])]))
    return needs


def cut_into_blocks(split: Split, cuts: Sequence[int]) -> frozenset[int]:
    """What is dropped when blocks of the early part keep only what crosses from one into another.

    The last block keeps everything: it would be recomputed at once.

    Args:
        split: the graph.
        cuts: places in ``split.early`` at which a block begins, the first one left out, in order.
    """
    block = [0] * len(split.early)
    for place in cuts:
        block[place] = 1
    for place in range(1, len(block)):
        block[place] += block[place - 1]
    last = block[-1] if block else 0
    return frozenset(
        operation
        for place, operation in enumerate(split.early)
        if operation in split.droppable and block[place] < last and block[split.last_early_use[place]] == block[place]
    )


Holds = Callable[[Sequence[int]], Collection[int]]
"""From the places in ``early`` of what is wanted to the operations that stay in hand once they are recomputed."""


def recompute_on_demand(
    split: Split,
    dropped: Collection[int],
    holds: Holds | None = None,
    most_runs: int | None = None,
    *,
    holds_early: bool = True,
) -> RunOrder:
    """Run the early part, then the late one, recomputing what was dropped where it is wanted.

    What is recomputed is held to its last use, or, with ``holds``, as long as that names it. A dropped operation that
    nobody kept depends on runs for the first time where it is wanted late; so does one that may run before the turn
    and stands behind it in the given order.

    Args:
        split: the graph.
        dropped: early operations whose results are not kept across the turn.
        holds: what to hold, asked before each late operation that wants something dropped.
        most_runs: the longest sequence to make.
        holds_early: whether ``holds`` is asked of what the early part computed, too; otherwise whatever was dropped
            is gone when the late part begins.

    Raises:
        UsageError: the sequence would be longer than ``most_runs``.
    """
    return _Demand(split, dropped, holds, most_runs, holds_early).sequence()


class _Demand:
    def __init__(
        self,
        split: Split,
        dropped: Collection[int],
        holds: Holds | None,
        most_runs: int | None,
        holds_early: bool,
    ) -> None:
        self.split = split
        self.graph = split.graph
        self.dropped = frozenset(dropped)
        self.holds = holds
        self.most_runs = most_runs
        self.holds_early = holds_early
        self.keep: Collection[int] | None = None
        self.ready: set[int] = set()
        self.held: set[int] = set()
        self.ran: set[int] = set()
        self.run_count = 0
        self.segments: list[list[int]] = [[] for _ in range(self.graph.segment_count)]
        self.place = {operation: place for place, operation in enumerate(self.graph.order)}

    def sequence(self) -> RunOrder:
        self._run_early()
        for segment, operation in self.split.late:
            if self.graph.operations[operation].segment == segment or not self._may_wait(operation):
                self._run_late(segment, operation)
        for operation in self.graph.order:
            if operation not in self.ran and not self.split.is_inserted(operation):
                self._run_late(self.graph.segment_count - 1, operation)
        return self.segments

    def _may_wait(self, operation: int) -> bool:
        """Whether an operation of an earlier segment can run at its first use: it is no view of something."""
        return not self.graph.is_view(operation)

    def _run_early(self) -> None:
        wanted = set[int]()
        for operation in reversed(self.split.early):
            if operation not in self.dropped or operation in wanted:
                wanted.add(operation)
                wanted.update(self.split.needs[operation])
        order = self.graph.order_segments
        for operation in self.split.early:
            if operation in wanted:
                self._append(order[self.place[operation]], operation)
        self.ready = wanted - self.dropped
        if self.holds is not None and self.holds_early:
            self.held = wanted & self.dropped

    def _run_late(self, segment: int, operation: int) -> None:
        needs = self.split.needs[operation]
        if not self.ready.issuperset(needs):
            self._recompute(segment, [n for n in needs if n not in self.ready])
        self._append(segment, operation)
        self.ready.add(operation)

    def _recompute(self, segment: int, wanted: Sequence[int]) -> None:
        position = self.split.position
        keep: Collection[int] | None = None
        places = [position[i] for i in wanted if position[i] >= 0]
        if self.holds is not None and places:
            keep = self.holds(places)
            if keep is not self.keep:
                self.held.intersection_update(keep)
                self.keep = keep
        missing = sorted(self._missing(wanted), key=self.place.__getitem__)
        for operation in missing:
            self._append(segment, operation)
            if position[operation] < 0:
                self.ready.add(operation)
            elif keep is None or operation in keep:
                self.held.add(operation)

    def _missing(self, wanted: Iterable[int]) -> set[int]:
        """What has to run so that the wanted results are in hand."""
        missing: set[int] = set()
        stack = [i for i in wanted if i not in self.held]
        while stack:
            operation = stack.pop()
            if operation not in missing:
                missing.add(operation)
                stack += [n for n in self.split.needs[operation] if n not in self.ready and n not in self.held]
        return missing

    def _append(self, segment: int, operation: int) -> None:
        self.segments[segment].append(operation)
        self.ran.add(operation)
        self.run_count += 1
        if self.most_runs is not None and self.run_count > self.most_runs:
            raise UsageError(
                f"recomputing everything for each use takes more than {self.most_runs} runs on this graph of "
                f"{len(self.graph.operations)} operations (the number grows with their square); use strategy "
                "'interval_tree' or 'auto'"
            )
