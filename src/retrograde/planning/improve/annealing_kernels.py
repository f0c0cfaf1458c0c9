"""The annealer's moves and its loop, compiled: each move is made on the simulator, and taken back if it is refused.

What is minimised is cost + price × overload. A move is accepted with the rule of Metropolis, turned round: the random
number is drawn first and says how high the score may rise, so that hopeless moves are seen before they are made.
"""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import compiled, compiled_for_threads, inlined
from retrograde.planning.improve.glide_kernels import MOST_CHANGES, glide
from retrograde.planning.improve.kernels import (
    draw_next,
    droppable_excess,
    earliest_place,
    first_reader,
    recompute,
    remove_with_sources,
)
from retrograde.planning.simulator.kernels import gap_segment, insert_slot, remove_slot, undo_to
from retrograde.planning.simulator.layout import (
    AT,
    BUDGET,
    CHUNK,
    CHUNKS,
    COUNT,
    LOC,
    LOGGED,
    MAKER,
    MASK,
    MISSING,
    NEXT,
    NODE,
    OVERLOAD,
    RANK,
    READS,
    RECOMPUTABLE,
    RUNS,
    SHIFT,
    SINCE,
    SLOTS,
)
from retrograde.planning.simulator.order_kernels import key_of, slot_at, spread

# Entries of the control.
TEMPERATURE, PRICE, FEE, BEST, ENOUGH, REORDER = range(6)
# Entries of the counts.
STEPS, ACCEPTED, FOUND = range(3)


@inlined
def fraction(seed):
    """A random number above 0 and at most 1."""
    return ((draw_next(seed) >> 10) + 1) * (1.0 / (1 << 53))


@inlined
def score_now(st, control):
    return st.cost[0] + control[PRICE] * st.number[OVERLOAD] + control[FEE] * st.number[SLOTS]


@inlined
def random_slot(st, seed):
    """A slot, each as likely as any other."""
    while True:
        draw = draw_next(seed) >> 5
        chunk = st.part[CHUNK, (draw >> 8) % st.number[CHUNKS]]
        if draw & MASK < st.part[COUNT, chunk]:
            return st.place[AT, (chunk << SHIFT) | (draw & MASK)]


@inlined
def neighbour(st, slot, distance):
    """The slot so many places behind a slot (before it, if negative), or the last (first) there is."""
    loc = st.slot[LOC, slot]
    rank, index = st.part[RANK, loc >> SHIFT], (loc & MASK) + distance
    while index < 0 and rank > 0:
        rank -= 1
        index += st.part[COUNT, st.part[CHUNK, rank]]
    while index >= st.part[COUNT, st.part[CHUNK, rank]] and rank + 1 < st.number[CHUNKS]:
        index -= st.part[COUNT, st.part[CHUNK, rank]]
        rank += 1
    chunk = st.part[CHUNK, rank]
    index = max(0, min(index, st.part[COUNT, chunk] - 1))
    return st.place[AT, (chunk << SHIFT) + index]


@inlined
def random_distance(st, seed):
    """A number of places, each order of magnitude as likely as any other; negative half the time."""
    distance = int(np.exp(fraction(seed) * np.log(st.number[SLOTS] + 1.0)))
    return -distance if draw_next(seed) & 1024 else distance


@inlined
def shift_target(pr, st, slot, seed):
    """The slot before which a slot is to run; -1 for where it is. What runs once stays behind its inputs."""
    node = st.slot[NODE, slot]
    distance = random_distance(st, seed)
    target = neighbour(st, slot, distance + (1 if distance > 0 else 0))
    key = key_of(st, target)
    if st.runner[RUNS, node] == 1:
        if distance < 0:
            first = earliest_place(pr, st, slot)
            if key <= first:
                target = st.slot[NEXT, slot_at(st, first)]
        else:
            last = first_reader(pr, st, slot)
            if key > last:
                target = slot_at(st, last)
    if target == slot or target == st.slot[NEXT, slot] or pr.node[SINCE, node] > gap_segment(pr, st, target):
        return -1
    return target


