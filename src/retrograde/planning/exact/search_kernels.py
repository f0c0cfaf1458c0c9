"""The best-first search over states of memory, compiled: which operations can run, and what must be dropped."""

from __future__ import annotations

import numpy as np

from retrograde.planning.exact.layout import (
    AGAIN,
    ALLOCATES,
    BORDER,
    BUDGET,
    COST,
    COUNT,
    DEAD,
    END,
    EXCESS,
    EXHAUSTED,
    EXPANDED,
    FIRSTS,
    FLEETING,
    FULL,
    GIVEN_ORDER,
    GOAL,
    HEAPED,
    KEY,
    KIND,
    LIMIT,
    LIVE,
    MAKES,
    MOVE,
    OPERATIONS,
    OVERFLOWED,
    PAIRS,
    PARENT,
    PAUSED,
    PINNED,
    PRESENT,
    RAN,
    READS,
    RETAIN,
    SEGMENT,
    SINCE,
    STORAGES,
    TOUCHES,
    UNREACHABLE,
    WORDS,
    WORKSPACE,
)
from retrograde.planning.exact.state_kernels import (
    has,
    is_dominated,
    is_full,
    is_within,
    knapsack_cost,
    live_bytes,
    meets,
    pop,
    push,
    put,
    remove,
    rerun_cost,
)
from retrograde.planning.simulator.compiling import compiled


@compiled
def advance(tb, fr, expansions):
    """Expand states, best first, until the search ends or a number of expansions is made."""
    until = fr.number[EXPANDED] + expansions
    while fr.number[HEAPED]:
        if fr.heap[0, 0] > fr.number[LIMIT]:
            return EXHAUSTED
        if fr.number[EXPANDED] >= until:
            return PAUSED
        state = pop(fr)
        if fr.state[state, DEAD]:
            continue
        fr.number[EXPANDED] += 1
        _expand(tb, fr, state)
        if fr.number[OVERFLOWED]:
            fr.number[OVERFLOWED] = 0
            push(fr, state)
            return FULL
    return EXHAUSTED


@compiled
def begin(tb, fr, pinned):
    """Put the start state into an empty frontier."""
    fr.sets[0] = 0
    fr.sets[0, PINNED] = pinned
    fr.state[0] = 0
    fr.state[0, PARENT] = -1
    fr.state[0, MOVE] = -1
    fr.number[COUNT] = 1
    fr.number[GOAL] = -1
    push(fr, 0)


@compiled
def _expand(tb, fr, state):
    ran = fr.sets[state, RAN]
    present = fr.sets[state, PRESENT]
    words = tb.setting[WORDS]
    useful = np.zeros(words, dtype=np.int64)
    again = np.zeros(words, dtype=np.int64)
    rerun_cost(tb, ran, present, useful, again)
    lone = _free_step(tb, fr, state)
    for o in range(tb.setting[OPERATIONS]):
        if lone >= 0 and o != lone:
            continue
        if has(ran, o):
            if not tb.operation[AGAIN, o] or not _is_wanted(tb, o, useful, present):
                continue
        elif not _is_turn(tb, fr, state, o):
            continue
        if is_within(tb.sets[o, READS], present):
            _run(tb, fr, state, o)


@compiled
def _is_wanted(tb, o, useful, present):
    wanted = 0
    for w in range(len(present)):
        wanted |= tb.sets[o, MAKES, w] & useful[w] & ~present[w]
    return wanted != 0


@compiled
def _is_turn(tb, fr, state, o):
    """Whether an operation that never ran may run now, as far as order and segments say."""
    firsts = fr.state[state, FIRSTS]
    if tb.setting[GIVEN_ORDER] or tb.operation[KIND, o] == END:
        return firsts == o
    segment = fr.state[state, SEGMENT]
    if tb.operation[KIND, o] == BORDER:
        return tb.operation[SINCE, o] == segment
    return tb.operation[SINCE, o] <= segment


@compiled
def _free_step(tb, fr, state):
    """An operation that may as well run at once: it fits, and nothing it makes takes bytes afterwards."""
    for o in range(tb.setting[OPERATIONS]):
        if not tb.operation[FLEETING, o] or has(fr.sets[state, RAN], o) or not _is_turn(tb, fr, state, o):
            continue
        if is_within(tb.sets[o, READS], fr.sets[state, PRESENT]) and _shortage(tb, fr, state, o) <= 0:
            return o
    return -1


# Running an operation


@compiled
def _shortage(tb, fr, state, o):
    """Bytes that have to be dropped before an operation can run; 0 or less when it fits."""
    if tb.operation[KIND, o] == END:
        return 0
    present, pinned = fr.sets[state, PRESENT], fr.sets[state, PINNED]
    makes, allocates = tb.sets[o, MAKES], tb.sets[o, ALLOCATES]
    need = fr.state[state, LIVE] + tb.operation[WORKSPACE, o]
    segment = fr.state[state, SEGMENT] + (1 if tb.operation[KIND, o] == BORDER else 0)
    need += tb.fixed[segment]
    for s in range(tb.setting[STORAGES]):
        if has(allocates, s) and not _is_renewed(tb, s, present, pinned, makes, allocates):
            need += tb.size[s]
    return need - tb.setting[BUDGET]


