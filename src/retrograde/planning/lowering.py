"""Lowering: from the order in which operations run to a schedule with every free and every overwrite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Free

RunOrder = Sequence[Sequence[int]]
"""For each segment the operations to run in it, in order; an operation may stand in it many times."""

_FOREVER = 1 << 60


@dataclass(frozen=True)
class Schedule:
    """Actions, and where each segment begins among them: what ``certify`` takes.

    Read ``Schedule((Compute(0), Free(0)), (0,))`` aloud as "one segment: run operation 0, give back storage 0".
    """

    actions: tuple[Action, ...]
    segments: tuple[int, ...]


def lower(graph: Graph, sequence: RunOrder) -> Schedule:
    """Turn the order in which operations run into a schedule.

    Each read binds to the most recent earlier computation. A storage is freed right after the last reader of its
    current incarnation, so always before it is computed again; a result that nobody reads right after it is made;
    an arriving input that nobody reads at its border. An output stays from the end of the segment in which it is
    due: computing its maker again then writes a duplicate, and reads bind to the output. So does, in a graph that
    retains, whatever crossed a border. ``may_overwrite`` is used wherever the input dies. Operations that only make
    views may be left out: they are inserted before a reader that misses them, and dropped where they are present.

    Args:
        graph: the computation.
        sequence: for each segment of the graph the operations to run in it, in order.

    Returns:
        A schedule; whether it obeys every rule is for the referee to say (``certify``).

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)])
        >>> lower(graph, [[0, 1, 0, 2]]).actions[:3]
        (Compute(operation=0, choice=0, overwrites=()), Compute(operation=1, choice=0, overwrites=()), Free(storage=0))
    """
    return Lowering(graph).lower(sequence)


class Lowering:
    """``lower`` and ``measure`` for many sequences of one graph: what they need to know of it is collected once.

    Args:
        graph: the computation.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.reads = [graph.read_storages(i) for i in range(len(graph.operations))]
        self.allocates = [graph.allocated_storages(i) for i in range(len(graph.operations))]
        self.value_storage = [v.storage for v in graph.values]
        self.is_view = [bool(o.makes) and not a for o, a in zip(graph.operations, self.allocates, strict=True)]
        self.viewers = [self._values_of_views(o.reads) for o in graph.operations]
        self.outputs_due: list[list[int]] = [[] for _ in range(graph.segment_count)]
        for value in graph.outputs:
            self.outputs_due[self._due(value)].append(value)
        self.arriving: list[list[int]] = [[] for _ in range(graph.segment_count)]
        for storage, arrival in enumerate(graph.arrivals):
            if arrival:
                self.arriving[arrival].append(storage)
        self.unread_views = [
            i
            for i, o in enumerate(graph.operations)
            if self.is_view[i] and not any(graph.readers[v] or v in graph.outputs for v in o.makes)
        ]

    def lower(self, sequence: RunOrder) -> Schedule:
        """See the function ``lower``."""
        return _emit(self, _bind(self, sequence))

    def measure(self, sequence: RunOrder) -> tuple[int, float]:
        """The peak in bytes and the cost that the referee will see for the schedule of a sequence, computed faster."""
        return _measure(self, _bind(self, sequence))

    def with_views(self, sequence: RunOrder) -> list[list[int]]:
        """The sequence as it will run: views that are missing inserted, those that are present dropped."""
        bound = _bind(self, sequence)
        ends = [*bound.borders[1:], len(bound.runs)]
        return [bound.runs[begin:end] for begin, end in zip(bound.borders, ends, strict=True)]

    def _due(self, value: int) -> int:
        producer = self.graph.producers[value]
        if producer is not None:
            return self.graph.operations[producer].segment
        return self.graph.values[value].available_from or 0

    def _values_of_views(self, reads: tuple[int, ...]) -> tuple[int, ...]:
        """Those of the values read that a view operation makes: they may have to be made again before the reader."""
        producers = self.graph.producers
        return tuple(v for v in reads if (p := producers[v]) is not None and self.is_view[p])


class _Bound:
    """Operations in order, and the incarnations of storages that they begin and end.

    An incarnation is one stay of a storage in memory. ``last_use`` holds for each the position at which it is read
    or written last, ``storage`` whose it is, ``begun`` the segment in which it began.
    """

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.borders: list[int] = []
        self.begins: list[list[int]] = []
        self.storage: list[int] = []
        self.begun: list[int] = []
        self.last_use: list[int] = []

    def deaths(self) -> list[list[int]]:
        """For each position the incarnations that end there; those unread at a border under that border's position."""
        deaths: list[list[int]] = [[] for _ in range(len(self.runs) + 1)]
        for incarnation, position in enumerate(self.last_use):
            if 0 <= position < _FOREVER:
                deaths[position].append(incarnation)
        return deaths


