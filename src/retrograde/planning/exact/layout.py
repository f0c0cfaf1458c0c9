"""How the arrays of the exact search are laid out: what never changes (``Tables``) and what grows (``Frontier``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

BITS, SHIFT, MASK = 64, 6, 63
"""Bits of each word of a set: two to the power of SHIFT, and one less than that."""

# Rows of Tables.sets: for each operation a set of items, then of storages.
READS, MAKES, ALLOCATES, TOUCHES = range(4)

# Rows of Tables.operation.
COST, WORKSPACE, SINCE, KIND, AGAIN, FLEETING, PAIRS = range(7)

# Kinds of operation.
PLAIN, BORDER, END = range(3)

# Rows of Tables.storage. PRICE is the share in the cost of making it again; BARGAIN has all storages from cheap bytes
# to dear ones, BY_SIZE from large to small, and RANK the place of each in the latter.
SIZE, PRICE, BARGAIN, BY_SIZE, RANK = range(5)

# Entries of Tables.setting.
OPERATIONS, STORAGES, WORDS, RETAIN, GIVEN_ORDER, BUDGET, GUARDS = range(7)

# Rows of Tables.guard: the operation, the bytes that it leaves to others, where its entries begin, its bound at first.
GUARD, ROOM, ENTRIES, MOST = range(4)

# Rows of Tables.entry: what may be held beside a guard's operation. PRICE is the cost share of a recomputation.
ENTRY_STORAGE, ENTRY_MAKER, ENTRY_BYTES, ENTRY_PRICE = range(4)

# Rows of Frontier.sets. TAKEN has the storages, both sides, of the overwrites that an intent has chosen.
RAN, PRESENT, PINNED, TAKEN = range(4)

# Columns of Frontier.state.
EXCESS, KEY, LIVE, PARENT, MOVE, SEGMENT, FIRSTS, LINK, DEAD, TARGET, CHOICE = range(11)

# Entries of Frontier.number. SLOPE is by how much a state comes earlier for each operation that ran: 0 in a proof.
COUNT, HEAPED, EXPANDED, GOAL, LIMIT, OVERFLOWED, SLOPE = range(7)

# Outcomes of a slice of the search.
EXHAUSTED, PAUSED, FULL = range(3)

UNREACHABLE = 1 << 61
"""A cost above every real one."""


class Tables(NamedTuple):
    """The problem as the kernels see it.

    Operations are numbered in the given order; borders between segments and the end stand among them. An item is
    what one operation makes in one storage: it is there or not. Sets are rows of words.

    Attributes:
        sets: for each operation the items it reads and makes, the storages it allocates and those it reads from.
        operation: for each operation its cost, workspace, segment, kind, whether it may run twice, whether what it
            makes takes no bytes afterwards, where its entries in ``pairs`` begin.
        storage: for each storage its bytes and its price, and two orders of all of them.
        members: for each storage the set of its items.
        pins: for each segment the set of storages that were handed over when it begins.
        pairs: storages (made, read) of which the one made may take the place of the one read.
        fixed: bytes of each segment that are live whatever the plan does.
        guard: operations at whose first run a knapsack bound is taken, hardest first.
        entry: what each guard's knapsack may hold.
        setting: sizes and switches.
    """

    sets: Integers
    operation: Integers
    storage: Integers
    members: Integers
    pins: Integers
    pairs: Integers
    fixed: Integers
    guard: Integers
    entry: Integers
    setting: Integers


class Frontier(NamedTuple):
    """The states met so far, and which of them wait.

    An intent is a state, too: one that makes room for an operation, its target, storage by storage. Its next choices
    are those from ``CHOICE`` on: to drop a storage, or (after all storages) one of the target's pairs.

    Attributes:
        sets: for each state what ran, which items are present, which storages are pinned, and what is taken over.
        state: for each state the columns named above.
        heap: keys and ties of the states that wait, as a binary heap.
        buckets: heads of the lists of states with the same operations run and storages pinned.
        number: counters.
    """

    sets: Integers
    state: Integers
    heap: Integers
    buckets: Integers
    number: Integers


def new_frontier(states: int, words: int) -> Frontier:
    """An empty frontier with room for a number of states."""
    buckets = 1 << max(10, (2 * states - 1).bit_length())
    return Frontier(
        np.zeros((states, 4, words), dtype=np.int64),
        np.zeros((states, 11), dtype=np.int64),
        np.zeros((states, 2), dtype=np.int64),
        np.full(buckets, -1, dtype=np.int64),
        np.zeros(8, dtype=np.int64),
    )


def grown(old: Frontier) -> Frontier:
    """The same frontier with twice the room; its buckets are as they were."""
    states, _, words = old.sets.shape
    new = new_frontier(2 * states, words)
    new.sets[:states] = old.sets
    new.state[:states] = old.state
    new.heap[:states] = old.heap
    new.number[:] = old.number
    return new._replace(buckets=old.buckets)


def words_of(bits: Iterable[int], words: int) -> list[int]:
    """A set as words."""
    row = [0] * words
    for bit in bits:
        row[bit >> SHIFT] |= 1 << (bit & MASK)
    return [word - (1 << BITS) if word >> MASK else word for word in row]


def bits_of(row: Iterable[int]) -> list[int]:
    """The members of a set given as words."""
    found: list[int] = []
    for index, word in enumerate(row):
        rest = int(word) & ((1 << BITS) - 1)
        while rest:
            lowest = rest & -rest
            found.append(index * BITS + lowest.bit_length() - 1)
            rest ^= lowest
    return found
