"""The moves of the greedy improvement, compiled: drop, restore, shift, each judged by the exact simulator.

What is minimised is cost + price × overload, where the overload is the bytes above the budget summed over the slots.
"""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import compiled
from retrograde.planning.simulator.kernels import (
    end_of,
    gap_segment,
    insert_slot,
    last_read,
    limit_of,
    remove_slot,
    source_of,
    undo_to,
)
from retrograde.planning.simulator.layout import (
    AT,
    BYTES,
    CHUNK,
    CHUNKS,
    COUNT,
    DUE,
    EARLIER,
    HEAD,
    LATER,
    LOGGED,
    MAKER,
    MAKES,
    MEMORY,
    MISSING,
    NEXT,
    NODE,
    OFFSET,
    PREVIOUS,
    READERS,
    READS,
    RECOMPUTABLE,
    RUNS,
    SEGMENT,
    SHIFT,
    SINCE,
    SLOTS,
    TAIL,
    TOP,
)
from retrograde.planning.simulator.order_kernels import key_of, overload_of, slot_at

MOST = 96
LARGEST = 0.2


@compiled
def excess_between(st, first, last, budget, size):
    """What a storage of a size adds to the overload of the slots with keys from first to last, now that it is live."""
    total = 0
    if first > last:
        return total
    for rank in range(first >> SHIFT, (last >> SHIFT) + 1):
        limit = budget - st.part[OFFSET, rank]
        if st.part[TOP, rank] <= limit:
            continue
        base = st.part[CHUNK, rank] << SHIFT
        low = max(base, base + first - (rank << SHIFT))
        high = min(base + st.part[COUNT, st.part[CHUNK, rank]], base + last + 1 - (rank << SHIFT))
        for i in range(low, high):
            total += min(size, max(0, st.place[MEMORY, i] - limit))
    return total


@compiled
def held_excess(pr, st, storage, slot, budget):
    """What holding a storage for a slot that reads it last adds to the overload; -1 if it is not there at all."""
    key = key_of(st, slot)
    source = source_of(pr, st, storage, key)
    if source < 0:
        return -1
    if not pr.node[RECOMPUTABLE, pr.storage[MAKER, storage]]:
        return 0
    if end_of(pr, st, storage, source, limit_of(pr, st, storage, source)) > key:
        return 0
    last = last_read(pr, st, storage, key_of(st, source), key)
    return excess_between(st, last + 1, key - 1, budget, pr.storage[BYTES, storage])


@compiled
def recompute(pr, st, node, before, budget, price, most):
    """Run a node once more before a slot, and again whatever it reads that is dearer to hold.

    Returns 0 if it cannot, or if the cost rises above a limit; otherwise the sum of 1, of 2 if something is held
    that could be recomputed, and of 4 if something else was recomputed.
    """
    stack = np.empty(MOST, dtype=np.int64)
    stack[0] = insert_slot(pr, st, node, before)
    height, done, holds = 1, 1, 0
    if stack[0] < 0:
        return 0
    while height:
        height -= 1
        slot = stack[height]
        reader = st.slot[NODE, slot]
        for j in range(pr.node[READS, reader], pr.node[READS, reader + 1]):
            maker = pr.storage[MAKER, pr.read_index[j]]
            held = held_excess(pr, st, pr.read_index[j], slot, budget)
            if (held * price <= pr.cost[maker] and held >= 0) or done == MOST:
                holds = 2 if held else holds
                continue
            again = insert_slot(pr, st, maker, slot) if held > 0 else -1
            if again < 0 or st.cost[0] > most:
                return 0
            stack[height] = again
            height += 1
            done += 1
    return 1 + holds + (4 if done > 1 else 0)


@compiled
def is_unread(pr, st, slot):
    """Whether nobody reads what a slot makes, and the node makes something and runs elsewhere too."""
    node = st.slot[NODE, slot]
    if st.runner[RUNS, node] < 2 or pr.node[MAKES, node] == pr.node[MAKES, node + 1]:
        return False
    key = key_of(st, slot)
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        if pr.storage[DUE, storage] >= 0 and st.slot[SEGMENT, slot] > pr.storage[DUE, storage]:
            continue
        if last_read(pr, st, storage, key, limit_of(pr, st, storage, slot)) > key:
            return False
    return True


