"""A bound is a proof: checked in fractions, refused when tampered with, sound for extreme numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from oracle import Oracle
from training_graphs import gpt, unet

from retrograde import Graph, Operation, Storage, Value
from retrograde.errors import UsageError
from retrograde.planning.certificate import (
    Certificate,
    Effort,
    fixed_order_bound,
    overhead_bound,
    overhead_bounds,
    peak_bound,
    prove_infeasible,
)
from retrograde.planning.certificate.cuts import cut_at
from retrograde.planning.certificate.exact import Leaf, Prices, certify_prices
from retrograde.planning.certificate.relaxation import relax
from retrograde.planning.certificate.structure import Structure


def chain(costs: list[float], sizes: list[int]) -> Graph:
    """A chain of forward operations and its mirror, each of which reads the forward operation that it mirrors."""
    count = len(costs)
    edges = [(i, i + 1) for i in range(2 * count - 1)] + [(i, 2 * count - 1 - i) for i in range(count - 1)]
    return Graph.from_arrays(cost=[*costs, *costs[::-1]], bytes=[*sizes, *sizes[::-1]], edges=edges)


def proved_in_fractions(graph: Graph, certificate: Certificate, budget_bytes: int) -> Fraction:
    """The least that any case proves."""
    return min(proved_by_case(graph, certificate, leaf, budget_bytes) for leaf in certificate.leaves)


def proved_by_case(graph: Graph, certificate: Certificate, leaf: Leaf, budget_bytes: int) -> Fraction:
    """Weak duality, term by term: what the rows are worth, less what the variables do not cost."""
    structure = Structure(graph)
    relaxation = relax(structure, [cut_at(structure, o, in_order=certificate.in_order) for o in certificate.operations])
    unit, scale = structure.unit, structure.bytes_scale
    rows = [Fraction(price) * unit for price in np.asarray(leaf.prices.rows).tolist()]
    assert all(price >= 0 for price in rows)
    total = sum((price * least for price, least in zip(rows, relaxation.least.tolist(), strict=True)), Fraction(0))
    spare = [Fraction(0)] * relaxation.variables
    for variable, (span, operation) in enumerate(zip(relaxation.run_span, relaxation.run_operation, strict=True)):
        if span < len(relaxation.cuts):
            spare[variable] = Fraction(graph.operations[operation].cost)
    live = zip(relaxation.live_stage.tolist(), relaxation.live_storage.tolist(), strict=True)
    byte_prices = [Fraction(price) * unit / scale for price in leaf.prices.bytes]
    for place, (stage, storage) in enumerate(live):
        spare[relaxation.runs + place] = byte_prices[stage] * graph.storages[storage].bytes
    for row, column, sign in zip(relaxation.row, relaxation.column, relaxation.sign, strict=True):
        spare[column] -= rows[row] * int(sign)
    for price, cut in zip(byte_prices, relaxation.cuts, strict=True):
        total -= price * (budget_bytes - cut.taken_bytes)
    fixed = dict(leaf.fixed)
    given = (rest * fixed[v] if v in fixed else min(Fraction(0), rest) for v, rest in enumerate(spare))
    return total + sum(given, Fraction(0))


@pytest.mark.parametrize("graph", [gpt(3).graph, unet(3).graph], ids=["gpt", "unet"])
@pytest.mark.parametrize("share", [75, 50, 35])
def test_certificate_proves_its_bound_in_fractions(graph: Graph, share: int) -> None:
    budget = graph.store_all_peak_bytes * share // 100
    for bound in (overhead_bound(graph, budget), fixed_order_bound(graph, budget)):
        assert bound.certificate is not None
        proved = proved_in_fractions(graph, bound.certificate, budget)
        assert proved >= bound.certificate.extra_cost(budget) > 0
        assert Fraction(bound.overhead) <= proved / Fraction(graph.base_cost)
        assert bound.overhead == pytest.approx(float(proved) / graph.base_cost, rel=1e-6)


def test_tampered_certificates_are_refused() -> None:
    graph = gpt(3).graph
    certificate = overhead_bound(graph, graph.store_all_peak_bytes // 2, effort=Effort(cases=0)).certificate
    assert certificate is not None
    assert certificate.verify(graph)
    (leaf,) = certificate.leaves

    def is_accepted(**changes: object) -> bool:
        return replace(certificate, leaves=(replace(leaf, **changes),)).verify(graph)

    assert is_accepted()
    assert not is_accepted(constant_cost=leaf.constant_cost * Fraction(1000001, 1000000))
    assert not is_accepted(cost_per_byte=leaf.cost_per_byte / 2)
    assert not is_accepted(fixed=((0, 1),))
    rows = np.asarray(leaf.prices.rows)
    negative = rows.copy()
    negative[int(np.argmax(rows))] *= -1
    assert not is_accepted(prices=replace(leaf.prices, rows=negative))
    assert not is_accepted(prices=replace(leaf.prices, rows=rows[1:]))
    assert not replace(certificate, leaves=()).verify(graph)
    smaller = graph.with_storages([Storage(s.bytes // 2) for s in graph.storages])
    assert not certificate.verify(smaller)


def test_a_case_that_is_left_out_is_noticed() -> None:
    graph = chain([3.0, 1.0, 2.0, 2.0, 1.0], [3, 5, 4, 3, 5])
    budget = 16
    bound = overhead_bound(graph, budget)
    assert bound.certificate is not None
    leaves = bound.certificate.leaves
    assert len(leaves) > 2
    assert bound.overhead > overhead_bound(graph, budget, effort=Effort(cases=0)).overhead
    assert bound.certificate.verify(graph)
    for place in range(len(leaves)):
        assert not replace(bound.certificate, leaves=leaves[:place] + leaves[place + 1 :]).verify(graph)
    variable, value = leaves[0].fixed[-1]
    other = replace(leaves[0], fixed=(*leaves[0].fixed[:-1], (variable, 1 - value)))
    assert not replace(bound.certificate, leaves=(other, *leaves[1:])).verify(graph)


def test_nonsense_prices_prove_nothing_wrong() -> None:
    """Prices of any kind give a certificate that holds; good ones only make it worth more."""
    graph = chain([1.0] * 4, [1] * 4)
    structure = Structure(graph)
    relaxation = relax(structure, [cut_at(structure, 4)])
    rows = len(relaxation.least)
    oracle = Oracle(graph)
    generator = np.random.default_rng(0)
    for size in (1e-9, 0.1, 1.0, 1e9):
        noise = generator.uniform(-size, size, rows)
        certificate = certify_prices(relaxation, Prices(noise, (float(generator.uniform(-size, size)),)))
        assert certificate.verify(graph)
        for budget in range(3, 6):
            least = oracle.least_cost(budget)
            assert least is None or certificate.extra_cost(budget) <= least - graph.base_cost
    nothing = certify_prices(relaxation, Prices(np.full(rows, math.nan), (math.inf,)))
    assert nothing.extra_cost(3) == 0


def test_costs_far_apart() -> None:
    graph = chain([1e-12, 1e12, 1e-12, 1.0, 1e12, 1e-12], [8] * 6)
    oracle = Oracle(graph)
    positive = 0
    for budget in range(16, graph.store_all_peak_bytes, 8):
        bound, least = overhead_bound(graph, budget), oracle.least_cost(budget)
        if least is not None:
            assert bound.infeasible is None
            assert (1 + Fraction(bound.overhead)) * Fraction(graph.base_cost) <= Fraction(least)
        positive += bound.certificate is not None and bound.certificate.extra_cost(budget) > 0
    assert positive


def test_small_costs_are_not_rounded_to_nothing() -> None:
    tiny = chain([1e-12] * 5, [8] * 5)
    assert overhead_bound(tiny, tiny.store_all_peak_bytes - 8).overhead == pytest.approx(0.1, rel=1e-6)
    huge = chain([1e300] * 5, [8] * 5)
    assert overhead_bound(huge, huge.store_all_peak_bytes - 8).overhead == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize("size", [1 << 31, (1 << 53) + 1, (1 << 80) + 7])
def test_many_bytes(size: int) -> None:
    graph = chain([1.0] * 5, [size] * 5)
    assert graph.store_all_peak_bytes == 6 * size
    assert overhead_bound(graph, 6 * size).overhead == 0
    assert overhead_bound(graph, 6 * size - 1).overhead < 1e-6
    assert overhead_bound(graph, 5 * size).overhead == pytest.approx(0.1, rel=1e-6)
    assert overhead_bound(graph, 3 * size - 1).infeasible is not None


def test_bytes_far_apart() -> None:
    graph = chain([1.0] * 4, [1, 1 << 60, 1, 1 << 60])
    bound = overhead_bound(graph, graph.store_all_peak_bytes - (1 << 60))
    least = Oracle(graph).least_cost(graph.store_all_peak_bytes - (1 << 60))
    assert least is not None
    assert (1 + bound.overhead) * graph.base_cost <= least


def test_nothing_to_count() -> None:
    free = chain([0.0] * 5, [8] * 5)
    assert overhead_bound(free, free.store_all_peak_bytes // 2).overhead == 0
    light = chain([1.0] * 5, [0] * 5)
    assert overhead_bound(light, 0).overhead == 0
    assert prove_infeasible(light, 0) is None
    single = Graph.from_arrays(cost=[1], bytes=[8], edges=[])
    assert overhead_bound(single, 8).overhead == 0
    assert overhead_bound(single, 7).overhead == math.inf
    assert peak_bound(single).bytes == 8
    empty = Graph.from_arrays(cost=[], bytes=[], edges=[])
    assert overhead_bound(empty, 0).overhead == 0
    assert overhead_bounds(single, []) == ()


def test_disconnected_parts() -> None:
    """Two chains: the second adds to the base cost only."""
    one = chain([1.0] * 5, [8] * 5)
    edges = [(i, i + 1) for i in range(9)] + [(i, 9 - i) for i in range(4)]
    two = Graph.from_arrays(cost=[1.0] * 20, bytes=[8] * 20, edges=edges + [(u + 10, v + 10) for u, v in edges])
    budget = one.store_all_peak_bytes - 8
    assert overhead_bound(two, budget).overhead == pytest.approx(overhead_bound(one, budget).overhead / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"single_cuts": 0}, "single_cuts must be an int of 1 or more, found 0"),
        ({"more_cuts": 1.5}, "more_cuts must be an int of 1 or more, found 1.5"),
        ({"added_cuts": -1}, "added_cuts must be an int of 0 or more, found -1"),
        ({"time_limit": 0}, "time_limit must be None or seconds above 0, found 0"),
    ],
)
def test_efforts_that_mean_nothing(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Effort(**options)  # pyright: ignore[reportArgumentType]


def test_once_only_values_prove_a_peak() -> None:
    """While the middle runs, what ran once has to be held, or the larger thing made from it: no working set sees it."""
    graph = Graph(
        operations=(
            Operation("once", 1.0, reads=(), makes=(0,), recomputable=False),
            Operation("large", 1.0, reads=(0,), makes=(1,)),
            Operation("small", 1.0, reads=(1,), makes=(2,), workspace_bytes=9),
            Operation("middle", 1.0, reads=(2,), makes=(3,), workspace_bytes=20),
            Operation("last", 1.0, reads=(1, 3), makes=()),
        ),
        values=tuple(Value(i) for i in range(4)),
        storages=(Storage(2), Storage(8), Storage(1), Storage(1)),
        order=(0, 1, 2, 3, 4),
    )
    bound = peak_bound(graph)
    assert (bound.bytes, Oracle(graph).least_peak()) == (24, 24)
    assert bound.certificate is not None
    assert bound.certificate.verify(graph)
    assert prove_infeasible(graph, 23) is None
    assert overhead_bound(graph, 23).infeasible == (
        "the least budget in which operations (3,) can first run is 24 bytes"
    )
    assert overhead_bound(graph, 24).overhead <= 1 / 5