def _bind(tables: Lowering, sequence: RunOrder) -> _Bound:
    if len(sequence) != tables.graph.segment_count:
        raise UsageError(
            f"a sequence gives the operations of {len(sequence)} segments, the graph has {tables.graph.segment_count}"
        )
    binder = _Binder(tables, sequence)
    for segment, operations in enumerate(sequence):
        binder.enter_segment(segment)
        for operation in operations:
            binder.run(operation)
        binder.leave_segment(segment)
    return binder.bound


class _Binder:
    """The pass over a sequence that inserts and drops views and says which incarnation each read binds to."""

    def __init__(self, tables: Lowering, sequence: RunOrder) -> None:
        graph = tables.graph
        self.tables = tables
        self.graph = graph
        self.bound = _Bound()
        self.segment = 0
        self.current = [-1] * len(graph.storages)
        self.made_in = [-2] * len(graph.values)
        self.pinned: set[int] = set()
        self.ran = [False] * len(graph.operations)
        self.named = {i for operations in sequence for i in operations} if tables.unread_views else set[int]()
        self.waiting = [i for i in tables.unread_views if i not in self.named]
        self.crossing = _crossing(tables, sequence) if graph.retain else []
        for storage, arrival in enumerate(graph.arrivals):
            if arrival == 0:
                self._begin(storage, _FOREVER)
                self.pinned.add(storage)
        self._mark_inputs(0)

    # Segments

    def enter_segment(self, segment: int) -> None:
        self.segment = segment
        self.bound.borders.append(len(self.bound.runs))
        if segment:
            for storage in self.tables.arriving[segment]:
                self._begin(storage, -1)
            self._mark_inputs(segment)
            if self.crossing:
                self.pinned.update(s for s in self.crossing[segment] if self.current[s] >= 0)
        self._run_waiting()

    def leave_segment(self, segment: int) -> None:
        """Pin the outputs that are due."""
        due = self.tables.outputs_due[segment]
        for value in due:
            self._ensure(value)
        for value in due:
            storage = self.tables.value_storage[value]
            if self.current[storage] >= 0:
                self.pinned.add(storage)
                self.bound.last_use[self.current[storage]] = _FOREVER

    def _mark_inputs(self, segment: int) -> None:
        for value, description in enumerate(self.graph.values):
            if description.available_from == segment:
                self.made_in[value] = self.current[description.storage]

    # Operations

    def run(self, operation: int) -> None:
        tables = self.tables
        if tables.is_view[operation] and all(map(self._is_present, self.graph.operations[operation].makes)):
            return
        for value in tables.viewers[operation]:
            self._ensure(value)
        self._append(operation)
        if self.waiting:
            self._run_waiting()

    def _append(self, operation: int) -> None:
        bound, current = self.bound, self.current
        position = len(bound.runs)
        last_use = bound.last_use
        for storage in self.tables.reads[operation]:
            incarnation = current[storage]
            if incarnation >= 0 and last_use[incarnation] < position:
                last_use[incarnation] = position
        begins: list[int] = []
        for storage in self.tables.allocates[operation]:
            if storage not in self.pinned:
                begins.append(self._begin(storage, position))
            elif last_use[current[storage]] < position:
                last_use[current[storage]] = position
        bound.runs.append(operation)
        bound.begins.append(begins)
        for value in self.graph.operations[operation].makes:
            self.made_in[value] = current[self.tables.value_storage[value]]
        self.ran[operation] = True

    def _begin(self, storage: int, position: int) -> int:
        incarnation = len(self.bound.storage)
        self.bound.storage.append(storage)
        self.bound.begun.append(self.segment)
        self.bound.last_use.append(position)
        self.current[storage] = incarnation
        return incarnation

    # Views

    def _is_present(self, value: int) -> bool:
        return self.made_in[value] == self.current[self.tables.value_storage[value]]

    def _ensure(self, value: int, *, ahead: bool = True) -> None:
        """Run the view operations that are missing before a value can be read; ahead of their own turn if need be."""
        if self._is_present(value):
            return
        maker = self.graph.producers[value]
        if maker is None or not self.tables.is_view[maker] or self.graph.operations[maker].segment > self.segment:
            return
        if self.ran[maker] and not self.graph.operations[maker].recomputable:
            return
        if not ahead and maker in self.named and not self.ran[maker]:
            return
        for read in self.tables.viewers[maker]:
            self._ensure(read, ahead=ahead)
        if all(map(self._is_present, self.graph.operations[maker].reads)):
            self._append(maker)

    def _run_waiting(self) -> None:
        """Run the views that nobody reads and the sequence leaves out, each as soon as it can."""
        for operation in tuple(self.waiting):
            description = self.graph.operations[operation]
            if description.segment > self.segment:
                continue
            for value in self.tables.viewers[operation]:
                self._ensure(value, ahead=False)
            if all(map(self._is_present, description.reads)):
                self._append(operation)
                self.waiting.remove(operation)


