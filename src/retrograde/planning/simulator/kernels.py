"""What a slot does to the bytes of others: incarnations of storages, and the moves, compiled.

The incarnation of a storage that a slot begins lasts to the last read before the maker's next slot. It is never
stored, but looked up through the occurrences of the readers.
"""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import compiled
from retrograde.planning.simulator.layout import (
    AT,
    BYTES,
    CHUNKS,
    COUNT,
    DUE,
    EARLIER,
    FREE,
    HEAD,
    LATER,
    LOC,
    LOGGED,
    MADE,
    MAKER,
    MAKES,
    MEMORY,
    MISSING,
    NEXT,
    NODE,
    NOWHERE,
    OVERWRITABLE,
    OVERWRITES,
    OWN,
    PREVIOUS,
    READ,
    READERS,
    READS,
    RECOMPUTABLE,
    RUNS,
    SEGMENT,
    SINCE,
    SLOTS,
    TAIL,
    WORKSPACE,
)
from retrograde.planning.simulator.order_kernels import add_range, bytes_at, displace, key_of, place, slot_at

# Incarnations


@compiled
def begins(pr, st, storage, slot):
    """Whether a slot of the maker begins an incarnation: not once the storage is an output handed over."""
    due = pr.storage[DUE, storage]
    return due < 0 or st.slot[SEGMENT, slot] <= due


@compiled
def source_of(pr, st, storage, key):
    """The slot whose incarnation of a storage a reader with the given key reads; -1 if there is none."""
    slot = st.runner[TAIL, pr.storage[MAKER, storage]]
    while slot >= 0 and (key_of(st, slot) >= key or not begins(pr, st, storage, slot)):
        slot = st.slot[EARLIER, slot]
    return slot


@compiled
def limit_of(pr, st, storage, slot):
    """The key of the maker's next slot that begins an incarnation, past which reads bind to that one."""
    following = st.slot[LATER, slot]
    if following >= 0 and begins(pr, st, storage, following):
        return key_of(st, following)
    return NOWHERE


@compiled
def last_read(pr, st, storage, start, limit):
    """The largest key of a reader between two keys, both excluded; start if there is none."""
    end = start
    for j in range(pr.storage[READERS, storage], pr.storage[READERS, storage + 1]):
        slot = st.runner[TAIL, pr.reader_index[j]]
        while slot >= 0:
            key = key_of(st, slot)
            if key <= end:
                break
            if key < limit:
                end = key
                break
            slot = st.slot[EARLIER, slot]
    return end


@compiled
def end_of(pr, st, storage, slot, limit):
    """The last key of the incarnation that a slot begins, if the maker's next slot has the key limit."""
    start = key_of(st, slot)
    end = last_read(pr, st, storage, start, limit)
    if pr.setting[0] and end > start and st.slot[SEGMENT, slot_at(st, end)] > st.slot[SEGMENT, slot]:
        return key_of(st, st.runner[HEAD, pr.cost.size - 1])
    return end


@compiled
def _count_reads(pr, st, storage, start, limit):
    total = 0
    for j in range(pr.storage[READERS, storage], pr.storage[READERS, storage + 1]):
        slot = st.runner[TAIL, pr.reader_index[j]]
        while slot >= 0 and key_of(st, slot) > start:
            if key_of(st, slot) < limit:
                total += 1
            slot = st.slot[EARLIER, slot]
    return total


@compiled
def gap_segment(pr, st, before):
    """The segment that a slot put before another runs in."""
    segment = st.slot[SEGMENT, before]
    first = pr.setting[1]
    if st.slot[NODE, before] >= first and st.slot[NODE, before] != pr.cost.size - 1:
        return segment - 1
    return segment


@compiled
def gap_bytes(pr, st, before):
    """Bytes of the incarnations that are live on both sides of the gap before a slot."""
    node = st.slot[NODE, before]
    live = bytes_at(st, before) - st.slot[OWN, before]
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        if begins(pr, st, storage, before):
            live -= pr.storage[BYTES, storage]
    return live


