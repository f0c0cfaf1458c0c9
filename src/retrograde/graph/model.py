"""The graph: what a computation costs, as immutable data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from retrograde.graph.check import check_graph, check_storages_changed
from retrograde.graph.choosing import base_cost_of, choice_bound_storages, relaxed, varying_bytes, with_choices
from retrograde.graph.footprint import store_all_peak_bytes


@dataclass(frozen=True, slots=True)
class Storage:
    """The bytes behind one or more values; views share one.

    Attributes:
        bytes: size in bytes.
        name: for people; no meaning to planners.
    """

    bytes: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """Something an operation makes and others read, or an input of the whole graph.

    Attributes:
        storage: index of the storage that the value lives in.
        available_from: None for a value that an operation makes. For an input, the segment in which it arrives:
            0 is what the caller held before the call (free of charge, never freed), a later segment is what
            arrives during the call (an incoming cotangent), which counts from arrival and can be freed.
        name: for people; no meaning to planners.
    """

    storage: int
    available_from: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to run an operation that can be run in several: a point of a region's trade-off curve.

    Attributes:
        cost: of one run, in the unit of ``Operation.cost``.
        workspace_bytes: live only while the operation runs.
        storage_bytes: pairs (storage, bytes) for storages that the operation allocates and that are of another size
            when this choice makes them; the others are as large as the graph says.
        payload: how to run it, for whoever does: anything that JSON can hold. No meaning to planners.
        name: for people; no meaning to planners.

    Read ``Choice(3.0, 64, ((2, 800),))`` aloud as "for a cost of 3, with 64 bytes of workspace; storage 2 then has
    800 bytes".
    """

    cost: float
    workspace_bytes: int = 0
    storage_bytes: tuple[tuple[int, int], ...] = ()
    payload: object = field(default=None, hash=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of the computation.

    Attributes:
        name: for people; no meaning to planners.
        cost: seconds, or any one unit throughout the graph.
        reads: values that must be present when the operation runs.
        makes: values that it makes. The first operation that makes a value in a storage allocates it; one that
            makes a value in a storage it also reads from makes a view.
        workspace_bytes: live only while the operation runs, beside its reads and makes.
        segment: the earliest segment in which it may run (0 the forward, 1 the backward of a plain step).
        recomputable: whether it may run twice.
        may_overwrite: pairs (value made, value read) of equal size: the one made can take the storage of the
            one read if that is dead afterwards.
        source: the place in the user's code, for messages and reports.
        choices: alternatives, of which a plan picks one for each run. Number 0 is the default and says what the
            operation itself says; none at all means that there is one way to run it.
        choice_of: the operation whose choice this one follows (a region's backward that of its forward). It has as
            many choices, and runs by the one that made what it reads of theirs.
    """

    name: str
    cost: float
    reads: tuple[int, ...]
    makes: tuple[int, ...]
    workspace_bytes: int = 0
    segment: int = 0
    recomputable: bool = True
    may_overwrite: tuple[tuple[int, int], ...] = ()
    source: str = ""
    choices: tuple[Choice, ...] = ()
    choice_of: int | None = None


@dataclass(frozen=True)
class Graph:
    """An immutable description of a computation: what each operation reads, makes and costs.

    Operations, values and storages are numbered as the caller gave them. A graph is checked when it is made.

    Args:
        operations: the steps.
        values: what they make and read.
        storages: the bytes behind the values.
        order: a valid order of the operations, as indices. A border between segments stands before the first
            operation of a later segment; an operation of an earlier segment may stand after it.
        outputs: values that stay live to the end. One made by an operation of segment k is there when segment k ends.
        fixed_bytes: for each segment, bytes that are live throughout it whatever the plan does (missing ones are 0).
        retain: whether what crosses a border between segments stays live to the end, because the caller may run
            the later segments again (PyTorch's ``retain_graph=True``).
        name: for people.

    Raises:
        GraphError: the graph is not valid; the message names the operation, value or storage at fault.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> graph.store_all_peak_bytes
        16
    """

    operations: tuple[Operation, ...]
    values: tuple[Value, ...]
    storages: tuple[Storage, ...]
    order: tuple[int, ...]
    outputs: tuple[int, ...] = ()
    fixed_bytes: tuple[int, ...] = ()
    retain: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        check_graph(self)

    @staticmethod
    def from_arrays(
        *,
        cost: Sequence[float],
        bytes: Sequence[int],
        edges: Iterable[tuple[int, int]],
        order: Sequence[int] | None = None,
        outputs: Sequence[int] = (),
        name: str = "",
    ) -> Graph:
        """Build a graph with one value, in a storage of its own, for each operation.

        Args:
            cost: n costs, one for each operation.
            bytes: n sizes in bytes, of the one value that each operation makes.
            edges: pairs (u, v): operation v reads the value of operation u.
            order: a valid order; the numbering itself when left out.
            outputs: operations whose values stay live to the end.
            name: for people.

        Raises:
            GraphError: lengths differ, an edge leaves the range, or the order breaks an edge.
        """
        from retrograde.graph.build import graph_from_arrays

        return graph_from_arrays(cost=cost, bytes=bytes, edges=edges, order=order, outputs=outputs, name=name)

    # What follows from the definition, computed once.

    @cached_property
    def producers(self) -> tuple[int | None, ...]:
        """For each value the operation that makes it; None for an input."""
        producers: list[int | None] = [None] * len(self.values)
        for index, operation in enumerate(self.operations):
            for value in operation.makes:
                producers[value] = index
        return tuple(producers)

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """For each value the operations that read it, in numbering order."""
        readers: list[list[int]] = [[] for _ in self.values]
        for index, operation in enumerate(self.operations):
            for value in dict.fromkeys(operation.reads):
                readers[value].append(index)
        return tuple(tuple(r) for r in readers)

    @cached_property
    def storage_values(self) -> tuple[tuple[int, ...], ...]:
        """For each storage the values that live in it."""
        members: list[list[int]] = [[] for _ in self.storages]
        for index, value in enumerate(self.values):
            members[value.storage].append(index)
        return tuple(tuple(m) for m in members)

    @cached_property
    def allocators(self) -> tuple[int | None, ...]:
        """For each storage the operation that allocates it; None for the storage of an input."""
        allocators: list[int | None] = [None] * len(self.storages)
        for index in range(len(self.operations)):
            for storage in self.allocated_storages(index):
                allocators[storage] = index
        return tuple(allocators)

    @cached_property
    def storage_reads(self) -> tuple[tuple[int, ...], ...]:
        """For each operation the storages that it reads from, each once."""
        values = self.values
        return tuple(tuple(dict.fromkeys(values[v].storage for v in o.reads)) for o in self.operations)

    @cached_property
    def allocations(self) -> tuple[tuple[int, ...], ...]:
        """For each operation the storages that it allocates: those it makes values in and does not read from."""
        values = self.values
        made = (dict.fromkeys(values[v].storage for v in o.makes) for o in self.operations)
        return tuple(tuple(s for s in m if s not in r) for m, r in zip(made, self.storage_reads, strict=True))

    def read_storages(self, operation: int) -> tuple[int, ...]:
        """The storages that an operation reads from, each once."""
        return self.storage_reads[operation]

    def allocated_storages(self, operation: int) -> tuple[int, ...]:
        """The storages that an operation allocates: those it makes values in and does not read from."""
        return self.allocations[operation]

    def is_view(self, operation: int) -> bool:
        """Whether an operation only makes views: it makes values and allocates nothing."""
        return bool(self.operations[operation].makes) and not self.allocated_storages(operation)

    @cached_property
    def arrivals(self) -> tuple[int | None, ...]:
        """For each storage the segment in which it arrives as an input (0: held before); None if it is allocated."""
        arrivals: list[int | None] = [None] * len(self.storages)
        for value in self.values:
            if value.available_from is not None:
                arrivals[value.storage] = value.available_from
        return tuple(arrivals)

    @cached_property
    def segment_count(self) -> int:
        """Number of segments: one more than the largest that an operation, an input or a fixed demand names."""
        last = max((o.segment for o in self.operations), default=0)
        last = max(last, max((v.available_from or 0 for v in self.values), default=0))
        return max(last + 1, len(self.fixed_bytes), 1)

    @cached_property
    def order_segments(self) -> tuple[int, ...]:
        """For each position of ``order`` the segment in which it runs there: the largest named so far."""
        segments: list[int] = []
        current = 0
        for operation in self.order:
            current = max(current, self.operations[operation].segment)
            segments.append(current)
        return tuple(segments)

    def fixed_demand(self, segment: int) -> int:
        """Bytes that are live throughout a segment whatever the plan does."""
        return self.fixed_bytes[segment] if segment < len(self.fixed_bytes) else 0

    @cached_property
    def base_cost(self) -> float:
        """The cost of running every operation once, each by its cheapest choice; no schedule costs less."""
        return base_cost_of(self)

    @cached_property
    def store_all_peak_bytes(self) -> int:
        """Peak of the given order, each storage freed after its last reader: what a budget in percent refers to."""
        return store_all_peak_bytes(self)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of everything that a plan depends on; names, sources and payloads do not count."""
        content = (
            [
                (o.cost, o.reads, o.makes, o.workspace_bytes, o.segment, o.recomputable, o.may_overwrite)
                for o in self.operations
            ],
            [(v.storage, v.available_from) for v in self.values],
            [s.bytes for s in self.storages],
            self.order,
            self.outputs,
            self.fixed_bytes,
            self.retain,
            *self._choices_content(),
        )
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]

    def _choices_content(self) -> list[object]:
        """What the fingerprint holds of choices: nothing at all where there are none."""
        if not self.has_choices:
            return []
        return [
            (i, o.choice_of, [(c.cost, c.workspace_bytes, sorted(c.storage_bytes)) for c in o.choices])
            for i, o in enumerate(self.operations)
            if o.choices
        ]

    # Choices

    @cached_property
    def has_choices(self) -> bool:
        """Whether an operation has several choices, or one that is listed."""
        return any(operation.choices for operation in self.operations)

    @cached_property
    def choosers(self) -> tuple[int, ...]:
        """Operations that have choices and follow no other's."""
        return tuple(i for i, o in enumerate(self.operations) if o.choices and o.choice_of is None)

    def chooser_of(self, operation: int) -> int:
        """The operation whose choice an operation follows: its own index unless it has ``choice_of``."""
        leader = self.operations[operation].choice_of
        return operation if leader is None else leader

    @cached_property
    def varying_bytes(self) -> dict[int, tuple[int, ...]]:
        """Storages whose size depends on the choice that makes them, with their bytes by each."""
        return varying_bytes(self)

    @cached_property
    def choice_bound(self) -> frozenset[int]:
        """Storages whose contents go with the choice that made them.

        Those whose size depends on it, and those that nobody reads but operations that follow the choice.
        """
        return choice_bound_storages(self)

    def storage_bytes(self, storage: int, choice: int) -> int:
        """Bytes of a storage when its allocator ran by a choice."""
        sizes = self.varying_bytes.get(storage)
        return self.storages[storage].bytes if sizes is None else sizes[choice]

    def operation_cost(self, operation: int, choice: int) -> float:
        """Cost of one run of an operation by a choice."""
        choices = self.operations[operation].choices
        return choices[choice].cost if choices else self.operations[operation].cost

    def operation_workspace_bytes(self, operation: int, choice: int) -> int:
        """Workspace of one run of an operation by a choice, in bytes."""
        choices = self.operations[operation].choices
        return choices[choice].workspace_bytes if choices else self.operations[operation].workspace_bytes

    def with_choices(self, assignment: Mapping[int, int]) -> Graph:
        """The ordinary graph in which every choosing operation has the numbers of one of its choices.

        Indices stay, so that a schedule for it is one for this graph once each run names its choice.

        Args:
            assignment: for operations of ``choosers`` the number of a choice; 0 for those left out. Operations that
                follow go along.

        Raises:
            UsageError: an operation that does not choose, or a choice that it does not have.

        Example:
            >>> loop = Operation("loop", 1.0, (), (0,), choices=(Choice(1.0), Choice(3.0, 0, ((0, 2),))))
            >>> graph = Graph((loop,), (Value(0),), (Storage(8),), order=(0,))
            >>> resolved = graph.with_choices({0: 1})
            >>> resolved.operations[0].cost, resolved.storages[0].bytes, resolved.has_choices
            (3.0, 2, False)
        """
        return with_choices(self, assignment)

    @cached_property
    def relaxed(self) -> Graph:
        """The ordinary graph in which every cost, workspace and storage is the least of all choices.

        No schedule of this graph holds less at any moment, or costs less, than the same schedule of that one: lower
        bounds proved there hold here. The graph itself if it has no choices.
        """
        return relaxed(self)

    def rebuilt(self, operations: Sequence[Operation], storages: Sequence[Storage]) -> Graph:
        """The same structure with other costs and bytes, which are not checked."""
        graph = object.__new__(Graph)
        same = (*_STRUCTURE, *(f.name for f in fields(self)))
        graph.__dict__.update({name: self.__dict__[name] for name in same if name in self.__dict__})
        graph.__dict__.update(operations=tuple(operations), storages=tuple(storages))
        return graph

    def with_storages(self, storages: Sequence[Storage]) -> Graph:
        """The same computation with other bytes behind its values, and all else as it was.

        For one computation at many sizes: what does not depend on bytes is neither checked nor computed again.

        Raises:
            GraphError: another number of storages, bytes below 0, or a ``may_overwrite`` pair of unequal sizes.
        """
        graph = self.rebuilt(self.operations, storages)
        check_storages_changed(self, graph)
        return graph

    def to_json(self) -> str:
        """The graph as JSON text with a format version; ``Graph.from_json`` reads it."""
        from retrograde.graph.serialize import graph_to_json

        return graph_to_json(self)

    @staticmethod
    def from_json(text: str) -> Graph:
        """Read what ``to_json`` wrote.

        Raises:
            GraphError: not JSON, an unknown format version, or a graph that is not valid.
        """
        from retrograde.graph.serialize import graph_from_json

        return graph_from_json(text)


_STRUCTURE = (
    "producers",
    "readers",
    "storage_values",
    "allocators",
    "storage_reads",
    "allocations",
    "arrivals",
    "segment_count",
    "order_segments",
)
"""What follows from a graph's definition and depends neither on bytes nor on costs."""
