"""The best choices for a schedule that stays as it is: exact where there are few, else greedy and local."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

import numpy as np

from retrograde.planning.choices.bundles import Bundle, Bundles, Bytes

MOST_TRIED = 2_048
"""Combinations of choices up to which all are tried."""

MOST_EXCHANGES = 400
"""Attempts to make one bundle cheaper and to pay for it with others."""

EXCHANGED_PAIRS = 400_000
"""The same, times the bundles squared: an attempt takes the longer the more there are."""


class Settling:
    """Choices for the bundles of one schedule under a budget, each change judged by the bytes above it.

    Moments between which nothing that depends on a choice begins or ends are one cell, which stands at its highest.

    Args:
        bundles: the runs that share choices.
        budget_bytes: the budget; None for no limit.

    Attributes:
        choice: the choice of each bundle as it stands.
    """

    def __init__(self, bundles: Bundles, budget_bytes: int | None) -> None:
        self.bundles = bundles.bundles
        self.is_unlimited = budget_bytes is None
        self.choice = list(bundles.choice)
        ends = {at for bundle in self.bundles for begin, end, _ in bundle.pieces for at in (begin, end)}
        cuts = sorted(cut for cut in ends | {0} if cut < len(bundles.live))
        cell = {cut: number for number, cut in enumerate(cuts)} | {len(bundles.live): len(cuts)}
        highest = np.maximum.reduceat(bundles.live, cuts) if cuts else bundles.live
        self.above: Bytes = highest - (0 if budget_bytes is None else budget_bytes)
        self.stretches = [_stretches(bundle, cell) for bundle in self.bundles]

    @property
    def cost(self) -> float:
        """The cost of all bundles."""
        return math.fsum(bundle.costs[k] for bundle, k in zip(self.bundles, self.choice, strict=True))

    @property
    def overload(self) -> float:
        """Bytes above the budget, summed over all cells."""
        return 0.0 if self.is_unlimited else float(np.maximum(self.above, 0).sum(dtype=float))

    def settle(self, *, thorough: bool = True) -> bool:
        """Look for the choices of least cost that keep the budget.

        Args:
            thorough: whether to try exchanges as well, which take ten times as long as all else.

        Returns:
            Whether the choices now found keep it; ``choice`` has them either way.
        """
        combinations = math.prod(len(bundle.costs) for bundle in self.bundles)
        if combinations <= MOST_TRIED:
            return self.try_all()
        before = list(self.choice)
        fitted_before = self.overload == 0
        cost_before = self.cost
        self._take([_cheapest(bundle) for bundle in self.bundles])
        fits = self._repair(range(len(self.bundles)))
        if fits:
            self._polish()
        if fits and thorough:
            self._exchange()
        if fitted_before and (not fits or self.cost > cost_before):
            self._take(before)
            self._polish()
            if thorough:
                self._exchange()
        return self.overload == 0

    # Moves

    def put(self, bundle: int, choice: int) -> None:
        """Let a bundle run by another choice."""
        old = self.choice[bundle]
        if old != choice:
            first, widths, sizes = self.stretches[bundle]
            shift = np.repeat(sizes[choice] - sizes[old], widths)
            self.above[first : first + len(shift)] += shift
            self.choice[bundle] = choice

    def _take(self, choices: Sequence[int]) -> None:
        for bundle, choice in enumerate(choices):
            self.put(bundle, choice)

    def _changes(self, bundle: int) -> list[float]:
        """For each choice of a bundle by how much the overload would grow if it were taken."""
        first, widths, sizes = self.stretches[bundle]
        if self.is_unlimited or not len(widths):
            return [0.0] * len(self.bundles[bundle].costs)
        shift = np.repeat(sizes - sizes[self.choice[bundle]], widths, axis=1)
        after = np.maximum(self.above[first : first + shift.shape[1]] + shift, 0).sum(axis=1, dtype=float)
        return (after - after[self.choice[bundle]]).tolist()

    # Searches

    def try_all(self) -> bool:
        """Every combination, depth first; those that cost more than the best that fits are left out."""
        best: tuple[float, list[int]] | None = None
        least = [min(bundle.costs) for bundle in self.bundles]
        rest = [sum(least[i:]) for i in range(len(least) + 1)]
        given = list(self.choice)

        def descend(bundle: int, cost: float) -> None:
            nonlocal best
            if best is not None and cost + rest[bundle] >= best[0]:
                return
            if bundle == len(self.bundles):
                if self.overload == 0:
                    best = (cost, list(self.choice))
                return
            costs = self.bundles[bundle].costs
            for choice in sorted(range(len(costs)), key=costs.__getitem__):
                self.put(bundle, choice)
                descend(bundle + 1, cost + costs[choice])

        descend(0, 0.0)
        self._take(given if best is None else best[1])
        return best is not None

    def _repair(self, free: Sequence[int], frozen: int = -1) -> bool:
        """Make choices smaller, best bytes for their cost first, until the budget is kept."""
        queue = [entry for i in free if i != frozen and (entry := self._best_move(i)) is not None]
        heapq.heapify(queue)
        while queue and self.overload:
            _, bundle, _ = heapq.heappop(queue)
            now = self._best_move(bundle)
            if now is None:
                continue
            if queue and now > queue[0]:
                heapq.heappush(queue, now)
                continue
            self.put(bundle, now[2])
            following = self._best_move(bundle)
            if following is not None:
                heapq.heappush(queue, following)
        return self.overload == 0

    def _best_move(self, bundle: int) -> tuple[float, int, int] | None:
        """The change of a bundle that takes away most overload for its cost: (cost for a byte, bundle, choice)."""
        costs, old = self.bundles[bundle].costs, self.choice[bundle]
        gains = [(-change, choice) for choice, change in enumerate(self._changes(bundle))]
        entries = [((costs[choice] - costs[old]) / gain, bundle, choice) for gain, choice in gains if gain > 0]
        return min(entries, default=None)

    def _polish(self) -> None:
        """Take cheaper choices wherever the budget allows it, the most saving first."""
        saving = [
            (bundle.costs[k] - bundle.costs[self.choice[i]], i, k)
            for i, bundle in enumerate(self.bundles)
            for k in range(len(bundle.costs))
        ]
        for change, bundle, choice in sorted(saving):
            if change >= 0:
                return
            costs = self.bundles[bundle].costs
            if costs[choice] < costs[self.choice[bundle]] and self._changes(bundle)[choice] <= 0:
                self.put(bundle, choice)

    def _exchange(self) -> None:
        """Make one bundle cheaper and let the others pay for it, as long as that costs less."""
        most = min(MOST_EXCHANGES, EXCHANGED_PAIRS // len(self.bundles) ** 2)
        tried, improved = 0, True
        while improved and tried < most:
            improved = False
            for bundle in range(len(self.bundles)):
                costs = self.bundles[bundle].costs
                for choice in range(len(costs)):
                    if costs[choice] < costs[self.choice[bundle]] and tried < most:
                        tried += 1
                        improved = self._try_exchange(bundle, choice) or improved

    def _try_exchange(self, bundle: int, choice: int) -> bool:
        before, cost = list(self.choice), self.cost
        self.put(bundle, choice)
        if self._repair(range(len(self.bundles)), frozen=bundle):
            self._polish()
            if self.cost < cost - 1e-12 * abs(cost):
                return True
        self._take(before)
        return False


def _stretches(bundle: Bundle, cell: Mapping[int, int]) -> tuple[int, Bytes, Bytes]:
    """The first cell in which a bundle counts, the cells of each stretch from there on, and its bytes by choice."""
    widths: list[int] = []
    sizes: list[Bytes] = []
    first = now = cell[bundle.pieces[0][0]] if bundle.pieces else 0
    for begin, end, own in bundle.pieces:
        widths += [cell[begin] - now, cell[end] - cell[begin]]
        sizes += [np.zeros_like(own), own]
        now = cell[end]
    return (
        first,
        np.array(widths, dtype=np.int64),
        np.array(sizes, dtype=np.int64).reshape(len(widths), len(bundle.costs)).T,
    )


def _cheapest(bundle: Bundle) -> int:
    total = [
        sum(int(sizes[k]) * (end - begin) for begin, end, sizes in bundle.pieces) for k in range(len(bundle.costs))
    ]
    return min(range(len(bundle.costs)), key=lambda k: (bundle.costs[k], total[k]))
