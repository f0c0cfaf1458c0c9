"""The best-first search over states of memory, compiled: which operations can run, and what must be dropped."""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import compiled
from retrograde.planning.exact.layout import (
    AGAIN,
    ALLOCATES,
    BORDER,
    BUDGET,
    BY_SIZE,
    CHOICE,
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
    SIZE,
    STORAGES,
    TAKEN,
    TARGET,
    TOUCHES,
    WORDS,
    WORKSPACE,
)
from retrograde.planning.exact.state_kernels import (
    RERUN,
    USEFUL,
    drop_cost,
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
    rerun_cost,
)


@compiled
def advance(tb, fr, expansions):
    """Expand states, best first, until the search ends or a number of expansions is made."""
    until = fr.number[EXPANDED] + expansions
    while fr.number[HEAPED]:
        if fr.number[EXPANDED] >= until:
            return PAUSED
        state = pop(fr)
        if fr.state[state, DEAD] or fr.state[state, KEY] > fr.number[LIMIT]:
            continue
        fr.number[EXPANDED] += 1
        if fr.state[state, TARGET] >= 0:
            _make_room(tb, fr, state)
        else:
            _expand(tb, fr, state)
        if fr.number[OVERFLOWED]:
            fr.number[OVERFLOWED] = 0
            push(fr, state)
            return FULL
    return EXHAUSTED


@compiled
def begin(tb, fr, start, segment, firsts):
    """Put the start state into an empty frontier."""
    fr.sets[0] = start
    fr.state[0] = 0
    fr.state[0, LIVE] = live_bytes(tb, fr.sets[0, PRESENT])
    fr.state[0, SEGMENT] = segment
    fr.state[0, FIRSTS] = firsts
    fr.state[0, PARENT] = -1
    fr.state[0, MOVE] = -1
    fr.state[0, TARGET] = -1
    fr.number[COUNT] = 1
    fr.number[GOAL] = -1
    push(fr, 0)


@compiled
def _expand(tb, fr, state):
    ran = fr.sets[state, RAN]
    present = fr.sets[state, PRESENT]
    found = np.empty((3, tb.setting[WORDS]), dtype=np.int64)
    rerun_cost(tb, ran, present, found)
    lone = _free_step(tb, fr, state)
    for o in range(tb.setting[OPERATIONS]):
        if lone >= 0 and o != lone:
            continue
        if has(ran, o):
            if not tb.operation[AGAIN, o] or not _is_wanted(tb, o, found[USEFUL], present):
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
            need += tb.storage[SIZE, s]
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
    """Run an operation if there is room for it; otherwise an intent to make room takes its place in the queue."""
    need = _shortage(tb, fr, state, o)
    excess = fr.state[state, EXCESS] + (tb.operation[COST, o] if has(fr.sets[state, RAN], o) else 0)
    present, taken = fr.sets[state, PRESENT], fr.sets[state, TAKEN]
    anyhow = _drops_anyhow(tb, o)
    if need <= 0:
        _reach(tb, fr, state, o, excess, present, taken)
    if need > 0 or anyhow:
        _intend(tb, fr, state, o, 0, excess, need, present, taken)


@compiled
def _drops_anyhow(tb, o):
    """Whether drops may pay before an operation that has room: they do where a border is about to retain."""
    return tb.setting[RETAIN] == 1 and tb.operation[KIND, o] == BORDER


@compiled
def _make_room(tb, fr, state):
    """Follow up an intent: make one more choice, in every way."""
    o = fr.state[state, TARGET]
    excess = fr.state[state, EXCESS]
    storages = tb.setting[STORAGES]
    first, last = tb.operation[PAIRS, o], tb.operation[PAIRS, o + 1]
    need = _shortage(tb, fr, state, o) - _taken_bytes(tb, fr, state, o)
    anyhow = _drops_anyhow(tb, o)
    kept = np.empty(tb.setting[WORDS], dtype=np.int64)
    taken = np.empty(tb.setting[WORDS], dtype=np.int64)
    for choice in range(fr.state[state, CHOICE], storages + last - first):
        kept[:] = fr.sets[state, PRESENT]
        taken[:] = fr.sets[state, TAKEN]
        if choice < storages:
            s = tb.storage[BY_SIZE, choice]
            if not _drop(tb, fr, state, o, s, kept):
                continue
        else:
            s = tb.pairs[1, first + choice - storages]
            if not _take_over(tb, fr, state, o, s, tb.pairs[0, first + choice - storages], taken):
                continue
        left = need - tb.storage[SIZE, s]
        if left <= 0:
            _reach(tb, fr, state, o, excess, kept, taken)
        if left > 0 or anyhow:
            _intend(tb, fr, state, o, choice + 1, excess, left, kept, taken)


