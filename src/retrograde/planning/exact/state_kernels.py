"""Sets as rows of words, the heap of waiting states, and what a state is worth: compiled."""

from __future__ import annotations

from retrograde.planning.compiling import compiled
from retrograde.planning.exact.layout import (
    AGAIN,
    BARGAIN,
    COST,
    COUNT,
    DEAD,
    ENTRIES,
    ENTRY_BYTES,
    ENTRY_MAKER,
    ENTRY_PRICE,
    EXCESS,
    FIRSTS,
    GUARD,
    GUARDS,
    HEAPED,
    KEY,
    LINK,
    MAKES,
    MASK,
    MOST,
    OPERATIONS,
    PINNED,
    PRESENT,
    PRICE,
    RAN,
    RANK,
    READS,
    ROOM,
    SHIFT,
    SIZE,
    SLOPE,
    STORAGES,
    UNREACHABLE,
    WORDS,
)

# Rows of what ``rerun_cost`` fills.
NEEDED, USEFUL, RERUN = range(3)

# Sets


@compiled
def has(row, bit):
    return (row[bit >> SHIFT] >> (bit & MASK)) & 1 == 1


@compiled
def put(row, bit):
    row[bit >> SHIFT] |= 1 << (bit & MASK)


@compiled
def is_within(inner, outer):
    found = 0
    for w in range(len(inner)):
        found |= inner[w] & ~outer[w]
    return found == 0


@compiled
def meets(one, other):
    found = 0
    for w in range(len(one)):
        found |= one[w] & other[w]
    return found != 0


@compiled
def is_same(one, other):
    found = 0
    for w in range(len(one)):
        found |= one[w] ^ other[w]
    return found == 0


# The heap: smallest key first, then the state that got furthest, then the latest.


@compiled
def _is_before(heap, one, other):
    return heap[one, 0] < heap[other, 0] or (heap[one, 0] == heap[other, 0] and heap[one, 1] < heap[other, 1])


@compiled
def _swap(heap, one, other):
    for column in range(2):
        kept = heap[one, column]
        heap[one, column] = heap[other, column]
        heap[other, column] = kept