@inlined
def shift(pr, st, slot, seed, changes, most):
    """Run a slot elsewhere. Returns 1 if that is done for good, 0 if it is refused, -1 if it is to be judged."""
    target = shift_target(pr, st, slot, seed)
    if target < 0:
        return 0
    done = glide(pr, st, slot, target, changes, most)
    if done >= 0:
        return done
    node = st.slot[NODE, slot]
    return -1 if remove_slot(pr, st, slot) and insert_slot(pr, st, node, target) >= 0 else 0


@compiled
def drop(pr, st, reader, seed, price, allowed):
    """Compute something that a slot reads once more before it. Returns whether that was done."""
    node = st.slot[NODE, reader]
    first, last = pr.node[READS, node], pr.node[READS, node + 1]
    if first == last:
        return False
    storage = pr.read_index[first + (draw_next(seed) >> 8) % (last - first)]
    maker = pr.storage[MAKER, storage]
    if not pr.node[RECOMPUTABLE, maker]:
        return False
    gain = price * droppable_excess(pr, st, storage, reader, st.number[BUDGET])
    if pr.cost[maker] - gain > allowed:
        return False
    draw = (draw_next(seed) >> 8) & 3
    hold = price if draw < 2 else (0.0 if draw == 2 else 16.0 * price)
    return recompute(pr, st, maker, reader, st.number[BUDGET], hold, st.cost[0] + 3.0 * gain + allowed) > 0


@inlined
def step(pr, st, control, seed, changes):
    """One move: made or refused. Returns whether it was accepted."""
    price = control[PRICE]
    allowed = -control[TEMPERATURE] * np.log(fraction(seed))
    now = score_now(st, control)
    slot = random_slot(st, seed)
    node = st.slot[NODE, slot]
    kind = 0 if control[REORDER] else (draw_next(seed) >> 8) & 7
    done = False
    if kind < 3:
        moved = shift(pr, st, slot, seed, changes, allowed / price) if node < pr.setting[1] else 0
        if moved > 0:
            return True
        done = moved < 0
    elif kind < 6:
        done = drop(pr, st, slot, seed, price, allowed)
    else:
        for _ in range(16):
            if st.runner[RUNS, node] > 1:
                break
            slot = random_slot(st, seed)
            node = st.slot[NODE, slot]
        done = st.runner[RUNS, node] > 1 and remove_with_sources(pr, st, slot)
    if done and st.number[MISSING] == 0 and score_now(st, control) <= now + allowed:
        st.number[LOGGED] = 0
        return True
    undo_to(pr, st, 0)
    return False


@compiled
def recount(pr, st):
    """Sum the cost anew, free of what rounding left behind, and lay sparse slots out again."""
    st.cost[0] = (pr.cost * st.runner[RUNS]).sum()
    if st.number[CHUNKS] > st.number[SLOTS] // 24 + 2:
        spread(st)


@inlined
def keep(st, best):
    """Copy the nodes in order; returns how many there are."""
    n = 0
    for rank in range(st.number[CHUNKS]):
        base = st.part[CHUNK, rank] << SHIFT
        for i in range(base, base + st.part[COUNT, st.part[CHUNK, rank]]):
            best[n] = st.slot[NODE, st.place[AT, i]]
            n += 1
    return n


@compiled_for_threads
def anneal_steps(pr, st, steps, control, seed, counts, best):
    """So many moves at one temperature and price; the best sequence that fits is kept."""
    recount(pr, st)
    changes = np.empty((2, MOST_CHANGES), dtype=np.int64)
    for _ in range(steps):
        counts[STEPS] += 1
        if step(pr, st, control, seed, changes):
            counts[ACCEPTED] += 1
            if st.number[OVERLOAD] == 0 and st.cost[0] < control[BEST]:
                control[BEST] = st.cost[0]
                counts[FOUND] = keep(st, best)
                if control[BEST] <= control[ENOUGH]:
                    return