@compiled
def _refresh_overwrites(pr, st, slot):
    """Give a slot credit for the inputs that it overwrites, which die there."""
    node = st.slot[NODE, slot]
    first, last = pr.node[OVERWRITES, node], pr.node[OVERWRITES, node + 1]
    if first == last:
        return
    key = key_of(st, slot)
    saved = 0
    taken = np.zeros(last - first, dtype=np.bool_)
    for j in range(first, last):
        made, read = pr.overwrite[MADE, j], pr.overwrite[READ, j]
        free = begins(pr, st, made, slot)
        for i in range(first, j):
            if taken[i - first] and (pr.overwrite[MADE, i] == made or pr.overwrite[READ, i] == read):
                free = False
        source = source_of(pr, st, read, key)
        if free and source >= 0 and end_of(pr, st, read, source, limit_of(pr, st, read, source)) == key:
            taken[j - first] = True
            saved += pr.storage[BYTES, read]
    plain = _own_bytes(pr, st, node, st.slot[SEGMENT, slot]) - saved
    if plain != st.slot[OWN, slot]:
        add_range(st, key, key, plain - st.slot[OWN, slot])
        st.slot[OWN, slot] = plain


@compiled
def _refresh_overwriters(pr, st, node):
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        if pr.storage[OVERWRITABLE, pr.read_index[j]]:
            _refresh_readers(pr, st, pr.read_index[j])
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        if pr.storage[OVERWRITABLE, pr.make_index[j]]:
            _refresh_readers(pr, st, pr.make_index[j])


@compiled
def _refresh_readers(pr, st, storage):
    for j in range(pr.storage[READERS, storage], pr.storage[READERS, storage + 1]):
        slot = st.runner[TAIL, pr.reader_index[j]]
        while slot >= 0:
            _refresh_overwrites(pr, st, slot)
            slot = st.slot[EARLIER, slot]


# Moves


@compiled
def _own_bytes(pr, st, node, segment):
    """Bytes that a slot has to itself: workspace, the segment's fixed demand, duplicates of outputs handed over."""
    own = pr.node[WORKSPACE, node] + (pr.fixed[segment] if node != pr.cost.size - 1 else 0)
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        due = pr.storage[DUE, pr.make_index[j]]
        if due >= 0 and segment > due:
            own += pr.storage[BYTES, pr.make_index[j]]
    return own


@compiled
def _link(st, slot, key):
    """Put a slot among the others of its node."""
    node = st.slot[NODE, slot]
    after = st.runner[TAIL, node]
    while after >= 0 and key_of(st, after) > key:
        after = st.slot[EARLIER, after]
    following = st.slot[LATER, after] if after >= 0 else st.runner[HEAD, node]
    st.slot[EARLIER, slot] = after
    st.slot[LATER, slot] = following
    if after >= 0:
        st.slot[LATER, after] = slot
    else:
        st.runner[HEAD, node] = slot
    if following >= 0:
        st.slot[EARLIER, following] = slot
    else:
        st.runner[TAIL, node] = slot


@compiled
def _unlink(st, slot):
    node = st.slot[NODE, slot]
    before, following = st.slot[EARLIER, slot], st.slot[LATER, slot]
    if before >= 0:
        st.slot[LATER, before] = following
    else:
        st.runner[HEAD, node] = following
    if following >= 0:
        st.slot[EARLIER, following] = before
    else:
        st.runner[TAIL, node] = before


@compiled
def may_insert(pr, st, node, before):
    """Whether a node may run once more before a slot: its segment has begun, it may run twice, there is room."""
    if pr.node[SINCE, node] > gap_segment(pr, st, before) or st.number[FREE] == 0:
        return False
    if st.number[LOGGED] == st.log.shape[0]:
        return False
    return st.runner[HEAD, node] < 0 or pr.node[RECOMPUTABLE, node] == 1