@compiled
def push(fr, state):
    at = fr.number[HEAPED]
    fr.number[HEAPED] += 1
    fr.heap[at, 0] = fr.state[state, KEY] - fr.number[SLOPE] * fr.state[state, FIRSTS]
    fr.heap[at, 1] = -((fr.state[state, FIRSTS] << 40) | state)
    while at > 0 and _is_before(fr.heap, at, (at - 1) // 2):
        _swap(fr.heap, at, (at - 1) // 2)
        at = (at - 1) // 2


@compiled
def pop(fr):
    state = (-fr.heap[0, 1]) & ((1 << 40) - 1)
    fr.number[HEAPED] -= 1
    count = fr.number[HEAPED]
    _swap(fr.heap, 0, count)
    at = 0
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and _is_before(fr.heap, child + 1, child):
            child += 1
        if not _is_before(fr.heap, child, at):
            break
        _swap(fr.heap, child, at)
        at = child
    return state


# What a state is worth


@compiled
def rerun_cost(tb, ran, present, found):
    """The cost of the operations that must run again, were there no limit on bytes; fills the sets of ``found``.

    They are the items that later runs read for certain, the items that any later run may read, and the operations
    that must run again.
    """
    words = tb.setting[WORDS]
    cost = 0
    found[:] = 0
    needed, useful, again = found[NEEDED], found[USEFUL], found[RERUN]
    for o in range(tb.setting[OPERATIONS] - 1, -1, -1):
        if not has(ran, o):
            for w in range(words):
                needed[w] |= tb.sets[o, READS, w]
                useful[w] |= tb.sets[o, READS, w]
            continue
        missing = False
        for w in range(words):
            missing |= (tb.sets[o, MAKES, w] & needed[w] & ~present[w]) != 0
        if missing:
            if not tb.operation[AGAIN, o]:
                return UNREACHABLE
            cost += tb.operation[COST, o]
            put(again, o)
            for w in range(words):
                needed[w] |= tb.sets[o, READS, w]
        if tb.operation[AGAIN, o] and meets(tb.sets[o, MAKES], useful):
            for w in range(words):
                useful[w] |= tb.sets[o, READS, w]
    return cost


@compiled
def knapsack_cost(tb, ran, again, atmost):
    """The least cost of what cannot be held beside the first run of some operation that has not run yet.

    Operations that must run again anyway are free to drop; the bound adds to ``rerun_cost``.
    """
    best = 0
    nothing = not meets(again, again)
    for g in range(tb.setting[GUARDS]):
        if tb.guard[MOST, g] <= best:
            return best
        if has(ran, tb.guard[GUARD, g]):
            continue
        if nothing:
            return tb.guard[MOST, g]
        best = max(best, _one_knapsack(tb, again, g))
        if best > atmost:
            return best
    return best


@compiled
def _one_knapsack(tb, again, g):
    """A guard's bound where some of its entries are free to drop: by taking parts of entries, or off the exact one."""
    over, free = -tb.guard[ROOM, g], 0
    first, last = tb.guard[ENTRIES, g], tb.guard[ENTRIES, g + 1]
    for e in range(first, last):
        maker = tb.entry[ENTRY_MAKER, e]
        if maker >= 0 and has(again, maker):
            free += tb.entry[ENTRY_PRICE, e]
        else:
            over += tb.entry[ENTRY_BYTES, e]
    most = tb.guard[MOST, g]
    whole = most if most >= UNREACHABLE and free == 0 else (most - free if most < UNREACHABLE else 0)
    return max(whole, _relaxed_knapsack(tb, again, first, last, over))


@compiled
def _relaxed_knapsack(tb, again, first, last, over):
    cost = 0
    for e in range(first, last):
        if over <= 0:
            return cost
        maker, size = tb.entry[ENTRY_MAKER, e], tb.entry[ENTRY_BYTES, e]
        if maker >= 0 and has(again, maker):
            continue
        if maker < 0:
            return UNREACHABLE
        price = tb.entry[ENTRY_PRICE, e]
        if size > over:
            return cost + int(float(price) * (float(over) / float(size)) * (1 - 1e-9))
        over -= size
        cost += price
    return cost if over <= 0 else UNREACHABLE


@compiled
def drop_cost(tb, present, pinned, found, touched, first, need):
    """The least cost of dropping a number of bytes, from a storage on, beyond what must be made again anyway."""
    cost = 0
    for is_priced in range(2):
        for rank in range(tb.setting[STORAGES]):
            if need <= 0:
                return cost
            s = tb.storage[BARGAIN, rank]
            size = tb.storage[SIZE, s]
            if (
                tb.storage[RANK, s] < first
                or not size
                or has(touched, s)
                or has(pinned, s)
                or not meets(tb.members[s], present)
            ):
                continue
            if meets(tb.members[s], found[NEEDED]) != (is_priced == 1):
                continue
            price = tb.storage[PRICE, s] if is_priced else 0
            if price >= UNREACHABLE:
                continue
            if size > need:
                return cost + int(float(price) * (float(need) / float(size)) * (1 - 1e-9))
            need -= size
            cost += price
    return cost if need <= 0 else UNREACHABLE


# States met before


@compiled
def _hash(fr, ran, pinned):
    number = 1469598103934665603
    for w in range(len(ran)):
        number = (number ^ ran[w]) * 1099511628211
        number ^= number >> 29
        number = (number ^ pinned[w]) * 1099511628211
        number ^= number >> 31
    return number & (len(fr.buckets) - 1)


@compiled
def is_dominated(fr, state):
    """Whether a state met before has the same runs behind it, holds at least as much, and was no dearer.

    Otherwise the state joins the list of its like, and those that it dominates leave it.
    """
    ran, present, pinned = fr.sets[state, RAN], fr.sets[state, PRESENT], fr.sets[state, PINNED]
    excess = fr.state[state, EXCESS]
    bucket = _hash(fr, ran, pinned)
    before, other = -1, fr.buckets[bucket]
    while other >= 0:
        following = fr.state[other, LINK]
        if is_same(fr.sets[other, RAN], ran) and is_same(fr.sets[other, PINNED], pinned):
            if fr.state[other, EXCESS] <= excess and is_within(present, fr.sets[other, PRESENT]):
                return True
            if excess <= fr.state[other, EXCESS] and is_within(fr.sets[other, PRESENT], present):
                fr.state[other, DEAD] = 1
                if before < 0:
                    fr.buckets[bucket] = following
                else:
                    fr.state[before, LINK] = following
                other = following
                continue
        before, other = other, following
    fr.state[state, LINK] = fr.buckets[bucket]
    fr.buckets[bucket] = state
    return False


@compiled
def live_bytes(tb, present):
    total = 0
    for s in range(tb.setting[STORAGES]):
        if tb.storage[SIZE, s] and meets(tb.members[s], present):
            total += tb.storage[SIZE, s]
    return total


@compiled
def is_full(fr):
    return fr.number[COUNT] + 1 >= len(fr.state)
