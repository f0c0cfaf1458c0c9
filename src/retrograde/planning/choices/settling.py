"""The best choices for a schedule that stays as it is: exact where there are few, else greedy and local."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np

from retrograde.planning.choices.bundles import Bundle, Bundles

MOST_TRIED = 2_048
"""Combinations of choices up to which all are tried."""

MOST_EXCHANGES = 400
"""Attempts to make one bundle cheaper and to pay for it with others."""


class Settling:
    """Choices for the bundles of one schedule under a budget, each change judged by the bytes above it.

    Args:
        bundles: the runs that share choices.
        budget_bytes: the budget; None for no limit.
    """

    def __init__(self, bundles: Bundles, budget_bytes: int | None) -> None:
        self.bundles = bundles.bundles
        self.budget_bytes = int(bundles.live.max(initial=0)) * 2 if budget_bytes is None else budget_bytes
        self.is_unlimited = budget_bytes is None
        self.live = bundles.live.copy()
        self.choice = list(bundles.choice)

    @property
    def cost(self) -> float:
        """The cost of all bundles."""
        return math.fsum(bundle.costs[k] for bundle, k in zip(self.bundles, self.choice, strict=True))

    @property
    def overload(self) -> float:
        """Bytes above the budget, summed over all moments."""
        return 0.0 if self.is_unlimited else float(np.maximum(self.live - self.budget_bytes, 0).sum(dtype=float))

    def settle(self) -> bool:
        """Look for the choices of least cost that keep the budget.

        Returns:
            Whether the choices now found keep it; ``choice`` has them either way.
        """
        combinations = math.prod(len(bundle.costs) for bundle in self.bundles)
        if combinations <= MOST_TRIED:
            return self._try_all()
        before = list(self.choice)
        fitted_before = self.overload == 0
        cost_before = self.cost
        self._take([_cheapest(bundle) for bundle in self.bundles])
        fits = self._repair(range(len(self.bundles)))
        if fits:
            self._polish()
            self._exchange()
        if fitted_before and (not fits or self.cost > cost_before):
            self._take(before)
            self._polish()
        return self.overload == 0

    # Moves

    def put(self, bundle: int, choice: int) -> None:
        """Let a bundle run by another choice."""
        old = self.choice[bundle]
        if old != choice:
            for begin, end, sizes in self.bundles[bundle].pieces:
                self.live[begin:end] += sizes[choice] - sizes[old]
            self.choice[bundle] = choice

    def _take(self, choices: Sequence[int]) -> None:
        for bundle, choice in enumerate(choices):
            self.put(bundle, choice)

    def _change(self, bundle: int, choice: int) -> float:
        """By how much the overload would grow if a bundle ran by another choice."""
        if self.is_unlimited:
            return 0.0
        old, change = self.choice[bundle], 0.0
        for begin, end, sizes in self.bundles[bundle].pieces:
            above = self.live[begin:end] - self.budget_bytes
            after = above + (sizes[choice] - sizes[old])
            change += float(np.maximum(after, 0).sum(dtype=float)) - float(np.maximum(above, 0).sum(dtype=float))
        return change

    # Searches

    def _try_all(self) -> bool:
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
        best: tuple[float, int, int] | None = None
        for choice in range(len(costs)):
            gain = -self._change(bundle, choice) if choice != old else 0
            if gain > 0:
                entry = ((costs[choice] - costs[old]) / gain, bundle, choice)
                best = entry if best is None else min(best, entry)
        return best

    def _polish(self) -> None:
        """Take cheaper choices wherever the budget allows it, the most saving first."""
        improved = True
        while improved:
            improved = False
            saving = [
                (self.bundles[i].costs[k] - self.bundles[i].costs[self.choice[i]], i, k)
                for i in range(len(self.bundles))
                for k in range(len(self.bundles[i].costs))
            ]
            for change, bundle, choice in sorted(saving):
                costs = self.bundles[bundle].costs
                if change >= 0:
                    break
                if costs[choice] < costs[self.choice[bundle]] and self._change(bundle, choice) <= 0:
                    self.put(bundle, choice)
                    improved = True

    def _exchange(self) -> None:
        """Make one bundle cheaper and let the others pay for it, as long as that costs less."""
        tried, improved = 0, True
        while improved and tried < MOST_EXCHANGES:
            improved = False
            for bundle in range(len(self.bundles)):
                costs = self.bundles[bundle].costs
                for choice in range(len(costs)):
                    if costs[choice] < costs[self.choice[bundle]] and tried < MOST_EXCHANGES:
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


def _cheapest(bundle: Bundle) -> int:
    total = [
        sum(int(sizes[k]) * (end - begin) for begin, end, sizes in bundle.pieces) for k in range(len(bundle.costs))
    ]
    return min(range(len(bundle.costs)), key=lambda k: (bundle.costs[k], total[k]))