@compiled
def _log(st, kind, node, slot, before):
    n = st.number[LOGGED]
    st.log[n, 0] = kind
    st.log[n, 1] = node
    st.log[n, 2] = slot
    st.log[n, 3] = before
    st.number[LOGGED] = n + 1


@compiled
def _insert_reads(pr, st, slot, key):
    node = st.slot[NODE, slot]
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        storage = pr.read_index[j]
        source = source_of(pr, st, storage, key)
        if source < 0:
            st.number[MISSING] += 1
            continue
        end = end_of(pr, st, storage, source, limit_of(pr, st, storage, source))
        if key > end:
            new = key
            if pr.setting[0] and st.slot[SEGMENT, slot] > st.slot[SEGMENT, source]:
                new = key_of(st, st.runner[HEAD, pr.cost.size - 1])
            add_range(st, end + 1, new, pr.storage[BYTES, storage])


@compiled
def _insert_makes(pr, st, slot, key):
    node = st.slot[NODE, slot]
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        if not begins(pr, st, storage, slot):
            continue
        size = pr.storage[BYTES, storage]
        limit = limit_of(pr, st, storage, slot)
        end = end_of(pr, st, storage, slot, limit)
        source = st.slot[EARLIER, slot]
        if source < 0:
            st.number[MISSING] -= _count_reads(pr, st, storage, key, limit)
            add_range(st, key, end, size)
            continue
        old = end_of(pr, st, storage, source, limit)
        cut = end_of(pr, st, storage, source, key)
        if old == end and cut < key:
            add_range(st, cut + 1, key - 1, -size)
        else:
            add_range(st, cut + 1, old, -size)
            add_range(st, key, end, size)


@compiled
def _insert(pr, st, slot, node, before):
    segment = gap_segment(pr, st, before)
    own = _own_bytes(pr, st, node, segment)
    memory = gap_bytes(pr, st, before) + own
    st.slot[NODE, slot] = node
    st.slot[SEGMENT, slot] = segment
    st.slot[OWN, slot] = own
    place(st, slot, before, memory)
    key = key_of(st, slot)
    _insert_reads(pr, st, slot, key)
    _link(st, slot, key)
    _insert_makes(pr, st, slot, key)
    st.runner[RUNS, node] += 1
    st.cost[0] += pr.cost[node]
    if pr.overwrite.shape[1]:
        _refresh_overwrites(pr, st, slot)
        _refresh_overwriters(pr, st, node)


@compiled
def insert_slot(pr, st, node, before):
    """Run a node once more, before a slot. Returns the new slot, or -1 if it may not stand there."""
    if not may_insert(pr, st, node, before):
        return -1
    st.number[FREE] -= 1
    slot = st.free[st.number[FREE]]
    _log(st, 0, node, slot, before)
    _insert(pr, st, slot, node, before)
    return slot


@compiled
def _remove_makes(pr, st, slot, key):
    node = st.slot[NODE, slot]
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        if not begins(pr, st, storage, slot):
            continue
        size = pr.storage[BYTES, storage]
        limit = limit_of(pr, st, storage, slot)
        end = end_of(pr, st, storage, slot, limit)
        source = st.slot[EARLIER, slot]
        if source < 0:
            st.number[MISSING] += _count_reads(pr, st, storage, key, limit)
            add_range(st, key, end, -size)
            continue
        cut = end_of(pr, st, storage, source, key)
        new = end_of(pr, st, storage, source, limit)
        if new == end and cut < key:
            add_range(st, cut + 1, key - 1, size)
        else:
            add_range(st, key, end, -size)
            add_range(st, cut + 1, new, size)


