"""Which cuts to take: many single ones are ranked and tried, then more are added where one alone is loose."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from retrograde.analysis.working_sets import working_sets
from retrograde.errors import UsageError
from retrograde.graph.footprint import store_all_live_bytes
from retrograde.planning.certificate.branching import branch
from retrograde.planning.certificate.cuts import Cut, cut_at
from retrograde.planning.certificate.exact import Certificate, certify_prices
from retrograde.planning.certificate.relaxation import relax
from retrograde.planning.certificate.solver import solve
from retrograde.planning.certificate.spilling import Channel
from retrograde.planning.certificate.structure import NOBODY, Integers, Structure

_PROBED = 400_000
_FEWEST_PROBES = 64
_MOST_ROWS = 12_000
_SINGLE_CUTS = 40
_FEWER_CUTS = 8
_FEWEST_CASES = 8
_BRANCHED_ROWS = 60_000
_WORTH_ANOTHER_CUT = 1.001
_WORTH_ANOTHER_BUDGET = 1e-4


@dataclass(frozen=True)
class Effort:
    """How much is tried; the same graph, budgets and effort always give the same bounds.

    Attributes:
        single_cuts: linear programs over one cut, for a budget; None for a number that suits the size of the graph.
        more_cuts: most cuts that are taken together.
        added_cuts: linear programs to choose each cut that is added.
        cases: linear programs to tell cases apart, for the best cuts; fewer where they are large.
        time_limit: seconds after which what is proved so far has to do, or None.

    Raises:
        UsageError: a number that means nothing.
    """

    single_cuts: int | None = None
    more_cuts: int = 3
    added_cuts: int = 10
    cases: int = 100
    time_limit: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("single_cuts", 1), ("more_cuts", 1), ("added_cuts", 0), ("cases", 0)):
            number = getattr(self, name)
            if number is not None and (not isinstance(number, int) or number < least):
                raise UsageError(f"effort: {name} must be an int of {least} or more, found {number!r}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise UsageError(f"effort: time_limit must be None or seconds above 0, found {self.time_limit!r}")


class CutSearch:
    """Looks for the certificates that prove most for some budgets.

    Args:
        structure: of the graph.
        effort: how much to try.
        in_order: whether first runs follow the given order.
        channel: the slower tiers that schedules may use.
    """

    def __init__(
        self, structure: Structure, effort: Effort, *, in_order: bool = False, channel: Channel | None = None
    ) -> None:
        self.structure = structure
        self.effort = effort
        self.in_order = in_order
        self.channel = channel
        self.found: list[Certificate] = []
        self.tried: dict[tuple[tuple[int, ...], int], Fraction] = {}
        self.cuts: dict[int, Cut] = {}
        self.deadline = None if effort.time_limit is None else time.monotonic() + effort.time_limit
        small = len(structure.needs.storage) <= _MOST_ROWS
        self.single_cuts = effort.single_cuts or (_SINGLE_CUTS if small else _SINGLE_CUTS // 2)
        self.sizes = np.array([float(s) for s in structure.sizes])
        self.frontier = np.array(store_all_live_bytes(structure.graph), dtype=np.float64)
        self.candidates = self._candidates()
        live = [self._certain_bytes(self.cut(o)) for o in self.candidates.tolist()]
        self.certain_bytes = np.array(live, dtype=np.float64)

    def cut(self, operation: int) -> Cut:
        """The cut at an operation, computed once."""
        if operation not in self.cuts:
            self.cuts[operation] = cut_at(self.structure, operation, in_order=self.in_order)
        return self.cuts[operation]

    def best(self, budget_bytes: int) -> Certificate | None:
        """Of all certificates found the one that proves most for a budget; None if none proves anything."""
        best = max(self.found, key=lambda c: c.extra_cost(budget_bytes), default=None)
        return best if best is not None and best.extra_cost(budget_bytes) > 0 else None

    def seconds_left(self) -> float | None:
        """Seconds until the time is up; None for no limit."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def search(self, budget_bytes: int, *, like: Sequence[int] = ()) -> None:
        """Look for certificates for one budget; with less work where others close by are known already."""
        best = self._known_cuts(budget_bytes, like) if like else self._single_cuts(budget_bytes)
        if self.channel is None:
            longest = self._more_cuts(best, budget_bytes) if best is not None else self._fullest(budget_bytes)
            for chain in dict.fromkeys([longest, best]):
                if chain is not None:
                    self._branch(chain, budget_bytes, self.effort.cases // (4 if like else 1))

    def search_all(self, budgets: Iterable[int]) -> None:
        """Look for certificates for many budgets; those between two that agree are left out.

        What one chain of cuts proves without cases is convex in the budget, so that between two budgets the chord
        is the most that more work on it can give.
        """
        wanted = sorted(set(budgets))
        waiting = [(0, len(wanted) - 1)]
        for end in dict.fromkeys([len(wanted) - 1, 0]):
            self.search(wanted[end])
        while waiting:
            low, high = waiting.pop()
            middle = (low + high) // 2
            if middle == low or self._is_settled(wanted[low], wanted[middle], wanted[high]):
                continue
            self.search(wanted[middle], like=(wanted[low], wanted[high]))
            waiting += [(low, middle), (middle, high)]

    def _is_settled(self, low: int, middle: int, high: int) -> bool:
        share = Fraction(middle - low, high - low)
        chord = self._proved(low) * (1 - share) + self._proved(high) * share
        return float(chord - self._proved(middle)) <= _WORTH_ANOTHER_BUDGET * float(self.structure.base_cost)

    def _proved(self, budget_bytes: int) -> Fraction:
        best = self.best(budget_bytes)
        return best.extra_cost(budget_bytes) if best is not None else Fraction(0)

    # One cut

    def _candidates(self) -> Integers:
        """Operations worth a look: some on a longest path, those with much to hold, those where most is live."""
        structure = self.structure
        most = max(_FEWEST_PROBES, _PROBED // max(1, structure.count))
        path = structure.order if self.in_order else structure.path
        spaced = path[np.unique(np.linspace(0, len(path) - 1, min(len(path), most)).astype(np.int64))]
        sets = np.array([float(b) for b in working_sets(structure.graph)])
        largest = np.argsort(-sets, kind="stable")[: most // 4]
        fullest = structure.order[np.argsort(-self.frontier, kind="stable")[: most // 4]]
        chosen = np.unique(np.concatenate([spaced, largest, fullest]))
        return chosen[np.argsort(structure.position[chosen])]

    def _certain_bytes(self, cut: Cut) -> float:
        """Bytes at a cut if nothing ran again: where they fit the budget, the cut proves nothing."""
        needs = self.structure.needs
        existed = np.where(needs.witness == NOBODY, needs.arrival <= cut.segment, cut.before[needs.witness])
        storages = np.unique(needs.storage[existed & cut.after[needs.reader] & ~cut.held[needs.storage]])
        return float(cut.taken_bytes) + float(self.sizes[storages].sum())

    def _single_cuts(self, budget_bytes: int) -> tuple[int, ...] | None:
        """Try single cuts: those with most certain bytes, some evenly spaced, and neighbours of the best."""
        above = np.flatnonzero(self.frontier[self.structure.position[self.candidates]] > budget_bytes)
        if not len(above):
            return None
        third = max(1, self.single_cuts // 3)
        largest = above[np.argsort(-self.certain_bytes[above], kind="stable")][:third]
        spaced = above[np.unique(np.linspace(0, len(above) - 1, third + 2).astype(np.int64)[1:-1])]
        values: dict[int, Fraction] = {}
        for place in dict.fromkeys([*largest.tolist(), *spaced.tolist()]):
            values[place] = self._try((int(self.candidates[place]),), budget_bytes)
        for _ in range(self.single_cuts - len(values)):
            place = self._neighbour(values, above)
            if place is None:
                break
            values[place] = self._try((int(self.candidates[place]),), budget_bytes)
        best = max(values, key=lambda place: values[place])
        return (int(self.candidates[best]),) if values[best] > 0 else None

    def _known_cuts(self, budget_bytes: int, like: Sequence[int]) -> tuple[int, ...] | None:
        """Try the cuts that were best, alone, for other budgets."""
        values: dict[tuple[int, ...], Fraction] = {}
        for other in like:
            tried = [chain for chain, budget in self.tried if budget == other and len(chain) == 1]
            tried.sort(key=lambda chain: -self.tried[chain, other])
            for chain in tried[: max(1, self.single_cuts // _FEWER_CUTS)]:
                values[chain] = self._try(chain, budget_bytes)
        best = max(values, key=lambda chain: values[chain], default=None)
        return best if best is not None and values[best] > 0 else None

    def _neighbour(self, values: dict[int, Fraction], above: Integers) -> int | None:
        """Half-way between the best place and the nearest one tried on the side with more certain bytes."""
        best = max(values, key=lambda place: values[place])
        tried = np.array(sorted(values))
        index = int(np.searchsorted(tried, best))
        low = int(tried[index - 1]) if index else -1
        high = int(tried[index + 1]) if index + 1 < len(tried) else len(self.candidates)
        between = above[(above > low) & (above < high) & (above != best)]
        if not len(between):
            return None
        return int(between[np.argmax(self.certain_bytes[between])])

    # More cuts

    def _more_cuts(self, chain: tuple[int, ...], budget_bytes: int) -> tuple[int, ...]:
        """Add cuts to the best one while that proves more; the longest chain that did."""
        while len(chain) < self.effort.more_cuts and self._can_afford(len(chain) + 1):
            values = {c: self._try(c, budget_bytes) for c in self._longer(chain)}
            best = max(values, key=lambda c: values[c], default=None)
            if best is None or values[best] < self.tried[chain, budget_bytes] * Fraction(_WORTH_ANOTHER_CUT):
                break
            chain = best
        return chain

    def _fullest(self, budget_bytes: int) -> tuple[int, ...] | None:
        """The cut with most certain bytes, if they are above the budget."""
        place = int(np.argmax(self.certain_bytes)) if len(self.candidates) else None
        if place is None or self.certain_bytes[place] <= budget_bytes:
            return None
        return (int(self.candidates[place]),)

    def _branch(self, chain: tuple[int, ...], budget_bytes: int, cases: int) -> None:
        """Divide into cases what a chain of cuts leaves halved."""
        relaxation = relax(self.structure, [self.cut(o) for o in chain])
        programs = min(cases, _BRANCHED_ROWS // max(1, len(relaxation.least)))
        left = self.seconds_left()
        if programs < _FEWEST_CASES or not len(relaxation.least) or (left is not None and left <= 0):
            return
        found = branch(relaxation, budget_bytes, programs, in_order=self.in_order, deadline=self.deadline)
        if found is not None:
            self.found.append(found)

    def _can_afford(self, cuts: int) -> bool:
        return len(self.structure.needs.storage) * cuts * (cuts + 1) // 2 <= _MOST_ROWS

    def _longer(self, chain: Sequence[int]) -> list[tuple[int, ...]]:
        """Chains with one more cut, evenly spaced over the operations that fit in somewhere."""
        fitting: list[tuple[int, ...]] = []
        for operation in self.candidates.tolist():
            place = sum(bool(self.cut(operation).before[other]) for other in chain)
            behind = chain[place:]
            if operation not in chain and all(self.cut(other).before[operation] for other in behind):
                fitting.append((*chain[:place], operation, *behind))
        spaced = np.unique(np.linspace(0, len(fitting) - 1, self.effort.added_cuts + 2).astype(np.int64)[1:-1])
        return [fitting[i] for i in spaced] if fitting else []

    def _try(self, chain: tuple[int, ...], budget_bytes: int) -> Fraction:
        """What a chain of cuts proves for a budget."""
        key = (chain, budget_bytes)
        if key not in self.tried:
            left = self.seconds_left()
            is_over = left is not None and left <= 0
            self.tried[key] = Fraction(0) if is_over else self._solve(chain, budget_bytes, left)
        return self.tried[key]

    def _solve(self, chain: tuple[int, ...], budget_bytes: int, seconds: float | None) -> Fraction:
        relaxation = relax(self.structure, [self.cut(o) for o in chain])
        if not len(relaxation.least):
            return Fraction(0)
        found = solve(relaxation, budget_bytes, channel=self.channel, time_limit=seconds)
        if found is None:
            return Fraction(0)
        certificate = certify_prices(relaxation, found.prices, in_order=self.in_order, channel=self.channel)
        self.found.append(certificate)
        return certificate.extra_cost(budget_bytes)
