"""Knapsack bounds: what cannot be held beside the first run of an operation has to be computed again later.

When an operation first runs, whatever was made before it and is read for the first time by an operation that has to
come later is held, or made again afterwards. Holding the dearest bytes is a knapsack, and its relaxation is solved by
sorting (Dantzig, 1957).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.planning.exact.instance import Instance
from retrograde.planning.exact.layout import PLAIN, UNREACHABLE

_MOST_NODES = 2000

Sizes = tuple[Sequence[int], Sequence[int], Sequence[int], int]
"""Bytes of storages, workspaces, segments, and the budget."""


@dataclass(frozen=True)
class Guard:
    """A knapsack at the first run of one step.

    Attributes:
        step: the step.
        room_bytes: what the step leaves of the budget; below 0 when it does not fit by itself.
        entries: storage, step that makes it (-1 if nothing can make it again), bytes, and price of making it again;
            the cheapest byte first.
        most: the bound while nothing has to be made again anyway.
    """

    step: int
    room_bytes: int
    entries: tuple[tuple[int, int, int, int], ...]
    most: int


def guards_of(
    instance: Instance, costs: Sequence[int], again: Sequence[bool], sizes: Sizes, given_order: bool
) -> list[Guard]:
    """The knapsacks of an instance that bound something, hardest first."""
    before = _before_in_order(instance) if given_order else _ancestors(instance)
    after = [[o for o in range(len(instance.steps)) if t in before[o]] for t in range(len(instance.steps))]
    makers = makers_of(instance)
    guards: list[Guard] = []
    for t, step in enumerate(instance.steps):
        if step.kind == PLAIN and t >= instance.ran:
            later = {instance.item_storage[item] for o in after[t] for item in instance.steps[o].reads}
            beside = [s for s, maker in enumerate(makers) if maker in before[t] and s in later]
            entries = _entries(instance, t, beside, makers, (costs, again, sizes[0]))
            room = _room(instance, t, sizes)
            most = _knapsack(entries, room)
            if most:
                guards.append(Guard(t, room, entries, most))
    return sorted(guards, key=lambda guard: (-guard.most, guard.step))


def _before_in_order(instance: Instance) -> list[set[int]]:
    return [set(range(t)) for t in range(len(instance.steps))]


def _ancestors(instance: Instance) -> list[set[int]]:
    """For each step those that certainly ran when it first runs."""
    maker_of_item = {item: t for t, step in enumerate(instance.steps) for item in step.makes}
    ancestors: list[set[int]] = []
    last = len(instance.steps) - 1
    borders: dict[int, int] = {}
    for t, step in enumerate(instance.steps):
        found = set(range(min(t, instance.ran)))
        parents = {maker_of_item[item] for item in step.reads if item in maker_of_item}
        if step.kind == PLAIN:
            parents |= {b for segment, b in borders.items() if segment < step.segment}
        elif t < last:
            parents |= set(borders.values())
            borders[step.segment] = t
        for parent in parents:
            found |= ancestors[parent] | {parent}
        ancestors.append(found if t < last else set(range(last)))
    return ancestors


def makers_of(instance: Instance) -> list[int]:
    """For each storage the step that allocates it; -2 for those held before the call."""
    makers = [-2] * len(instance.storage_bytes)
    for t, step in enumerate(instance.steps):
        for storage in step.allocates:
            makers[storage] = t
    return makers


def _room(instance: Instance, t: int, sizes: Sizes) -> int:
    storages, workspaces, fixed, budget = sizes
    step = instance.steps[t]
    own = sum(storages[s] for s in step.touches | set(step.allocates))
    saved = sum(storages[s] for s in {read for _, read in step.pairs})
    return budget - max(0, own - saved) - workspaces[t] - min(fixed[max(step.segment, instance.segment) :])


def _entries(
    instance: Instance,
    t: int,
    beside: Sequence[int],
    makers: Sequence[int],
    known: tuple[Sequence[int], Sequence[bool], Sequence[int]],
) -> tuple[tuple[int, int, int, int], ...]:
    costs, again, sizes = known
    own = instance.steps[t].touches | set(instance.steps[t].allocates)
    entries: list[tuple[float, int, int, int, int]] = []
    for storage in beside:
        if storage in own or not sizes[storage]:
            continue
        maker = makers[storage]
        if not again[maker]:
            entries.append((float("inf"), storage, -1, sizes[storage], 0))
            continue
        shares = sum(1 for s in instance.steps[maker].allocates if sizes[s])
        price = costs[maker] // shares
        entries.append((price / sizes[storage], storage, maker, sizes[storage], price))
    return tuple(entry[1:] for entry in sorted(entries))


def _knapsack(entries: Sequence[tuple[int, int, int, int]], room: int) -> int:
    """The least price of entries that take as many bytes as there is no room for; a bound where that is hard."""
    over = sum(entry[2] for entry in entries) - room
    priced = [(size, price) for _, maker, size, price in entries if maker >= 0]
    if over <= 0:
        return 0
    if sum(size for size, _ in priced) < over:
        return UNREACHABLE
    found = _least_cover(priced, over)
    return _relaxed(priced, 0, over) if found is None else found


def _relaxed(entries: Sequence[tuple[int, int]], first: int, over: int) -> int:
    """The same where parts of entries may be taken, from an entry on: entries stand in the order of price by byte."""
    cost = 0
    for size, price in entries[first:]:
        if over <= 0:
            return cost
        cost += price if size <= over else int(price * (over / size) * (1 - 1e-9))
        over -= size
    return cost if over <= 0 else UNREACHABLE


def _least_cover(entries: Sequence[tuple[int, int]], over: int) -> int | None:
    """Branch and bound over entries that are taken or not; None when it takes too long (Horowitz & Sahni, 1974)."""
    best = UNREACHABLE
    waiting = [(0, over, 0)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return best
        first, left, cost = waiting.pop()
        if left <= 0:
            best = min(best, cost)
        elif first < len(entries) and cost + _relaxed(entries, first, left) < best:
            size, price = entries[first]
            if price:
                waiting.append((first + 1, left, cost))
            waiting.append((first + 1, left - size, cost + price))
    return None