@compiled
def remove_with_sources(pr, st, slot):
    """Take a slot away, and the recomputations that only it needed. False if something is missing then."""
    stack = np.empty(MOST, dtype=np.int64)
    stack[0] = slot
    height = 1
    sources = np.empty(64, dtype=np.int64)
    while height:
        height -= 1
        slot = stack[height]
        node, key = st.slot[NODE, slot], key_of(st, slot)
        count = 0
        for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
            source = source_of(pr, st, pr.read_index[j], key)
            if source >= 0 and count < 64:
                sources[count] = source
                count += 1
        if not remove_slot(pr, st, slot) or st.number[MISSING]:
            return False
        for i in range(count):
            known = False
            for k in range(height):
                known = known or stack[k] == sources[i]
            if (
                not known
                and height < MOST
                and st.runner[RUNS, st.slot[NODE, sources[i]]] > 1
                and is_unread(pr, st, sources[i])
            ):
                stack[height] = sources[i]
                height += 1
    return True


@compiled
def score(st, budget, price):
    return st.cost[0] + price * overload_of(st, budget)


@compiled
def tidy(pr, st, mark, budget, price, now):
    """Take away the next computation of what was just computed again, where holding is cheaper; return the score."""
    end = st.number[LOGGED]
    for n in range(mark, end):
        if st.log[n, 0] != 0:
            continue
        following = st.slot[LATER, st.log[n, 2]]
        if following < 0:
            continue
        here = st.number[LOGGED]
        done = remove_with_sources(pr, st, following)
        after = score(st, budget, price)
        if done and after < now:
            now = after
        else:
            undo_to(pr, st, here)
    return now


@compiled
def droppable_excess(pr, st, storage, reader, budget):
    """At most what dropping a storage, and what is made with it, before one of its readers takes off the overload."""
    maker = pr.storage[MAKER, storage]
    key = key_of(st, reader)
    source = source_of(pr, st, storage, key)
    if source < 0 or not pr.node[RECOMPUTABLE, maker]:
        return 0
    last = last_read(pr, st, storage, key_of(st, source), key)
    excess = 0
    for j in range(pr.node[MAKES, maker], pr.node[MAKES, maker + 1]):
        excess += excess_between(st, last + 1, key - 1, budget, pr.storage[BYTES, pr.make_index[j]])
    return excess


@compiled
def drop_once(pr, st, maker, reader, budget, prices, most):
    """Recompute a storage before a reader; prices are those of holding inputs and of the score. How, and the score."""
    mark = st.number[LOGGED]
    how = recompute(pr, st, maker, reader, budget, prices[0], most)
    after = np.inf
    if how:
        after = tidy(pr, st, mark, budget, prices[1], score(st, budget, prices[1]))
    return how, after


@compiled
def try_drop(pr, st, storage, reader, budget, price, now):
    """Recompute a storage just before one of its readers, if that lowers the score. Returns the score.

    Its inputs are held or recomputed in turn as the price says; then all held; then at a price far higher.
    """
    maker = pr.storage[MAKER, storage]
    gain = droppable_excess(pr, st, storage, reader, budget)
    if gain * price <= pr.cost[maker]:
        return now
    mark = st.number[LOGGED]
    most = st.cost[0] + min(3.0 * gain * price, LARGEST * pr.cost.sum())
    plain, after = drop_once(pr, st, maker, reader, budget, (price, price), most)
    if after >= now and (plain == 0 or plain & 4):
        undo_to(pr, st, mark)
        _, after = drop_once(pr, st, maker, reader, budget, (0.0, price), most)
    if after >= now and plain & 2:
        undo_to(pr, st, mark)
        _, after = drop_once(pr, st, maker, reader, budget, (16.0 * price, price), most)
    if after >= now:
        undo_to(pr, st, mark)
        return now
    return after


@compiled
def try_restore(pr, st, slot, budget, price, now):
    """Take a recomputation away, if that lowers the score. Returns the score."""
    if st.runner[RUNS, st.slot[NODE, slot]] < 2:
        return now
    mark = st.number[LOGGED]
    if remove_with_sources(pr, st, slot):
        after = score(st, budget, price)
        if after < now or (after == now and pr.cost[st.log[mark, 1]] == 0):
            return after
    undo_to(pr, st, mark)
    return now


@compiled
def earliest_place(pr, st, slot):
    """The slot before which a slot may move at the earliest."""
    node = st.slot[NODE, slot]
    key = key_of(st, slot)
    first = -1
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        source = source_of(pr, st, pr.read_index[j], key)
        first = max(first, key_of(st, source)) if source >= 0 else first
    if st.slot[EARLIER, slot] >= 0:
        first = max(first, key_of(st, st.slot[EARLIER, slot]))
    return first


@compiled
def first_reader(pr, st, slot):
    """The key of the first reader of what a slot makes, or of the node's next slot; the end's at the latest."""
    node, key = st.slot[NODE, slot], key_of(st, slot)
    first = key_of(st, st.runner[HEAD, pr.cost.size - 1])
    if st.slot[LATER, slot] >= 0:
        first = min(first, key_of(st, st.slot[LATER, slot]))
    for j in range(pr.node[MAKES, node], pr.node[MAKES, node + 1]):
        storage = pr.make_index[j]
        for i in range(pr.storage[READERS, storage], pr.storage[READERS, storage + 1]):
            other = st.runner[TAIL, pr.reader_index[i]]
            while other >= 0 and key_of(st, other) > key:
                first = min(first, key_of(st, other))
                other = st.slot[EARLIER, other]
    return first


