"""Lower bounds on the peak of any schedule, in any order, with any number of recomputations; each with its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.analysis.working_sets import Handover, due_segments, working_sets
from retrograde.graph import Graph
from retrograde.graph.check import describe_operation

_MOST_ONCE_ONLY = 256


@dataclass(frozen=True)
class Bound:
    """A number of bytes that no schedule's peak goes below.

    Attributes:
        name: which argument proves it.
        bytes: the bound.
        place: the operation or segment that attains it, in words.
        holds_with_spilling: whether it also binds schedules that move storages to a slower tier.

    Read ``Bound("largest working set", 4096, "operation 7 (mm)", True)`` aloud as "operation 7 alone needs 4096
    bytes, spilling or not".
    """

    name: str
    bytes: int
    place: str
    holds_with_spilling: bool


def lower_bounds(graph: Graph) -> tuple[Bound, ...]:
    """Every lower bound on the peak, largest first.

    - largest working set: every operation runs at least once, with its reads, makes, workspace, the outputs of
      earlier segments and the fixed demand live.
    - handed-over outputs: when a segment ends, every output due by then is live.
    - arrivals: when a segment begins, everything that arrives with it is live, beside the outputs handed over.
    - last output: without spilling, the outputs live when a segment ends each came to life in some run and
      stayed; while the last of them is made, the others are live beside that operation's working set.
    - once-only values: without spilling, while an operation first runs, a value that cannot be made a second time,
      was made before it and is read after it, is live beside that operation's working set.

    Of a graph with choices everything counts with the least bytes that any choice gives it.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 4], edges=[(0, 1), (1, 2)], outputs=[0, 2])
        >>> [(bound.name, bound.bytes) for bound in lower_bounds(graph)][:2]
        [('largest working set', 16), ('handed-over outputs', 12)]
    """
    sets = working_sets(graph)
    graph = graph.relaxed
    bounds = [
        _largest_working_set(graph, sets),
        _outputs_at_borders(graph),
        _arrivals(graph),
        _last_output(graph),
        _once_only_values(graph, sets),
    ]
    return tuple(sorted(bounds, key=lambda bound: -bound.bytes))


def peak_bound_bytes(graph: Graph) -> int:
    """The best lower bound on the peak of any schedule, whatever it recomputes or spills and in whatever order.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 4, 2], edges=[(0, 1), (1, 2)])
        >>> peak_bound_bytes(graph)
        12
    """
    sets = working_sets(graph)
    graph = graph.relaxed
    bounds = (_largest_working_set(graph, sets), _outputs_at_borders(graph), _arrivals(graph))
    return max(bound.bytes for bound in bounds)


def _largest_working_set(graph: Graph, sets: Sequence[int]) -> Bound:
    index = max(range(len(sets)), key=sets.__getitem__, default=None)
    place = describe_operation(graph, index) if index is not None else ""
    return Bound("largest working set", sets[index] if index is not None else 0, place, True)


def _outputs_at_borders(graph: Graph) -> Bound:
    held = Handover(graph).held_bytes
    ends = [held[k + 1] + graph.fixed_demand(k) if held[k + 1] else 0 for k in range(graph.segment_count)]
    segment = max(range(len(ends)), key=ends.__getitem__)
    return Bound("handed-over outputs", ends[segment], f"the end of segment {segment}", True)


def _arrivals(graph: Graph) -> Bound:
    held = Handover(graph).held_bytes
    begins = [0] * graph.segment_count
    for segment in range(1, graph.segment_count):
        begins[segment] = held[segment] + graph.fixed_demand(segment)
    for storage, arrival in enumerate(graph.arrivals):
        if arrival:
            begins[arrival] += graph.storages[storage].bytes
    segment = max(range(len(begins)), key=begins.__getitem__)
    return Bound("arrivals", begins[segment], f"the beginning of segment {segment}", True)


def _last_output(graph: Graph) -> Bound:
    handover = Handover(graph)
    best, place = 0, ""
    for segment in range(graph.segment_count):
        storages = {s for s, due in handover.due.items() if due == segment}
        if not storages:
            continue
        makers = {graph.allocators[s] for s in storages}
        if any(maker is None or graph.operations[maker].segment < segment for maker in makers):
            storages = {s for s, due in handover.due.items() if due <= segment}
            makers = {graph.allocators[s] for s in storages}
        bound, maker = min((_with_outputs(graph, handover, segment, maker), maker or 0) for maker in makers)
        if bound > best:
            best, place = bound, f"at the least where the last is made by {describe_operation(graph, maker)}"
    return Bound("last output", best, place, False)


def _with_outputs(graph: Graph, handover: Handover, segment: int, maker: int | None) -> int:
    """Bytes live while the last output of a segment comes to life: made by ``maker``, or arriving (None)."""
    held = handover.held_bytes[segment + 1]
    if maker is None:
        return held + min(graph.fixed_demand(k) for k in range(segment + 1))
    operation = graph.operations[maker]
    own = {s for s in graph.read_storages(maker) if graph.arrivals[s] != 0} | set(graph.allocated_storages(maker))
    beside = sum(graph.storages[s].bytes for s in own if handover.due.get(s, segment + 1) > segment)
    taken_over = {graph.values[read].storage for _, read in operation.may_overwrite}
    saved = sum(graph.storages[s].bytes for s in taken_over)
    fixed = min(graph.fixed_demand(k) for k in range(operation.segment, segment + 1))
    return held + max(0, beside - saved) + operation.workspace_bytes + fixed


# Values that exist once


def _once_only_values(graph: Graph, sets: Sequence[int]) -> Bound:
    handover, due = Handover(graph), due_segments(graph)
    best, place = 0, ""
    items = _once_only(graph)
    before, after = _made_before(graph, items), _read_after(graph, items)
    for index in graph.order:
        storages = {graph.values[items[bit]].storage for bit in _bits(before[index] & after[index])}
        operation = graph.operations[index]
        storages -= {graph.values[v].storage for v in (*operation.reads, *operation.makes)}
        beside = [s for s in storages if handover.due.get(s, due[index]) >= due[index]]
        bound = sets[index] + sum(graph.storages[s].bytes for s in beside)
        if beside and bound > best:
            best, place = bound, f"{describe_operation(graph, index)} beside {len(beside)} values that exist once"
    return Bound("once-only values", best, place, False)


def _once_only(graph: Graph) -> list[int]:
    """Values that are made at most once and are not free of charge: the largest few hundred."""
    values: list[int] = []
    for value, producer in enumerate(graph.producers):
        storage = graph.values[value].storage
        once = producer is None or not graph.operations[producer].recomputable
        if once and graph.arrivals[storage] != 0 and graph.storages[storage].bytes:
            values.append(value)
    values.sort(key=lambda value: -graph.storages[graph.values[value].storage].bytes)
    return values[:_MOST_ONCE_ONLY]


def _made_before(graph: Graph, items: Sequence[int]) -> list[int]:
    """For each operation a bit set of the items that certainly exist, or existed, when it first runs."""
    arrived = [0] * graph.segment_count
    bits = {value: 1 << bit for bit, value in enumerate(items)}
    for value, bit in bits.items():
        for segment in range(graph.values[value].available_from or graph.segment_count, graph.segment_count):
            arrived[segment] |= bit
    made = [sum(bits.get(value, 0) for value in operation.makes) for operation in graph.operations]
    before = [arrived[operation.segment] for operation in graph.operations]
    for index in graph.order:
        for value in graph.operations[index].reads:
            producer = graph.producers[value]
            if producer is not None:
                before[index] |= before[producer] | made[producer]
    return before


def _read_after(graph: Graph, items: Sequence[int]) -> list[int]:
    """For each operation a bit set of the items that are certainly needed after its first run."""
    bits = {value: 1 << bit for bit, value in enumerate(items)}
    outputs = sum(bits.get(value, 0) for value in graph.outputs)
    after = [outputs] * len(graph.operations)
    for index in reversed(graph.order):
        operation = graph.operations[index]
        read = sum(bits.get(value, 0) for value in dict.fromkeys(operation.reads))
        for value in operation.reads:
            producer = graph.producers[value]
            if producer is not None:
                after[producer] |= after[index] | read
    return after


def _bits(number: int) -> list[int]:
    found: list[int] = []
    while number:
        lowest = number & -number
        found.append(lowest.bit_length() - 1)
        number ^= lowest
    return found
