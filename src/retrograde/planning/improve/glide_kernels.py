"""Gliding, compiled: a slot runs earlier or later without any read binding to another computation than before.

Such a move changes no cost, and its change of the overload can be told exactly before it is made: bytes change only
at the slots that are passed, by amounts that all reach to the slot's old or new place.
"""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import inlined
from retrograde.planning.simulator.kernels import begins, gap_bytes, gap_segment, last_read, limit_of, source_of
from retrograde.planning.simulator.layout import (
    BUDGET,
    BYTES,
    CHUNK,
    COARSE,
    COUNT,
    EARLIER,
    LATER,
    MAKES,
    MEMORY,
    NODE,
    OFFSET,
    OVER,
    OVERWRITABLE,
    OVERWRITES,
    OWN,
    READERS,
    READS,
    SEGMENT,
    SHIFT,
    TAIL,
    TOP,
)
from retrograde.planning.simulator.order_kernels import add_range, bytes_at, displace, key_of, place

# Rows of the changes: where a change of bytes begins (all end at the same key), and its size.
START, DELTA = range(2)

MOST_CHANGES = 64


@inlined
def other_reader(pr, st, storage, slot, start, limit):
    """The largest key of a reader between two keys, a given slot left out; start if there is none."""
    end = start
    for j in range(pr.storage[READERS, storage], pr.storage[READERS, storage + 1]):
        other = st.runner[TAIL, pr.reader_index[j]]
        while other >= 0:
            key = key_of(st, other)
            if key <= end:
                break
            if key < limit and other != slot:
                end = key
                break
            other = st.slot[EARLIER, other]
    return end


@inlined
def may_glide(pr, st, slot, target):
    """Whether the rules below cover a move: same segment, nothing overwritten, nothing retained, few reads."""
    node = st.slot[NODE, slot]
    first, last = pr.node[READS, node], pr.node[READS, node + 1]
    if pr.setting[0] or last - first >= MOST_CHANGES or gap_segment(pr, st, target) != st.slot[SEGMENT, slot]:
        return False
    if pr.overwrite.shape[1] == 0:
        return True
    if pr.node[OVERWRITES, node] != pr.node[OVERWRITES, node + 1]:
        return False
    for j in range(first, last):
        if pr.storage[OVERWRITABLE, pr.read_index[j]]:
            return False
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        if pr.storage[OVERWRITABLE, pr.make_index[j]]:
            return False
    return True


@inlined
def _note(changes, n, start, delta):
    """Put a change among the others, by its start."""
    i = n
    while i > 0 and changes[START, i - 1] > start:
        changes[START, i] = changes[START, i - 1]
        changes[DELTA, i] = changes[DELTA, i - 1]
        i -= 1
    changes[START, i] = start
    changes[DELTA, i] = delta
    return n + 1


@inlined
def _made(pr, st, slot):
    """Bytes that a slot makes and that are read from it; bytes that it makes at all."""
    node, key = st.slot[NODE, slot], key_of(st, slot)
    read, made = 0, 0
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        if begins(pr, st, storage, slot):
            size = pr.storage[BYTES, storage]
            made += size
            if size and last_read(pr, st, storage, key, limit_of(pr, st, storage, slot)) > key:
                read += size
    return read, made


@inlined
def earlier_changes(pr, st, slot, target, changes):
    """The changes of bytes when a slot moves up before a target. Returns how many, and the slot's bytes there.

    -1 if a read would bind to another computation.
    """
    node, key, first = st.slot[NODE, slot], key_of(st, slot), key_of(st, target)
    before = st.slot[EARLIER, slot]
    if before >= 0:
        start = key_of(st, before)
        if start >= first:
            return -1, 0
        for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
            if last_read(pr, st, pr.make_index[j], start, key) >= first:
                return -1, 0
    n = 0
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        storage = pr.read_index[j]
        source = source_of(pr, st, storage, key)
        if key_of(st, source) >= first:
            return -1, 0
        other = other_reader(pr, st, storage, slot, key_of(st, source), limit_of(pr, st, storage, source))
        if other < key - 1:
            n = _note(changes, n, max(other + 1, first), -pr.storage[BYTES, storage])
    read, made = _made(pr, st, slot)
    if read:
        n = _note(changes, n, first, read)
    return n, gap_bytes(pr, st, target) + st.slot[OWN, slot] + made


