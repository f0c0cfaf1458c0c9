"""The order of slots and the bytes live at each, compiled.

Slots (computations in order) lie packed in chunks of 64; each chunk has a bytes offset and a maximum, so that adding
bytes to a range touches two chunks slot by slot and the ones between by their offset. The order of slots is the
order of their keys: rank of the chunk, then index inside.
"""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import compiled
from retrograde.planning.simulator.layout import (
    AT,
    BUDGET,
    CHUNK,
    CHUNKS,
    COARSE,
    COUNT,
    LOC,
    MASK,
    MEMORY,
    NEXT,
    NOWHERE,
    OFFSET,
    OVER,
    OVERLOAD,
    PREVIOUS,
    RANK,
    SHIFT,
    SIZE,
    SLOTS,
    TOP,
)

# Keys and bytes


@compiled
def key_of(st, slot):
    loc = st.slot[LOC, slot]
    return (st.part[RANK, loc >> SHIFT] << SHIFT) | (loc & MASK)


@compiled
def slot_at(st, key):
    return st.place[AT, (st.part[CHUNK, key >> SHIFT] << SHIFT) | (key & MASK)]


@compiled
def bytes_at(st, slot):
    loc = st.slot[LOC, slot]
    return st.place[MEMORY, loc] + st.part[OFFSET, st.part[RANK, loc >> SHIFT]]


@compiled
def _excess(memory, part, number, rank):
    """The bytes above the watched budget, summed over a chunk, in the unit of the overload."""
    chunk = part[CHUNK, rank]
    base = np.uint64(chunk << SHIFT)
    limit = number[BUDGET] - part[OFFSET, rank]
    shift = number[COARSE]
    rounding = (1 << shift) - 1
    total = 0
    for i in range(base, base + np.uint64(part[COUNT, chunk])):
        total += (max(0, memory[MEMORY, i] - limit) + rounding) >> shift
    return total


@compiled
def _refresh_over(memory, part, number, rank):
    over = _excess(memory, part, number, rank) if part[TOP, rank] + part[OFFSET, rank] > number[BUDGET] else 0
    number[OVERLOAD] += over - part[OVER, rank]
    part[OVER, rank] = over


@compiled
def _refresh(memory, part, number, rank):
    """Find a chunk's largest entry and its part of the overload anew."""
    chunk = part[CHUNK, rank]
    base = np.uint64(chunk << SHIFT)
    top = -NOWHERE
    for i in range(base, base + np.uint64(part[COUNT, chunk])):
        top = max(top, memory[MEMORY, i])
    part[TOP, rank] = top
    _refresh_over(memory, part, number, rank)


@compiled
def _add_in_chunk(memory, part, number, rank, first, last, delta):
    chunk = part[CHUNK, rank]
    count = part[COUNT, chunk]
    last = min(last, count - 1)
    if first > last:
        return
    if first == 0 and last == count - 1:
        part[OFFSET, rank] += delta
        _refresh_over(memory, part, number, rank)
        return
    base = chunk << SHIFT
    for i in range(np.uint64(base + first), np.uint64(base + last + 1)):
        memory[MEMORY, i] += delta
    _refresh(memory, part, number, rank)


@compiled
def _add_range(memory, part, number, first, last, delta):
    low, high = first >> SHIFT, last >> SHIFT
    if low == high:
        _add_in_chunk(memory, part, number, low, first & MASK, last & MASK, delta)
        return
    _add_in_chunk(memory, part, number, low, first & MASK, MASK, delta)
    for rank in range(low + 1, high):
        part[OFFSET, rank] += delta
        _refresh_over(memory, part, number, rank)
    _add_in_chunk(memory, part, number, high, 0, last & MASK, delta)


@compiled
def add_range(st, first, last, delta):
    """Add bytes to every slot with a key from first to last, both included."""
    if first <= last and delta != 0:
        _add_range(st.place, st.part, st.number, first, last, delta)


@compiled
def watch(st, budget, coarse):
    """Keep the overload of a budget up to date from now on."""
    st.number[BUDGET] = budget
    st.number[COARSE] = coarse
    for rank in range(st.number[CHUNKS]):
        _refresh_over(st.place, st.part, st.number, rank)


@compiled
def peak_of(st):
    peak = 0
    for rank in range(st.number[CHUNKS]):
        peak = max(peak, st.part[TOP, rank] + st.part[OFFSET, rank])
    return peak


@compiled
def peak_slot_of(st):
    """The first slot at which the peak is reached; -1 if there is none above 0."""
    peak = peak_of(st)
    for rank in range(st.number[CHUNKS]):
        if st.part[TOP, rank] + st.part[OFFSET, rank] == peak:
            base = st.part[CHUNK, rank] << SHIFT
            for i in range(base, base + st.part[COUNT, st.part[CHUNK, rank]]):
                if st.place[MEMORY, i] + st.part[OFFSET, rank] == peak:
                    return st.place[AT, i]
    return -1


@compiled
def overload_of(st, budget):
    """Bytes above the budget, summed over the slots."""
    total = 0
    for rank in range(st.number[CHUNKS]):
        limit = budget - st.part[OFFSET, rank]
        if st.part[TOP, rank] > limit:
            base = st.part[CHUNK, rank] << SHIFT
            for i in range(base, base + st.part[COUNT, st.part[CHUNK, rank]]):
                total += max(0, st.place[MEMORY, i] - limit)
    return total


