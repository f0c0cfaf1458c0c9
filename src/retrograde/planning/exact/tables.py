"""An instance as the arrays that the kernels take: whole numbers for costs, knapsack bounds, sets as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from retrograde.errors import UsageError
from retrograde.planning.exact.guards import Guard, guards_of, makers_of
from retrograde.planning.exact.instance import Instance
from retrograde.planning.exact.layout import BITS, PLAIN, UNREACHABLE, Integers, Tables, words_of

MOST_COST = 1 << 60
"""Whole costs are scaled so that all of them together stay below."""

MOST_BYTES = 1 << 61


@dataclass(frozen=True)
class Costs:
    """Costs as whole numbers of a quantum, rounded down where they are not exact.

    Attributes:
        whole: for each step.
        quantum: what 1 stands for, in the graph's unit.
        is_exact: whether nothing was rounded.
        again: for each step whether running it twice could pay.
    """

    whole: tuple[int, ...]
    quantum: Fraction
    is_exact: bool
    again: tuple[bool, ...]


def no_costs(instance: Instance) -> Costs:
    """Every operation for nothing: what asks whether there is any schedule at all."""
    count = len(instance.steps)
    return Costs((0,) * count, Fraction(1), True, tuple(step.recomputable for step in instance.steps))


def whole_costs(instance: Instance, ceiling: Fraction) -> Costs:
    """Costs in whole numbers, for schedules that spend less than a ceiling on recomputation.

    What costs more than the ceiling is not run twice; the rest is scaled exactly if 60 bits are enough, and rounded
    down to a quantum of at most the ceiling's 2⁻⁵⁰th part otherwise.
    """
    costs = [Fraction(step.cost) for step in instance.steps]
    again = tuple(step.recomputable and cost < ceiling for step, cost in zip(instance.steps, costs, strict=True))
    kept = [cost if may else Fraction(0) for cost, may in zip(costs, again, strict=True)]
    denominator = max((cost.denominator for cost in (*kept, ceiling)), default=1)
    total = sum(kept) + ceiling
    quantum = Fraction(1, denominator)
    if total / quantum >= MOST_COST:
        quantum = Fraction(2) ** (int(total).bit_length() - 59) if total >= 1 else _small_quantum(total)
    whole = tuple(int(cost / quantum) for cost in kept)
    is_exact = all(w * quantum == cost for w, cost in zip(whole, kept, strict=True))
    return Costs(whole, quantum, is_exact, again)


def _small_quantum(total: Fraction) -> Fraction:
    bits = (total.denominator // max(1, total.numerator)).bit_length()
    return Fraction(1, 1 << (bits + 57))


def tables_of(instance: Instance, budget_bytes: int, costs: Costs, *, given_order: bool) -> Tables:
    """The arrays of an instance for a budget.

    Raises:
        UsageError: the bytes of all storages together do not fit into 61 bits.
    """
    sizes, workspaces, fixed, budget = whole_bytes(instance, budget_bytes)
    words = 1 + max(len(instance.steps), len(instance.item_storage), len(sizes)) // BITS
    pairs = [pair for step in instance.steps for pair in step.pairs]
    bounds = [len(step.pairs) for step in instance.steps]
    guards = guards_of(instance, costs.whole, costs.again, (sizes, workspaces, fixed, budget), given_order)
    members: list[list[int]] = [[] for _ in sizes]
    for item, storage in enumerate(instance.item_storage):
        members[storage].append(item)
    operation = np.zeros((7, len(instance.steps) + 1), dtype=np.int64)
    steps = instance.steps
    fleeting = _fleeting(instance, sizes)
    for row, column in enumerate(
        (costs.whole, workspaces, [s.segment for s in steps], [s.kind for s in steps], costs.again, fleeting)
    ):
        operation[row, : len(steps)] = column
    operation[6, 1:] = np.cumsum(bounds)
    sets = [[words_of(members, words) for members in (s.reads, s.makes, s.allocates, sorted(s.touches))] for s in steps]
    setting = [len(steps), len(sizes), words, int(instance.retain), int(given_order), budget, len(guards)]
    guard, entry = _guard_arrays(guards)
    return Tables(
        np.array(sets, dtype=np.int64),
        operation,
        _storage_rows(instance, costs, sizes),
        np.array([*(words_of(m, words) for m in members), [0] * words], dtype=np.int64),
        np.array([words_of(pins, words) for pins in instance.pins], dtype=np.int64),
        np.array(pairs, dtype=np.int64).reshape(-1, 2).T.copy(),
        np.array(fixed, dtype=np.int64),
        guard,
        entry,
        np.array(setting, dtype=np.int64),
    )


def _storage_rows(instance: Instance, costs: Costs, sizes: Sequence[int]) -> Integers:
    """The rows of ``Tables.storage``."""
    makers = makers_of(instance)
    shares = [sum(1 for s in step.allocates if sizes[s]) for step in instance.steps]
    prices = [
        costs.whole[maker] // max(1, shares[maker]) if maker >= 0 and costs.again[maker] else UNREACHABLE
        for maker in makers
    ]
    bargains = sorted(range(len(sizes)), key=lambda s: (prices[s] / max(1, sizes[s]), s))
    by_size = sorted(range(len(sizes)), key=lambda s: (-sizes[s], s))
    ranks = [0] * len(sizes)
    for rank, storage in enumerate(by_size):
        ranks[storage] = rank
    return np.array([[*row, 0] for row in (sizes, prices, bargains, by_size, ranks)], dtype=np.int64)


def whole_bytes(instance: Instance, budget_bytes: int) -> tuple[list[int], list[int], list[int], int]:
    """Bytes of storages, steps and segments, and the budget; cut off above the budget, where more changes nothing.

    Raises:
        UsageError: all of them together do not fit into 61 bits.
    """
    above = budget_bytes + 1
    sizes = [min(size, above) for size in instance.storage_bytes]
    workspaces = [min(step.workspace_bytes, above) for step in instance.steps]
    fixed = [min(size, above) for size in instance.fixed_bytes]
    budget = min(budget_bytes, sum(sizes) * 2 + max(workspaces) + max(fixed))
    if sum(sizes) * 2 + max(workspaces) + max(fixed) + budget >= MOST_BYTES:
        total = sum(instance.storage_bytes)
        raise UsageError(
            f"strategy 'optimal' counts bytes in 61 bits; the graph's storages have {total} bytes in all: give sizes "
            "in a larger unit, or use strategy 'auto'"
        )
    return sizes, workspaces, fixed, budget


def _fleeting(instance: Instance, sizes: Sequence[int]) -> list[bool]:
    """Whether all that a step makes lies in new storages that have no bytes or no reader."""
    read = {instance.item_storage[item] for step in instance.steps for item in step.reads}
    return [
        step.kind == PLAIN
        and all(
            (storage := instance.item_storage[item]) in step.allocates and (not sizes[storage] or storage not in read)
            for item in step.makes
        )
        for step in instance.steps
    ]


def _guard_arrays(guards: Sequence[Guard]) -> tuple[Integers, Integers]:
    guard = np.zeros((4, len(guards) + 1), dtype=np.int64)
    entries = [entry for g in guards for entry in g.entries]
    for column, g in enumerate(guards):
        guard[:, column] = (g.step, g.room_bytes, 0, g.most)
    guard[2, 1:] = np.cumsum([len(g.entries) for g in guards])
    return guard, np.array(entries, dtype=np.int64).reshape(-1, 4).T.copy()
