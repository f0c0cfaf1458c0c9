"""Assignments from dear in bytes to dear in cost: those that are best at some price of a byte."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retrograde.graph import Graph
from retrograde.graph.choosing import groups
from retrograde.planning.choices.bundles import Bundle, Bundles, with_assignment
from retrograde.planning.lowering import Schedule, lower
from retrograde.planning.strategies import store_all
from retrograde.planning.strategies.options import Options

Assignment = tuple[tuple[int, int], ...]
"""Pairs (choosing operation, choice), one for each, by operation."""


def ladder(graph: Graph, budget_bytes: int | None) -> list[Assignment]:
    """Assignments from the cheapest to the smallest, each best at some price of a byte for a moment.

    Bytes count where the given order, run by the cheapest choices, is above the budget; everywhere if it is
    nowhere. The first rung has the cheapest choices, the last has the smallest.

    Args:
        graph: a graph with choices.
        budget_bytes: the budget; None for no limit.
    """
    first = cheapest(graph)
    bundles = Bundles(graph, given_schedule(graph))
    above = bundles.live > (budget_bytes or 0)
    weight = (above if above.any() else np.ones_like(above)).astype(float)
    weighed = np.concatenate([[0.0], np.cumsum(weight + 1e-6)])
    rung = dict(first)
    rungs = [first]
    steps: list[tuple[float, int, int]] = []
    for bundle in bundles.bundles:
        steps += _slopes(bundle, _areas(bundle, weighed), rung[bundle.chooser])
    for _, chooser, choice in sorted(steps, key=lambda step: step[0]):
        rung[chooser] = choice
        rungs.append(_frozen(rung))
    return list(dict.fromkeys(rungs))


def given_schedule(graph: Graph) -> Schedule:
    """The given order, each operation once and by its cheapest choice."""
    assignment = dict(cheapest(graph))
    settled = graph.with_choices(assignment)
    (order,) = store_all.candidates(settled, Options())
    return with_assignment(graph, lower(settled, order), assignment)


def cheapest(graph: Graph) -> Assignment:
    """For each choosing operation the choice that costs least together with those that follow; the first of equals."""
    return _frozen({leader: _least(_group_costs(graph, members)) for leader, members in groups(graph).items()})


def _group_costs(graph: Graph, members: list[int]) -> list[float]:
    count = len(graph.operations[members[0]].choices)
    return [sum(graph.operation_cost(member, k) for member in members) for k in range(count)]


def _least(costs: list[float]) -> int:
    return min(range(len(costs)), key=costs.__getitem__)


def _frozen(assignment: Mapping[int, int]) -> Assignment:
    return tuple(sorted(assignment.items()))


def _areas(bundle: Bundle, weighed: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Bytes times moments that each choice takes, weighed."""
    return [
        float(sum(int(sizes[k]) * (weighed[end] - weighed[begin]) for begin, end, sizes in bundle.pieces))
        for k in range(len(bundle.costs))
    ]


def _slopes(bundle: Bundle, areas: list[float], first: int) -> list[tuple[float, int, int]]:
    """The lower hull of cost over bytes, from the cheapest on: (cost for a byte, chooser, choice), rising."""
    now, steps = first, list[tuple[float, int, int]]()
    while True:
        smaller = [k for k in range(len(areas)) if areas[k] < areas[now]]
        if not smaller:
            return steps
        slope, _, following = min(
            ((bundle.costs[k] - bundle.costs[now]) / (areas[now] - areas[k]), areas[k], k) for k in smaller
        )
        steps.append((slope, bundle.chooser, following))
        now = following
