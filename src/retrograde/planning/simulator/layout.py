"""How the simulator's arrays are laid out: few arrays with named rows, which Numba compiles much faster than many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SHIFT, SIZE, MASK = 6, 64, 63
"""Slots of a chunk: two to the power of SHIFT, SIZE, less one."""

NOWHERE = 1 << 60
"""A key behind all others."""

# Rows of Arrays.node: a column for each node, and one more so that pointers have an end.
WORKSPACE, SINCE, RECOMPUTABLE, READS, MAKES, OVERWRITES = range(6)

# Rows of Arrays.storage: a column for each storage, and one more.
BYTES, MAKER, DUE, READERS, OVERWRITABLE = range(5)

# Rows of Arrays.overwrite.
MADE, READ = range(2)

# Rows of State.slot, State.place, State.part and State.runner.
NODE, LOC, NEXT, PREVIOUS, LATER, EARLIER, OWN, SEGMENT = range(8)
AT, MEMORY = range(2)
COUNT, RANK, CHUNK, OFFSET, TOP, OVER = range(6)
HEAD, TAIL, RUNS = range(3)

# Entries of State.number.
FREE, CHUNKS, LOGGED, MISSING, SLOTS, BUDGET, OVERLOAD, COARSE = range(8)


class Arrays(NamedTuple):
    """The problem as the kernels see it. Nothing here changes.

    Nodes come first as operations in the order of their index, then one border for each segment from the second
    on, then the end. Storages are those whose bytes a plan can change, then tokens of 0 bytes.

    Attributes:
        cost: of each node, in the graph's unit.
        node: for each node its workspace in bytes, the segment since which it may run, whether it may run twice,
            and where its entries in ``read_index``, ``make_index`` and ``overwrite`` begin.
        storage: for each storage its bytes, the node that makes it, the segment at whose end it is due as an output
            (-1 for none), where its entries in ``reader_index`` begin, and whether anything may overwrite it.
        read_index: storages that nodes read.
        make_index: storages that nodes make.
        reader_index: nodes that read storages.
        overwrite: pairs (storage made, storage read) in which the one made may take the place of the one read.
        fixed: for each segment its fixed demand in bytes.
        setting: whether the graph retains; how many nodes are operations.
    """

    cost: Floats
    node: Integers
    storage: Integers
    read_index: Integers
    make_index: Integers
    reader_index: Integers
    overwrite: Integers
    fixed: Integers
    setting: Integers


class State(NamedTuple):
    """What moves change.

    Attributes:
        slot: for each slot its node, its location in ``place``, the next and the previous slot, the next and the
            previous slot of the same node, the bytes that it has to itself, and its segment. -1 for none.
        place: at each location the slot, and its bytes less its chunk's offset.
        part: for each chunk how many slots it holds and its rank; for each rank its chunk, offset, largest entry, and
            its part of the overload.
        runner: for each node its first and its last slot, and how many it has.
        free: stack of free slots.
        log: moves that can be undone: kind (0 insert, 1 remove), node, slot, the slot behind it.
        number: free slots, chunks, length of the log, reads that find nothing, slots; the budget that is watched, the
            overload (bytes above it summed over the slots, each divided by a power of two and rounded up), and the
            exponent of that power.
        cost: the cost of all slots.
    """

    slot: Integers
    place: Integers
    part: Integers
    runner: Integers
    free: Integers
    log: Integers
    number: Integers
    cost: Floats


def new_state(nodes: int, slots: int) -> State:
    """An empty state with room for a number of nodes and slots."""
    chunks = slots // (SIZE // 4) + 8
    runner = np.full((3, nodes), -1, dtype=np.int64)
    runner[RUNS] = 0
    number = np.zeros(8, dtype=np.int64)
    number[FREE] = slots
    number[BUDGET] = NOWHERE
    return State(
        np.full((8, slots), -1, dtype=np.int64),
        np.zeros((2, chunks * SIZE), dtype=np.int64),
        np.zeros((6, chunks), dtype=np.int64),
        runner,
        np.arange(slots - 1, -1, -1, dtype=np.int64),
        np.zeros((slots, 4), dtype=np.int64),
        number,
        np.zeros(1),
    )


def grown(old: State) -> State:
    """The same state with twice the room."""
    slots, free = old.slot.shape[1], int(old.number[FREE])
    new = new_state(old.runner.shape[1], 2 * slots)
    for source, target in ((old.slot, new.slot), (old.place, new.place), (old.part, new.part)):
        target[:, : source.shape[1]] = source
    new.runner[:] = old.runner
    new.log[: old.log.shape[0]] = old.log
    new.number[:] = old.number
    new.cost[:] = old.cost
    new.free[:slots] = np.arange(2 * slots - 1, slots - 1, -1)
    new.free[slots : slots + free] = old.free[:free]
    new.number[FREE] = slots + free
    return new