@compiled
def _is_renewed(tb, s, present, pinned, makes, allocates):
    """Whether a storage is live and loses nothing if it is dropped just before it is made again."""
    if has(pinned, s) or not has(allocates, s):
        return False
    live = False
    for w in range(len(present)):
        inside = tb.members[s, w] & present[w]
        live |= inside != 0
        if inside & ~makes[w]:
            return False
    return live


@compiled
def _run(tb, fr, state, o):
    """Add every state that running an operation leads to: one for each least set of drops that makes room."""
    excess = fr.state[state, EXCESS] + (tb.operation[COST, o] if has(fr.sets[state, RAN], o) else 0)
    if excess > fr.number[LIMIT]:
        return
    kept = fr.sets[state, PRESENT].copy()
    drops = np.zeros(tb.setting[WORDS], dtype=np.int64)
    taken = np.zeros(tb.setting[WORDS], dtype=np.int64)
    need = _shortage(tb, fr, state, o)
    anyhow = tb.setting[RETAIN] and tb.operation[KIND, o] == BORDER
    if need <= 0 and not anyhow:
        _reach(tb, fr, state, o, excess, kept, drops, taken)
        return
    candidates, pairs = _candidates(tb, fr, state, o)
    _choose(tb, fr, state, o, excess, need, candidates, pairs, anyhow)


@compiled
def _candidates(tb, fr, state, o):
    """What may be dropped, or taken over, before an operation: storages, largest first, and their pair or -1."""
    present, pinned = fr.sets[state, PRESENT], fr.sets[state, PINNED]
    count = tb.setting[STORAGES]
    first, last = tb.operation[PAIRS, o], tb.operation[PAIRS, o + 1]
    storages = np.empty(count + last - first, dtype=np.int64)
    pairs = np.empty(count + last - first, dtype=np.int64)
    found = 0
    for s in range(count):
        if not meets(tb.members[s], present) or has(pinned, s) or has(tb.sets[o, TOUCHES], s):
            continue
        if tb.size[s] and not _is_renewed(tb, s, present, pinned, tb.sets[o, MAKES], tb.sets[o, ALLOCATES]):
            storages[found], pairs[found] = s, -1
            found += 1
    for p in range(first, last):
        s = tb.pairs[1, p]
        if tb.size[s] and meets(tb.members[s], present) and not has(pinned, s):
            storages[found], pairs[found] = s, p
            found += 1
    for i in range(1, found):
        s, p, at = storages[i], pairs[i], i
        while at > 0 and tb.size[storages[at - 1]] < tb.size[s]:
            storages[at], pairs[at] = storages[at - 1], pairs[at - 1]
            at -= 1
        storages[at], pairs[at] = s, p
    return storages[:found], pairs[:found]


@compiled
def _choose(tb, fr, state, o, excess, need, candidates, pairs, anyhow):
    """Walk through the sets of candidates that free enough bytes, none of them in vain (any set, if ``anyhow``)."""
    count = len(candidates)
    rest = np.zeros(count + 1, dtype=np.int64)
    for i in range(count - 1, -1, -1):
        rest[i] = rest[i + 1] + tb.size[candidates[i]]
    chosen = np.empty(count + 1, dtype=np.int64)
    words = tb.setting[WORDS]
    kept = fr.sets[state, PRESENT].copy()
    drops = np.zeros(words, dtype=np.int64)
    taken = np.zeros(words, dtype=np.int64)
    depth, freed, at = 0, 0, 0
    if anyhow and freed >= need:
        _reach(tb, fr, state, o, excess, kept, drops, taken)
    while True:
        if at < count and freed + rest[at] >= need:
            if _take(tb, fr, state, o, candidates[at], pairs[at], kept, drops, taken):
                if _is_hopeful(tb, fr, state, o, excess, kept, taken):
                    chosen[depth] = at
                    depth += 1
                    freed += tb.size[candidates[at]]
                    if freed >= need:
                        _reach(tb, fr, state, o, excess, kept, drops, taken)
                    if freed >= need and not anyhow:
                        depth -= 1
                        freed -= tb.size[candidates[at]]
                        _give_back(tb, fr, state, candidates[at], pairs[at], kept, drops, taken)
                else:
                    _give_back(tb, fr, state, candidates[at], pairs[at], kept, drops, taken)
            at += 1
            continue
        if depth == 0 or fr.number[OVERFLOWED]:
            return
        depth -= 1
        at = chosen[depth]
        freed -= tb.size[candidates[at]]
        _give_back(tb, fr, state, candidates[at], pairs[at], kept, drops, taken)
        at += 1