def _crossing(tables: Lowering, sequence: RunOrder) -> list[set[int]]:
    """For each segment the storages that are read in it or later before they are made again."""
    crossing: list[set[int]] = []
    wanted: set[int] = {tables.value_storage[v] for v in tables.graph.outputs}
    for operations in reversed(sequence):
        for operation in reversed(operations):
            wanted.difference_update(tables.allocates[operation])
            wanted.update(tables.reads[operation])
        crossing.append(set(wanted))
    return crossing[::-1]


def _emit(tables: Lowering, bound: _Bound) -> Schedule:
    actions: list[Action] = []
    segments: list[int] = []
    deaths = bound.deaths()
    unread = _unread_arrivals(tables, bound)
    storage = bound.storage
    for position, operation, segment in _steps(bound):
        while len(segments) <= segment:
            segments.append(len(actions))
            actions.extend(Free(storage[i]) for i in unread.get(len(segments) - 1, ()))
        if operation < 0:
            break
        dying = deaths[position]
        pairs = _overwrites(tables, bound, position, segment, dying)
        actions.append(Compute(operation, 0, pairs))
        taken = {tables.value_storage[read] for _, read in pairs}
        actions.extend(Free(storage[i]) for i in dying if storage[i] not in taken)
    return Schedule(tuple(actions), tuple(segments))


def _steps(bound: _Bound) -> Iterable[tuple[int, int, int]]:
    """Position, operation and segment of every run; at the end an operation of -1 in the last segment."""
    segment = 0
    last = len(bound.borders) - 1
    for position, operation in enumerate(bound.runs):
        while segment < last and bound.borders[segment + 1] <= position:
            segment += 1
        yield position, operation, segment
    yield len(bound.runs), -1, last


def _unread_arrivals(tables: Lowering, bound: _Bound) -> dict[int, list[int]]:
    """For each segment the incarnations of arriving inputs that nobody reads."""
    unread: dict[int, list[int]] = {}
    for incarnation, last_use in enumerate(bound.last_use):
        if last_use == -1:
            unread.setdefault(bound.begun[incarnation], []).append(incarnation)
    return unread


def _overwrites(
    tables: Lowering, bound: _Bound, position: int, segment: int, dying: list[int]
) -> tuple[tuple[int, int], ...]:
    """The pairs of ``may_overwrite`` that the operation can use: the input dies, the result begins here."""
    allowed = tables.graph.operations[bound.runs[position]].may_overwrite
    if not allowed or not dying:
        return ()
    retain = tables.graph.retain
    begins = set(bound.begins[position])
    targets = {bound.storage[i] for i in begins}
    sources = {bound.storage[i] for i in dying if i not in begins and not (retain and bound.begun[i] < segment)}
    pairs: list[tuple[int, int]] = []
    for made, read in allowed:
        target, source = tables.value_storage[made], tables.value_storage[read]
        if target in targets and source in sources:
            targets.discard(target)
            sources.discard(source)
            pairs.append((made, read))
    return tuple(pairs)


def _measure(tables: Lowering, bound: _Bound) -> tuple[int, float]:
    graph = tables.graph
    sizes = [s.bytes for s in graph.storages]
    deaths = bound.deaths()
    unread = _unread_arrivals(tables, bound)
    live, peak, cost, now = 0, 0, 0.0, 0
    for position, operation, segment in _steps(bound):
        while now < segment:
            now += 1
            live += sum(sizes[s] for s in tables.arriving[now])
            peak = max(peak, live + graph.fixed_demand(now))
            live -= sum(sizes[bound.storage[i]] for i in unread.get(now, ()))
        if operation < 0:
            break
        description = graph.operations[operation]
        begins = bound.begins[position]
        cost += description.cost
        live += sum(sizes[bound.storage[i]] for i in begins)
        saved = sum(
            sizes[tables.value_storage[read]]
            for _, read in _overwrites(tables, bound, position, segment, deaths[position])
        )
        begun = {bound.storage[i] for i in begins}
        extra = sum(sizes[s] for s in tables.allocates[operation] if s not in begun)
        peak = max(peak, live - saved + extra + description.workspace_bytes + graph.fixed_demand(segment))
        for incarnation in deaths[position]:
            if not (graph.retain and bound.begun[incarnation] < segment):
                live -= sizes[bound.storage[incarnation]]
    return peak, cost
