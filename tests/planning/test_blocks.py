"""Blocks: where forwards are cut, which blocks look the same, and the dynamic program against others' results."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from chains import training_chain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from random_graphs import random_graph
from training_graphs import gpt, mlp, resnet, unet

from retrograde import Graph
from retrograde.planning import certify
from retrograde.planning.blocks import Chain
from retrograde.planning.blocks import chain as chain_module
from retrograde.planning.blocks.cuts import narrow_places
from retrograde.planning.blocks.measures import Block, Measures, Storing
from retrograde.planning.blocks.program import Program
from retrograde.planning.demand import Split
from retrograde.planning.lowering import Lowering


def binomial_steps(steps: int, snapshots: int) -> int:
    """The least number of forward steps, the initial state among the snapshots (Griewank and Walther 2000)."""
    repetitions = 0
    while math.comb(snapshots + repetitions, snapshots) < steps:
        repetitions += 1
    return repetitions * steps - math.comb(snapshots + repetitions, repetitions - 1)


@pytest.mark.parametrize("length", [5, 12, 30])
@pytest.mark.parametrize("snapshots", [2, 3, 5])
def test_a_chain_comes_out_as_the_binomial_optimum(length: int, snapshots: int) -> None:
    graph = training_chain(length)
    budget = 10 * (snapshots + 2)  # the caller holds the initial state; two gradients and one state are at work
    sequence = next(iter(Chain(Split(graph)).sequences(budget)))
    peak, cost = Lowering(graph).measure(sequence)
    assert peak <= budget
    # The last forward step, whose result nobody reads, runs once; the binomial count leaves it out.
    assert cost == length + binomial_steps(length, snapshots) + 1


def test_a_short_chain_costs_what_brute_force_finds() -> None:
    graph = training_chain(4)
    oracle = Oracle(graph)
    for budget in (30, 40, 50):
        sequences = Chain(Split(graph)).sequences(budget)
        fitting = [cost for peak, cost in map(Lowering(graph).measure, sequences) if peak <= budget]
        assert min(fitting) == oracle.least_cost(budget)


def test_a_chain_in_two_levels_is_not_far_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = training_chain(60)
    monkeypatch.setattr(chain_module, "MOST_BLOCKS", 8)
    chain = Chain(Split(graph))
    assert len(chain.blocks) <= 8
    assert any(inner is not None for inner in chain.inner)
    budget = 80
    fitting = [m for m in map(Lowering(graph).measure, chain.sequences(budget)) if m[0] <= budget]
    assert fitting
    assert min(cost for _, cost in fitting) <= 1.2 * (60 + binomial_steps(60, 6))


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_program_is_the_recursion_that_it_states(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    units = 14
    blocks = [_some_block(data, number) for number in range(count)]
    crossing = [0, *(block.ways[-1].size_bytes for block in blocks)]
    overlaps = np.zeros((count + 1, count + 1), dtype=np.int64)
    np.fill_diagonal(overlaps, crossing)
    program = Program(blocks, overlaps, 1, units)

    @cache
    def least(first: int, last: int, left: int) -> float:
        block = blocks[first]
        if first == last:
            return block.whole_cost if left >= block.demand_bytes + block.whole_bytes else math.inf
        costs: list[float] = []
        for way in block.ways:
            own = block.whole_bytes if way.cost else way.size_bytes
            if left >= max(way.size_bytes, block.demand_bytes + own):
                costs.append(block.both_cost + way.cost + least(first + 1, last, left - way.size_bytes))
        for cut in range(first + 1, last + 1):
            running = max(b.through_bytes for b in blocks[first:cut]) + blocks[last].demand_bytes
            if left >= max(running, crossing[cut]):
                through = sum(b.through_cost for b in blocks[first:cut])
                costs.append(through + least(cut, last, left - crossing[cut]) + least(first, cut - 1, left))
        return min(costs, default=math.inf)

    for left in range(units + 1):
        assert program.cost(0, count - 1)[left] == pytest.approx(least(0, count - 1, left))


def _some_block(data: st.DataObject, number: int) -> Block:
    small = st.integers(0, 3)
    crossing, kept, whole = data.draw(small), data.draw(small), data.draw(small)
    ways = (Storing((number,), crossing + kept, 0.0), Storing((), crossing, 1.0))
    return Block(
        number,
        number + 1,
        through_cost=float(data.draw(small)),
        whole_cost=float(data.draw(small)),
        both_cost=float(data.draw(small)),
        through_bytes=data.draw(small),
        whole_bytes=whole,
        demand_bytes=data.draw(small),
        ways=ways,
    )


def test_layers_that_repeat_are_planned_once() -> None:
    chain = Chain(Split(gpt(12).graph))
    classes = chain.classes()
    assert len(chain.blocks) >= 12
    assert len(classes) <= len(chain.blocks) // 8
    assert max(map(len, classes)) >= 10


def test_layers_that_differ_are_told_apart() -> None:
    chain = Chain(Split(resnet((2, 2, 2)).graph))
    assert len(chain.classes()) > 3


@pytest.mark.parametrize("graph", [gpt(4).graph, mlp(8).graph, resnet((2, 2)).graph, unet(3).graph])
def test_sequences_are_schedules_and_smaller_budgets_give_smaller_ones(graph: Graph) -> None:
    chain, lowering = Chain(Split(graph)), Lowering(graph)
    peaks: list[int] = []
    for percent in (80, 40):
        for sequence in chain.sequences(graph.store_all_peak_bytes * percent // 100):
            schedule = lowering.lower(sequence)
            certify(graph, schedule.actions, schedule.segments, strategy="blocks")
            peaks.append(lowering.measure(sequence)[0])
    assert min(peaks) < graph.store_all_peak_bytes
    assert min(peaks) == min(peaks[len(peaks) // 2 :])


@given(st.integers(0, 10**9), st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_sequences_of_any_graph_are_schedules(seed: int, odd: bool) -> None:
    graph = random_graph(seed, operations=14, odd=odd)
    lowering = Lowering(graph)
    for budget in (1, max(1, graph.store_all_peak_bytes // 2), graph.store_all_peak_bytes + 1):
        for sequence in Chain(Split(graph)).sequences(budget):
            schedule = lowering.lower(sequence)
            certify(graph, schedule.actions, schedule.segments, strategy="blocks")


def test_what_crosses_two_cuts_is_counted_once() -> None:
    graph = unet(3).graph
    measures = Measures(Split(graph))
    end = len(measures.sizes)
    cuts = [0, end // 3, 2 * end // 3, end]
    overlaps = measures.overlaps(cuts)
    for first in range(1, 3):
        for second in range(first, 3):
            crossing = [p for p in range(cuts[first]) if measures.last_use[p] >= cuts[second]]
            assert overlaps[first, second] == sum(measures.sizes[p] for p in crossing)


def test_narrow_places_repeat_with_the_period() -> None:
    crossing = [9, 5, 9, 7] * 12 + [9]
    places = narrow_places(crossing, 0, len(crossing) - 1, 6)
    assert 2 <= len(places) <= 6
    assert {place % 4 for place in places} == {1}
    assert narrow_places(crossing, 0, 5, 10) == [1, 2, 3, 4]
