"""Moments of a schedule: when one operation first runs, what has run by then and what has not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrograde.planning.certificate.structure import Flags, Structure


@dataclass(frozen=True)
class Cut:
    """The moment at which an operation first runs.

    Attributes:
        operation: which.
        segment: its own segment; the moment falls in that or a later one.
        before: for each operation whether it has certainly run by then, the operation itself included. Two more
            entries stand for the end of the plan and for nobody.
        after: for each whether it certainly first runs later.
        held: for each storage whether it is certainly live then.
        taken_bytes: live then beside what ``held`` leaves open: the storages held, workspace and fixed demand.
    """

    operation: int
    segment: int
    before: Flags
    after: Flags
    held: Flags
    taken_bytes: int


def cut_at(structure: Structure, operation: int, *, in_order: bool = False) -> Cut:
    """The moment at which an operation first runs.

    Args:
        structure: of the graph.
        operation: index of the operation.
        in_order: whether first runs follow the given order; otherwise any order is allowed for.
    """
    before, after = _in_order(structure, operation) if in_order else _any_order(structure, operation)
    held = _held(structure, operation)
    return Cut(
        operation,
        int(structure.segments[operation]),
        before,
        after,
        held,
        _taken_bytes(structure, operation, held),
    )


def _in_order(structure: Structure, operation: int) -> tuple[Flags, Flags]:
    first = structure.position <= structure.position[operation]
    return np.append(first, [False, False]), np.append(~first, [True, False])


def _any_order(structure: Structure, operation: int) -> tuple[Flags, Flags]:
    from retrograde.planning.certificate.kernels import mark_ancestors, mark_descendants

    place = int(structure.position[operation])
    before = np.zeros(structure.count + 2, np.bool_)
    before[operation] = True
    after = before.copy()
    mark_ancestors(structure.order, *structure.makers, before, place)
    mark_descendants(structure.order, *structure.makers, after, place + 1)
    after[operation] = False
    before[: structure.count] |= structure.due < structure.segments[operation]
    after[: structure.count] |= structure.segments > structure.due[operation]
    after[structure.count] = True
    return before, after


def _held(structure: Structure, operation: int) -> Flags:
    """What the operation reads and cannot overwrite, what it allocates, and outputs that were handed over."""
    graph = structure.graph
    description = graph.operations[operation]
    held = structure.handed_over < description.segment
    overwritten = {graph.values[read].storage for _, read in description.may_overwrite}
    for storage in graph.read_storages(operation):
        held[storage] |= storage not in overwritten
    for storage in graph.allocated_storages(operation):
        held[storage] = True
    return held


def _taken_bytes(structure: Structure, operation: int, held: Flags) -> int:
    graph = structure.graph
    description = graph.operations[operation]
    stored = sum(structure.sizes[s] for s in np.flatnonzero(held & (structure.arrivals != 0)).tolist())
    due = int(structure.due[operation])
    fixed = min(graph.fixed_demand(k) for k in range(description.segment, due + 1))
    return stored + description.workspace_bytes + fixed