@compiled
def _remove_reads(pr, st, slot, key):
    """Shorten what a slot read last. The slot is no longer linked, but still has its place."""
    node = st.slot[NODE, slot]
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        storage = pr.read_index[j]
        source = source_of(pr, st, storage, key)
        if source < 0:
            st.number[MISSING] -= 1
            continue
        end = end_of(pr, st, storage, source, limit_of(pr, st, storage, source))
        if key > end:
            old = key
            if pr.setting[0] and st.slot[SEGMENT, slot] > st.slot[SEGMENT, source]:
                old = key_of(st, st.runner[HEAD, pr.cost.size - 1])
            add_range(st, end + 1, old, -pr.storage[BYTES, storage])


@compiled
def _remove(pr, st, slot):
    node = st.slot[NODE, slot]
    key = key_of(st, slot)
    _remove_makes(pr, st, slot, key)
    _unlink(st, slot)
    _remove_reads(pr, st, slot, key)
    displace(st, slot)
    st.slot[NODE, slot] = -1
    st.runner[RUNS, node] -= 1
    st.cost[0] -= pr.cost[node]
    if pr.overwrite.shape[1]:
        _refresh_overwriters(pr, st, node)


@compiled
def remove_slot(pr, st, slot):
    """Take a slot away. Returns whether it was done: a border stays, and so does everything when the log is full."""
    if st.slot[NODE, slot] >= pr.setting[1] or st.number[LOGGED] == st.log.shape[0]:
        return False
    _log(st, 1, st.slot[NODE, slot], slot, st.slot[NEXT, slot])
    _remove(pr, st, slot)
    st.free[st.number[FREE]] = slot
    st.number[FREE] += 1
    return True


@compiled
def undo_to(pr, st, mark):
    """Take back the moves after a mark (an earlier length of the log)."""
    while st.number[LOGGED] > mark:
        n = st.number[LOGGED] - 1
        st.number[LOGGED] = n
        slot = st.log[n, 2]
        if st.log[n, 0] == 0:
            _remove(pr, st, slot)
            st.free[st.number[FREE]] = slot
            st.number[FREE] += 1
        else:
            st.number[FREE] -= 1
            _insert(pr, st, slot, st.log[n, 1], st.log[n, 3])


@compiled
def load_nodes(pr, st, nodes):
    """Fill an empty state with nodes in order, borders included, the end last. Returns whether there was room."""
    if nodes.size > st.number[FREE]:
        return False
    end = pr.cost.size - 1
    st.number[FREE] -= 1
    last = st.free[st.number[FREE]]
    st.slot[NODE, last] = end
    st.slot[SEGMENT, last] = pr.fixed.size - 1
    st.slot[OWN, last] = 0
    st.slot[LOC, last] = 0
    st.place[AT, 0] = last
    st.place[MEMORY, 0] = 0
    st.part[COUNT, 0] = 1
    st.number[CHUNKS] = 1
    st.number[SLOTS] = 1
    st.slot[NEXT, last] = -1
    st.slot[PREVIOUS, last] = -1
    st.slot[EARLIER, last] = -1
    st.slot[LATER, last] = -1
    st.runner[HEAD, end] = last
    st.runner[TAIL, end] = last
    st.runner[RUNS, end] = 1
    st.number[MISSING] += pr.node[READS, end + 1] - pr.node[READS, end]
    segment = 0
    for i in range(nodes.size - 1):
        node = nodes[i]
        border = node >= pr.setting[1]
        if border:
            segment = pr.node[SINCE, node]
        st.slot[SEGMENT, last] = segment
        st.number[FREE] -= 1
        _insert(pr, st, st.free[st.number[FREE]], node, last)
    st.slot[SEGMENT, last] = pr.fixed.size - 1
    return True


@compiled
def live_storages(pr, st, slot):
    """For each storage whether it is live while a slot runs."""
    key = key_of(st, slot)
    live = np.zeros(pr.storage.shape[1] - 1, dtype=np.bool_)
    for storage in range(pr.storage.shape[1] - 1):
        source = source_of(pr, st, storage, key + 1)
        if source >= 0:
            live[storage] = end_of(pr, st, storage, source, limit_of(pr, st, storage, source)) >= key
    return live