@inlined
def later_changes(pr, st, slot, target, changes):
    """The same when a slot moves down before a target, past whose nothing reads what it makes."""
    node, key, last = st.slot[NODE, slot], key_of(st, slot), key_of(st, target)
    following = st.slot[LATER, slot]
    if following >= 0 and key_of(st, following) < last:
        return -1, 0
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        if last_read(pr, st, storage, key, last) > key:
            return -1, 0
    read, made = _made(pr, st, slot)
    memory = gap_bytes(pr, st, target) + st.slot[OWN, slot] + made - read
    n = 0
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        storage = pr.read_index[j]
        source = source_of(pr, st, storage, key)
        limit = limit_of(pr, st, storage, source)
        if limit < last:
            return -1, 0
        end = max(key, other_reader(pr, st, storage, slot, key_of(st, source), limit))
        if end < last:
            memory += pr.storage[BYTES, storage]
            if end < last - 1:
                n = _note(changes, n, end + 1, pr.storage[BYTES, storage])
    if read:
        n = _note(changes, n, key + 1, -read)
    return n, memory


@inlined
def _excess(st, memory):
    shift = st.number[COARSE]
    return (max(0, memory - st.number[BUDGET]) + (1 << shift) - 1) >> shift


@inlined
def overload_change(st, changes, n, last):
    """By how much the overload changes when changes, each from its start to the last key, are made."""
    if n == 0 or changes[START, 0] > last:
        return 0
    shift = st.number[COARSE]
    rounding = (1 << shift) - 1
    most = 0
    for i in range(n):
        most += max(0, changes[DELTA, i])
    at, delta, result = 0, 0, 0
    first = changes[START, 0]
    for rank in range(first >> SHIFT, (last >> SHIFT) + 1):
        limit = st.number[BUDGET] - st.part[OFFSET, rank]
        if st.part[OVER, rank] == 0 and st.part[TOP, rank] + most <= limit:
            continue
        chunk = st.part[CHUNK, rank]
        base = rank << SHIFT
        low = max(first, base)
        high = min(last, base + st.part[COUNT, chunk] - 1)
        while low <= high:
            while at < n and changes[START, at] <= low:
                delta += changes[DELTA, at]
                at += 1
            stop = min(high, changes[START, at] - 1) if at < n else high
            result += _change_between(
                st, (chunk << SHIFT) + (low - base), stop - low + 1, limit, delta, shift, rounding
            )
            low = stop + 1
    return result


@inlined
def _change_between(st, loc, count, limit, delta, shift, rounding):
    total = 0
    if delta:
        for i in range(np.uint64(loc), np.uint64(loc + count)):
            above = st.place[MEMORY, i] - limit
            total += ((max(0, above + delta) + rounding) >> shift) - ((max(0, above) + rounding) >> shift)
    return total


@inlined
def glide(pr, st, slot, target, changes, most):
    """Move a slot before a target, if that raises the overload by no more than a limit.

    Returns 1 if it did, 0 if it would rise by more, -1 if the move is not covered.
    """
    if not may_glide(pr, st, slot, target):
        return -1
    down = key_of(st, target) > key_of(st, slot)
    if down:
        n, memory = later_changes(pr, st, slot, target, changes)
        last = key_of(st, target) - 1
    else:
        n, memory = earlier_changes(pr, st, slot, target, changes)
        last = key_of(st, slot) - 1
    if n < 0:
        return -1
    change = overload_change(st, changes, n, last) + _excess(st, memory) - _excess(st, bytes_at(st, slot))
    if change > most:
        return 0
    for i in range(n):
        add_range(st, changes[START, i], last, changes[DELTA, i])
    displace(st, slot)
    place(st, slot, target, memory)
    return 1
