"""Cases: where a relaxation does things by halves, prove more by telling apart what is done and what is not."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from retrograde.planning.certificate.exact import Certificate, Leaf, Prices, prove_leaf
from retrograde.planning.certificate.relaxation import Relaxation
from retrograde.planning.certificate.solver import Solution, solve
from retrograde.planning.certificate.structure import NOBODY, Reals

_WHOLE = 1e-6


@dataclass(order=True)
class _Case:
    """A case that may be divided further; those that prove least come first."""

    proved: Fraction
    number: int
    leaf: Leaf = field(compare=False)
    divides: int | None = field(compare=False)
    prices: Prices = field(compare=False)


def branch(
    relaxation: Relaxation, budget_bytes: int, programs: int, *, in_order: bool = False, deadline: float | None = None
) -> Certificate | None:
    """A certificate by cases, or None where the solver gave up at once.

    The case that proves least is divided, again and again: what is proved is what all cases prove.

    Args:
        relaxation: the rows.
        budget_bytes: the budget.
        programs: linear programs that may be solved.
        in_order: whether the relaxation is for first runs in the given order.
        deadline: when to stop, on the clock of ``time.monotonic``; None for never.

    Method: branch and bound, best bound first (Land and Doig, 1960).
    """
    weights = _weights(relaxation)
    root = solve(relaxation, budget_bytes)
    if root is None:
        return None
    cases = [_case(relaxation, budget_bytes, (), root, root.prices, weights, 0)]
    for number in range(1, programs - 1, 2):
        case = cases[0]
        if case.divides is None or (deadline is not None and time.monotonic() > deadline):
            break
        heapq.heappop(cases)
        for value in (0, 1):
            fixed = (*case.leaf.fixed, (case.divides, value))
            found = solve(relaxation, budget_bytes, fixed=fixed)
            if found is None:
                found = solve(relaxation, budget_bytes, fixed=fixed, elastic=True)
            new = _case(relaxation, budget_bytes, fixed, found, case.prices, weights, number + value)
            heapq.heappush(cases, new)
    operations = tuple(cut.operation for cut in relaxation.cuts)
    return Certificate(operations, tuple(case.leaf for case in cases), in_order)


def _case(
    relaxation: Relaxation,
    budget_bytes: int,
    fixed: tuple[tuple[int, int], ...],
    found: Solution | None,
    inherited: Prices,
    weights: Reals,
    number: int,
) -> _Case:
    """A case with the prices that were found for it, or with those of the case that it is part of."""
    prices = found.prices if found is not None else inherited
    leaf = prove_leaf(relaxation, prices, fixed)
    proved = leaf.constant_cost - leaf.cost_per_byte * budget_bytes
    divides = _most_divided(found.values, weights) if found is not None else None
    return _Case(proved, number, leaf, divides, prices)


def _most_divided(values: Reals, weights: Reals) -> int | None:
    """The variable that is furthest from 0 and 1 for its weight; None if none is in between."""
    distance = np.minimum(values, 1 - values)
    if not len(distance) or distance.max() <= _WHOLE:
        return None
    return int(np.argmax(np.where(distance > _WHOLE, distance * weights, -1.0)))


def _weights(relaxation: Relaxation) -> Reals:
    """What a variable moves: bytes for a storage, cost for what runs again, little for what had run."""
    structure = relaxation.structure
    costs = np.append(structure.costs, 0.0)
    paid = costs[np.where(relaxation.paid == NOBODY, -1, relaxation.paid)]
    sizes = structure.scaled_sizes[relaxation.live_storage]
    rest = relaxation.variables - len(paid) - len(sizes)
    weights = [part / max(float(part.max(initial=0.0)), 1e-300) for part in (paid, sizes)]
    return np.concatenate([0.2 * weights[0], weights[1], np.full(rest, 0.5)]) + 1e-6
