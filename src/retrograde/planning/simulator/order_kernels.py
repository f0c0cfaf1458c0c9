"""The order of slots and the bytes live at each, compiled.

Slots (computations in order) lie packed in chunks of 64; each chunk has a bytes offset and a maximum, so that adding
bytes to a range touches two chunks slot by slot and the ones between by their offset. The order of slots is the
order of their keys: rank of the chunk, then index inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from retrograde.planning.simulator.compiling import compiled

SHIFT = 6
SIZE = 64
MASK = 63
NOWHERE = 1 << 60

FREE, CHUNKS, LOGGED, MISSING, SLOTS = 0, 1, 2, 3, 4


class State(NamedTuple):
    """The mutable state of a simulator; see ``new_state``."""

    node: np.ndarray
    loc: np.ndarray
    next: np.ndarray
    previous: np.ndarray
    later: np.ndarray
    earlier: np.ndarray
    own: np.ndarray
    segment: np.ndarray
    free: np.ndarray
    at: np.ndarray
    memory: np.ndarray
    count: np.ndarray
    rank: np.ndarray
    chunk: np.ndarray
    offset: np.ndarray
    top: np.ndarray
    head: np.ndarray
    tail: np.ndarray
    runs: np.ndarray
    log: np.ndarray
    number: np.ndarray
    cost: np.ndarray


def new_state(nodes: int, slots: int) -> State:
    """An empty state with room for a number of nodes and slots."""
    chunks = slots // (SIZE // 4) + 8
    many, few = (lambda: np.full(slots, -1, dtype=np.int64)), (lambda: np.full(nodes, -1, dtype=np.int64))
    number = np.zeros(8, dtype=np.int64)
    number[FREE] = slots
    return State(
        *(many() for _ in range(8)),
        np.arange(slots - 1, -1, -1, dtype=np.int64),
        np.full(chunks * SIZE, -1, dtype=np.int64),
        np.zeros(chunks * SIZE, dtype=np.int64),
        np.zeros(chunks, dtype=np.int64),
        np.zeros(chunks, dtype=np.int64),
        np.zeros(chunks, dtype=np.int64),
        np.zeros(chunks, dtype=np.int64),
        np.zeros(chunks, dtype=np.int64),
        few(),
        few(),
        np.zeros(nodes, dtype=np.int64),
        np.zeros((4 * slots, 4), dtype=np.int64),
        number,
        np.zeros(1),
    )


# Keys and bytes


@compiled
def key_of(st, slot):
    loc = st.loc[slot]
    return (st.rank[loc >> SHIFT] << SHIFT) | (loc & MASK)


@compiled
def slot_at(st, key):
    return st.at[(st.chunk[key >> SHIFT] << SHIFT) | (key & MASK)]


@compiled
def bytes_at(st, slot):
    loc = st.loc[slot]
    return st.memory[loc] + st.offset[st.rank[loc >> SHIFT]]


@compiled
def _refresh_top(st, rank):
    chunk = st.chunk[rank]
    base = chunk << SHIFT
    top = -NOWHERE
    for i in range(base, base + st.count[chunk]):
        top = max(top, st.memory[i])
    st.top[rank] = top


@compiled
def _add_in_chunk(st, rank, first, last, delta):
    chunk = st.chunk[rank]
    count = st.count[chunk]
    last = min(last, count - 1)
    if first > last:
        return
    if first == 0 and last == count - 1:
        st.offset[rank] += delta
        return
    base = chunk << SHIFT
    for i in range(base + first, base + last + 1):
        st.memory[i] += delta
    _refresh_top(st, rank)


@compiled
def add_range(st, first, last, delta):
    """Add bytes to every slot with a key from first to last, both included."""
    if first > last or delta == 0:
        return
    low, high = first >> SHIFT, last >> SHIFT
    if low == high:
        _add_in_chunk(st, low, first & MASK, last & MASK, delta)
        return
    _add_in_chunk(st, low, first & MASK, MASK, delta)
    for rank in range(low + 1, high):
        st.offset[rank] += delta
    _add_in_chunk(st, high, 0, last & MASK, delta)


@compiled
def peak_of(st):
    peak = 0
    for rank in range(st.number[CHUNKS]):
        peak = max(peak, st.top[rank] + st.offset[rank])
    return peak


@compiled
def peak_slot_of(st):
    """The first slot at which the peak is reached; -1 if there is none above 0."""
    peak = peak_of(st)
    for rank in range(st.number[CHUNKS]):
        if st.top[rank] + st.offset[rank] == peak:
            base = st.chunk[rank] << SHIFT
            for i in range(base, base + st.count[st.chunk[rank]]):
                if st.memory[i] + st.offset[rank] == peak:
                    return st.at[i]
    return -1


@compiled
def overload_of(st, budget):
    """Bytes above the budget, summed over the slots."""
    total = 0
    for rank in range(st.number[CHUNKS]):
        limit = budget - st.offset[rank]
        if st.top[rank] > limit:
            base = st.chunk[rank] << SHIFT
            for i in range(base, base + st.count[st.chunk[rank]]):
                total += max(0, st.memory[i] - limit)
    return total


# Places in the order


@compiled
def _spread(st):
    """Lay all slots out anew, every chunk half full."""
    count = st.number[SLOTS]
    order = np.empty(count, dtype=np.int64)
    memory = np.empty(count, dtype=np.int64)
    n = 0
    for rank in range(st.number[CHUNKS]):
        chunk = st.chunk[rank]
        for i in range(chunk << SHIFT, (chunk << SHIFT) + st.count[chunk]):
            order[n] = st.at[i]
            memory[n] = st.memory[i] + st.offset[rank]
            n += 1
    half = SIZE // 2
    chunks = (n + half - 1) // half
    for rank in range(chunks):
        st.chunk[rank] = rank
        st.rank[rank] = rank
        st.offset[rank] = 0
        st.count[rank] = min(half, n - rank * half)
    for i in range(n):
        loc = ((i // half) << SHIFT) + i % half
        st.at[loc] = order[i]
        st.memory[loc] = memory[i]
        st.loc[order[i]] = loc
    st.number[CHUNKS] = chunks
    for rank in range(chunks):
        _refresh_top(st, rank)


@compiled
def _split(st, rank):
    """Move the upper half of a full chunk to a new one behind it; spread everything when no chunk is left."""
    chunks = st.number[CHUNKS]
    if chunks == st.chunk.size:
        _spread(st)
        return
    for r in range(chunks, rank + 1, -1):
        st.chunk[r] = st.chunk[r - 1]
        st.offset[r] = st.offset[r - 1]
        st.top[r] = st.top[r - 1]
        st.rank[st.chunk[r]] = r
    old, new = st.chunk[rank], chunks
    st.chunk[rank + 1] = new
    st.rank[new] = rank + 1
    st.offset[rank + 1] = st.offset[rank]
    st.number[CHUNKS] = chunks + 1
    half = SIZE // 2
    st.count[new] = st.count[old] - half
    st.count[old] = half
    for i in range(st.count[new]):
        source, target = (old << SHIFT) + half + i, (new << SHIFT) + i
        st.at[target] = st.at[source]
        st.memory[target] = st.memory[source]
        st.loc[st.at[target]] = target
    _refresh_top(st, rank)
    _refresh_top(st, rank + 1)


@compiled
def place(st, slot, before, memory):
    if st.count[st.loc[before] >> SHIFT] == SIZE:
        _split(st, st.rank[st.loc[before] >> SHIFT])
    loc = st.loc[before]
    chunk = loc >> SHIFT
    rank = st.rank[chunk]
    end = (chunk << SHIFT) + st.count[chunk]
    for i in range(end, loc, -1):
        st.at[i] = st.at[i - 1]
        st.memory[i] = st.memory[i - 1]
        st.loc[st.at[i]] = i
    st.at[loc] = slot
    st.loc[slot] = loc
    st.memory[loc] = memory - st.offset[rank]
    st.count[chunk] += 1
    st.top[rank] = max(st.top[rank], st.memory[loc])
    previous = st.previous[before]
    st.next[slot] = before
    st.previous[slot] = previous
    st.previous[before] = slot
    if previous >= 0:
        st.next[previous] = slot
    st.number[SLOTS] += 1


@compiled
def displace(st, slot):
    loc = st.loc[slot]
    chunk = loc >> SHIFT
    end = (chunk << SHIFT) + st.count[chunk] - 1
    for i in range(loc, end):
        st.at[i] = st.at[i + 1]
        st.memory[i] = st.memory[i + 1]
        st.loc[st.at[i]] = i
    st.at[end] = -1
    st.count[chunk] -= 1
    _refresh_top(st, st.rank[chunk])
    previous, following = st.previous[slot], st.next[slot]
    if previous >= 0:
        st.next[previous] = following
    if following >= 0:
        st.previous[following] = previous
    st.number[SLOTS] -= 1


def grown(old: State) -> State:
    """The same state with twice the room."""
    slots = old.node.size
    new = new_state(old.head.size, 2 * slots)
    for name, source, target in zip(State._fields, old, new, strict=True):
        if name == "free":
            target[: old.number[FREE]] = 0
        else:
            target[: source.shape[0]] = source
    fresh = np.arange(2 * slots - 1, slots - 1, -1, dtype=np.int64)
    new.free[:slots] = fresh
    new.free[slots : slots + old.number[FREE]] = old.free[: old.number[FREE]]
    new.number[FREE] = slots + old.number[FREE]
    return new