# Places in the order


@compiled
def spread(st):
    """Lay all slots out anew, every chunk half full."""
    count = st.number[SLOTS]
    order = np.empty(count, dtype=np.int64)
    memory = np.empty(count, dtype=np.int64)
    n = 0
    for rank in range(st.number[CHUNKS]):
        chunk = st.part[CHUNK, rank]
        for i in range(chunk << SHIFT, (chunk << SHIFT) + st.part[COUNT, chunk]):
            order[n] = st.place[AT, i]
            memory[n] = st.place[MEMORY, i] + st.part[OFFSET, rank]
            n += 1
    half = SIZE // 2
    chunks = (n + half - 1) // half
    for rank in range(chunks):
        st.part[CHUNK, rank] = rank
        st.part[RANK, rank] = rank
        st.part[OFFSET, rank] = 0
        st.part[OVER, rank] = 0
        st.part[COUNT, rank] = min(half, n - rank * half)
    for i in range(n):
        loc = ((i // half) << SHIFT) + i % half
        st.place[AT, loc] = order[i]
        st.place[MEMORY, loc] = memory[i]
        st.slot[LOC, order[i]] = loc
    st.number[CHUNKS] = chunks
    st.number[OVERLOAD] = 0
    for rank in range(chunks):
        _refresh(st.place, st.part, st.number, rank)


@compiled
def _split(st, rank):
    """Move the upper half of a full chunk to a new one behind it; spread everything when no chunk is left."""
    chunks = st.number[CHUNKS]
    if chunks == st.part.shape[1]:
        spread(st)
        return
    for r in range(chunks, rank + 1, -1):
        st.part[CHUNK, r] = st.part[CHUNK, r - 1]
        st.part[OFFSET, r] = st.part[OFFSET, r - 1]
        st.part[TOP, r] = st.part[TOP, r - 1]
        st.part[OVER, r] = st.part[OVER, r - 1]
        st.part[RANK, st.part[CHUNK, r]] = r
    old, new = st.part[CHUNK, rank], chunks
    st.part[CHUNK, rank + 1] = new
    st.part[RANK, new] = rank + 1
    st.part[OFFSET, rank + 1] = st.part[OFFSET, rank]
    st.part[OVER, rank + 1] = 0
    st.number[CHUNKS] = chunks + 1
    half = SIZE // 2
    st.part[COUNT, new] = st.part[COUNT, old] - half
    st.part[COUNT, old] = half
    for i in range(st.part[COUNT, new]):
        source, target = (old << SHIFT) + half + i, (new << SHIFT) + i
        st.place[AT, target] = st.place[AT, source]
        st.place[MEMORY, target] = st.place[MEMORY, source]
        st.slot[LOC, st.place[AT, target]] = target
    _refresh(st.place, st.part, st.number, rank)
    _refresh(st.place, st.part, st.number, rank + 1)


@compiled
def place(st, slot, before, memory):
    if st.part[COUNT, st.slot[LOC, before] >> SHIFT] == SIZE:
        _split(st, st.part[RANK, st.slot[LOC, before] >> SHIFT])
    _place(st.slot, st.place, st.part, st.number, slot, before, memory)


@compiled
def _place(slots, places, part, number, slot, before, memory):
    loc = slots[LOC, before]
    chunk = loc >> SHIFT
    rank = part[RANK, chunk]
    end = (chunk << SHIFT) + part[COUNT, chunk]
    for i in range(end, loc, -1):
        places[AT, i] = places[AT, i - 1]
        places[MEMORY, i] = places[MEMORY, i - 1]
        slots[LOC, places[AT, i]] = i
    places[AT, loc] = slot
    slots[LOC, slot] = loc
    places[MEMORY, loc] = memory - part[OFFSET, rank]
    part[COUNT, chunk] += 1
    part[TOP, rank] = max(part[TOP, rank], places[MEMORY, loc])
    _refresh_over(places, part, number, rank)
    previous = slots[PREVIOUS, before]
    slots[NEXT, slot] = before
    slots[PREVIOUS, slot] = previous
    slots[PREVIOUS, before] = slot
    if previous >= 0:
        slots[NEXT, previous] = slot
    number[SLOTS] += 1


@compiled
def displace(st, slot):
    _displace(st.slot, st.place, st.part, st.number, slot)


@compiled
def _displace(slots, places, part, number, slot):
    loc = slots[LOC, slot]
    chunk = loc >> SHIFT
    end = (chunk << SHIFT) + part[COUNT, chunk] - 1
    for i in range(loc, end):
        places[AT, i] = places[AT, i + 1]
        places[MEMORY, i] = places[MEMORY, i + 1]
        slots[LOC, places[AT, i]] = i
    places[AT, end] = -1
    part[COUNT, chunk] -= 1
    _refresh(places, part, number, part[RANK, chunk])
    previous, following = slots[PREVIOUS, slot], slots[NEXT, slot]
    if previous >= 0:
        slots[NEXT, previous] = following
    if following >= 0:
        slots[PREVIOUS, following] = previous
    number[SLOTS] -= 1