@compiled
def _take(tb, fr, state, o, s, pair, kept, drops, taken):
    """Drop a storage, or let its pair's other storage take it over, if that may be."""
    if pair >= 0:
        target = tb.pairs[0, pair]
        live = meets(tb.members[target], kept) and not _is_renewed(
            tb, target, kept, fr.sets[state, PINNED], tb.sets[o, MAKES], tb.sets[o, ALLOCATES]
        )
        if live or has(taken, target) or has(taken, s):
            return False
        put(taken, target)
        put(taken, s)
        return True
    put(drops, s)
    for w in range(len(kept)):
        kept[w] &= ~tb.members[s, w]
    return True


@compiled
def _give_back(tb, fr, state, s, pair, kept, drops, taken):
    if pair >= 0:
        remove(taken, tb.pairs[0, pair])
        remove(taken, s)
        return
    remove(drops, s)
    for w in range(len(kept)):
        kept[w] |= tb.members[s, w] & fr.sets[state, PRESENT, w]


@compiled
def _after(tb, fr, state, o, kept, taken, ran, present):
    """What ran and what is present after an operation."""
    for w in range(len(kept)):
        ran[w] = fr.sets[state, RAN, w]
        present[w] = kept[w] | tb.sets[o, MAKES, w]
    put(ran, o)
    for p in range(tb.operation[PAIRS, o], tb.operation[PAIRS, o + 1]):
        s = tb.pairs[1, p]
        if has(taken, s):
            for w in range(len(kept)):
                present[w] &= ~tb.members[s, w]


@compiled
def _is_hopeful(tb, fr, state, o, excess, kept, taken):
    """Whether a state with these drops could still be worth it."""
    words = tb.setting[WORDS]
    ran = np.empty(words, dtype=np.int64)
    present = np.empty(words, dtype=np.int64)
    useful = np.empty(words, dtype=np.int64)
    again = np.empty(words, dtype=np.int64)
    _after(tb, fr, state, o, kept, taken, ran, present)
    return excess + rerun_cost(tb, ran, present, useful, again) <= fr.number[LIMIT]


@compiled
def _reach(tb, fr, state, o, excess, kept, drops, taken):
    """Add the state after an operation, unless it is too dear or dominated."""
    if is_full(fr):
        fr.number[OVERFLOWED] = 1
        return
    new = fr.number[COUNT]
    words = tb.setting[WORDS]
    ran, present, pinned = fr.sets[new, RAN], fr.sets[new, PRESENT], fr.sets[new, PINNED]
    pinned[:] = fr.sets[state, PINNED]
    segment = fr.state[state, SEGMENT]
    if tb.operation[KIND, o] == BORDER:
        segment += 1
        _pin(tb, segment, kept, pinned)
    _after(tb, fr, state, o, kept, taken, ran, present)
    useful = np.empty(words, dtype=np.int64)
    again = np.empty(words, dtype=np.int64)
    cost = excess + rerun_cost(tb, ran, present, useful, again)
    if cost > fr.number[LIMIT]:
        return
    key = cost + knapsack_cost(tb, ran, again, fr.number[LIMIT] - cost)
    if key > fr.number[LIMIT]:
        return
    _drop_useless(tb, present, pinned, useful)
    first = 0 if has(fr.sets[state, RAN], o) else 1
    fr.state[new, EXCESS] = excess
    fr.state[new, KEY] = max(key, fr.state[state, KEY])
    fr.state[new, LIVE] = live_bytes(tb, present)
    fr.state[new, PARENT] = state
    fr.state[new, MOVE] = o
    fr.state[new, SEGMENT] = segment
    fr.state[new, FIRSTS] = fr.state[state, FIRSTS] + first
    fr.state[new, DEAD] = 0
    if tb.operation[KIND, o] == END:
        fr.number[COUNT] += 1
        fr.number[GOAL] = new
        fr.number[LIMIT] = excess - 1
        return
    if is_dominated(fr, new):
        return
    fr.number[COUNT] += 1
    push(fr, new)


@compiled
def _pin(tb, segment, kept, pinned):
    """What nobody can free from a border on: what was handed over, and with retention all that crosses."""
    for w in range(len(pinned)):
        pinned[w] |= tb.pins[segment, w]
    if tb.setting[RETAIN]:
        for s in range(tb.setting[STORAGES]):
            if meets(tb.members[s], kept):
                put(pinned, s)


@compiled
def _drop_useless(tb, present, pinned, useful):
    for s in range(tb.setting[STORAGES]):
        if has(pinned, s) or not meets(tb.members[s], present) or meets(tb.members[s], useful):
            continue
        for w in range(len(present)):
            present[w] &= ~tb.members[s, w]


__all__ = ["UNREACHABLE", "advance", "begin"]