@compiled
def _taken_bytes(tb, fr, state, o):
    total = 0
    for p in range(tb.operation[PAIRS, o], tb.operation[PAIRS, o + 1]):
        s = tb.pairs[1, p]
        seen = False
        for q in range(tb.operation[PAIRS, o], p):
            seen |= tb.pairs[1, q] == s
        if has(fr.sets[state, TAKEN], s) and not seen:
            total += tb.storage[SIZE, s]
    return total


@compiled
def _drop(tb, fr, state, o, s, kept):
    """Drop a storage if that may be and gives bytes back."""
    pinned = fr.sets[state, PINNED]
    if not tb.storage[SIZE, s] or has(pinned, s) or has(tb.sets[o, TOUCHES], s) or not meets(tb.members[s], kept):
        return False
    if _is_renewed(tb, s, kept, pinned, tb.sets[o, MAKES], tb.sets[o, ALLOCATES]):
        return False
    for w in range(len(kept)):
        kept[w] &= ~tb.members[s, w]
    return True


@compiled
def _take_over(tb, fr, state, o, s, target, taken):
    """Let a storage be taken over by one that is made, if that may be and gives bytes back."""
    present, pinned = fr.sets[state, PRESENT], fr.sets[state, PINNED]
    if not tb.storage[SIZE, s] or has(pinned, s) or not meets(tb.members[s], present):
        return False
    live = meets(tb.members[target], present)
    if live and not _is_renewed(tb, target, present, pinned, tb.sets[o, MAKES], tb.sets[o, ALLOCATES]):
        return False
    if has(taken, s) or has(taken, target):
        return False
    put(taken, s)
    put(taken, target)
    return True


@compiled
def _intend(tb, fr, state, o, choice, excess, need, kept, taken):
    """Put an intent into the queue, unless it is too dear."""
    if is_full(fr):
        fr.number[OVERFLOWED] = 1
        return
    new = fr.number[COUNT]
    words = tb.setting[WORDS]
    ran = np.empty(words, dtype=np.int64)
    present = np.empty(words, dtype=np.int64)
    found = np.empty((3, words), dtype=np.int64)
    _after(tb, fr, state, o, kept, taken, ran, present)
    pinned = fr.sets[state, PINNED]
    cost = excess + rerun_cost(tb, ran, present, found)
    if cost > fr.number[LIMIT]:
        return
    more = knapsack_cost(tb, ran, found[RERUN], fr.number[LIMIT] - cost)
    if tb.operation[PAIRS, o] == tb.operation[PAIRS, o + 1]:
        more = max(more, drop_cost(tb, kept, pinned, found, tb.sets[o, TOUCHES], choice, need))
    if cost + more > fr.number[LIMIT]:
        return
    fr.sets[new, RAN] = fr.sets[state, RAN]
    fr.sets[new, PRESENT] = kept
    fr.sets[new, PINNED] = pinned
    fr.sets[new, TAKEN] = taken
    fr.state[new] = fr.state[state]
    fr.state[new, EXCESS] = excess
    fr.state[new, KEY] = max(cost + more, fr.state[state, KEY])
    fr.state[new, LIVE] = live_bytes(tb, kept)
    fr.state[new, PARENT] = state
    fr.state[new, MOVE] = -1
    fr.state[new, TARGET] = o
    fr.state[new, CHOICE] = choice
    fr.state[new, DEAD] = 0
    fr.number[COUNT] += 1
    push(fr, new)


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
def _reach(tb, fr, state, o, excess, kept, taken):
    """Add the state after an operation, unless it is too dear or dominated."""
    if is_full(fr):
        fr.number[OVERFLOWED] = 1
        return
    new = fr.number[COUNT]
    fr.sets[new, TAKEN] = 0
    ran, present, pinned = fr.sets[new, RAN], fr.sets[new, PRESENT], fr.sets[new, PINNED]
    pinned[:] = fr.sets[state, PINNED]
    segment = fr.state[state, SEGMENT]
    if tb.operation[KIND, o] == BORDER:
        segment += 1
        _pin(tb, segment, kept, pinned)
    _after(tb, fr, state, o, kept, taken, ran, present)
    found = np.empty((3, tb.setting[WORDS]), dtype=np.int64)
    cost = excess + rerun_cost(tb, ran, present, found)
    if cost > fr.number[LIMIT]:
        return
    key = cost + knapsack_cost(tb, ran, found[RERUN], fr.number[LIMIT] - cost)
    if key > fr.number[LIMIT]:
        return
    _drop_useless(tb, present, pinned, found[USEFUL])
    first = 0 if has(fr.sets[state, RAN], o) else 1
    fr.state[new, EXCESS] = excess
    fr.state[new, KEY] = max(key, fr.state[state, KEY])
    fr.state[new, LIVE] = live_bytes(tb, present)
    fr.state[new, PARENT] = state
    fr.state[new, MOVE] = o
    fr.state[new, SEGMENT] = segment
    fr.state[new, FIRSTS] = fr.state[state, FIRSTS] + first
    fr.state[new, DEAD] = 0
    fr.state[new, TARGET] = -1
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