@compiled
def try_shift(pr, st, slot, budget, price, now, draw):
    """Run a slot earlier or later, where its inputs and readers allow, if that lowers the score."""
    node = st.slot[NODE, slot]
    key = key_of(st, slot)
    after_key, before_key = earliest_place(pr, st, slot), first_reader(pr, st, slot)
    target = slot_at(st, before_key)
    if draw % 3 == 1:
        target = st.runner[HEAD, pr.cost.size - 1]
        target = st.slot[NEXT, slot_at(st, after_key)] if after_key >= 0 else slot_at(st, key)
    elif draw % 3 == 2:
        steps = (draw >> 8) % 24 - 12
        target = slot
        while steps < 0 and st.slot[PREVIOUS, target] >= 0 and key_of(st, st.slot[PREVIOUS, target]) > after_key:
            target = st.slot[PREVIOUS, target]
            steps += 1
        while steps > 0 and key_of(st, target) < before_key:
            target = st.slot[NEXT, target]
            steps -= 1
    if target == slot or target == st.slot[NEXT, slot]:
        return now
    if pr.node[SINCE, node] > gap_segment(pr, st, target):
        return now
    mark = st.number[LOGGED]
    if remove_slot(pr, st, slot) and insert_slot(pr, st, node, target) >= 0 and st.number[MISSING] == 0:
        after = score(st, budget, price)
        if after < now:
            return after
    undo_to(pr, st, mark)
    return now


@compiled
def draw_next(seed):
    """The next number of a xorshift generator."""
    x = seed[0]
    x ^= (x << 13) & 0x7FFFFFFFFFFFFFFF
    x ^= x >> 7
    x ^= (x << 17) & 0x7FFFFFFFFFFFFFFF
    seed[0] = x
    return x


@compiled
def slots_in_order(st):
    """All slots in order."""
    found = np.empty(st.number[SLOTS], dtype=np.int64)
    n = 0
    for rank in range(st.number[CHUNKS]):
        base = st.part[CHUNK, rank] << SHIFT
        for i in range(base, base + st.part[COUNT, st.part[CHUNK, rank]]):
            found[n] = st.place[AT, i]
            n += 1
    return found


@compiled
def visit(pr, st, slot, budget, price, seed, now):
    """Try to restore a slot, to drop each of its reads, and to shift it. Returns the score."""
    node = st.slot[NODE, slot]
    if node < pr.setting[1]:
        now = try_restore(pr, st, slot, budget, price, now)
        st.number[LOGGED] = 0
    for j in range(pr.node[READS, node], pr.node[READS, node + 1]):
        if st.slot[NODE, slot] != node:
            return now
        now = try_drop(pr, st, pr.read_index[j], slot, budget, price, now)
        st.number[LOGGED] = 0
    if st.slot[NODE, slot] == node and node < pr.setting[1]:
        now = try_shift(pr, st, slot, budget, price, now, draw_next(seed))
        st.number[LOGGED] = 0
    return now


@compiled
def shuffled_slots(st, seed):
    """All slots in random order: what to visit."""
    slots = slots_in_order(st)
    for i in range(slots.size - 1, 0, -1):
        j = draw_next(seed) % (i + 1)
        slots[i], slots[j] = slots[j], slots[i]
    return slots


@compiled
def sweep(pr, st, slots, budget, price, seed):
    """Visit some slots; those that are gone by then are skipped. Returns by how much the score fell."""
    start = score(st, budget, price)
    now = start
    for slot in slots:
        if st.slot[NODE, slot] >= 0:
            now = visit(pr, st, slot, budget, price, seed, now)
    return start - now


@compiled
def polish(pr, st, budget):
    """Take recomputations away, dearest first, while the bytes stay in the budget. Returns how many went."""
    slots = slots_in_order(st)
    again = np.empty(slots.size)
    for i in range(slots.size):
        node = st.slot[NODE, slots[i]]
        again[i] = pr.cost[node] if st.runner[RUNS, node] > 1 else 0.0
    gone = 0
    for i in np.argsort(-again):
        slot = slots[i]
        node = st.slot[NODE, slot]
        if node < 0 or node >= pr.setting[1] or st.runner[RUNS, node] < 2:
            continue
        if remove_with_sources(pr, st, slot) and overload_of(st, budget) == 0:
            gone += 1
        else:
            undo_to(pr, st, 0)
        st.number[LOGGED] = 0
    return gone
