"""Golden schedules of every strategy on a training chain, exact run counts, and what strategies do on odd graphs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from chains import training_chain

from retrograde import Graph, Operation, Storage, UsageError, Value
from retrograde.planning import STRATEGIES, Lowering, RunOrder, certify, demand
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.strategies import Options, recompute_all

NINE = training_chain(9)
FORWARD = list(range(9))


def candidates(graph: Graph, name: str, block_size: int | None = None) -> list[RunOrder]:
    return list(STRATEGIES[name](graph, Options(block_size=block_size)))


def certified(graph: Graph, sequence: RunOrder) -> tuple[int, float]:
    schedule = Lowering(graph).lower(sequence)
    found = certify(graph, schedule.actions, schedule.segments, strategy="test")
    return found.peak_bytes, found.cost


# Golden sequences


def test_store_all() -> None:
    assert candidates(NINE, "store_all") == [[FORWARD, list(range(9, 18))]]
    assert certified(NINE, [FORWARD, list(range(9, 18))]) == (100, 18)


def test_recompute_all() -> None:
    [sequence] = candidates(training_chain(4), "recompute_all")
    assert sequence == [[0, 1, 2, 3], [0, 1, 2, 4, 0, 1, 5, 0, 6, 7]]
    assert certified(training_chain(4), sequence) == (30, 14)


def test_sqrt() -> None:
    """Three blocks of three; values 3 and 6 cross; the last block is kept."""
    [sequence] = candidates(NINE, "sqrt")
    assert sequence == [FORWARD, [9, 10, 11, 3, 4, 12, 13, 14, 0, 1, 15, 16, 17]]
    assert certified(NINE, sequence) == (60, 22)


def test_block() -> None:
    [sequence] = candidates(NINE, "block", block_size=4)
    assert sequence == [FORWARD, [9, 4, 5, 6, 10, 11, 12, 13, 0, 1, 2, 14, 15, 16, 17]]
    assert certified(NINE, sequence) == (60, 24)


def test_a_block_of_everything_keeps_everything() -> None:
    assert candidates(NINE, "block", block_size=9) == candidates(NINE, "store_all")
    assert candidates(NINE, "block", block_size=99) == candidates(NINE, "store_all")


def test_interval_tree() -> None:
    """Halves at 5; the right half again at 7, the left one at 3 and 2."""
    finest = candidates(NINE, "interval_tree")[-1]
    assert finest == [FORWARD, [9, 10, 5, 11, 12, 0, 1, 2, 3, 13, 14, 0, 1, 15, 16, 17]]
    assert certified(NINE, finest) == (50, 25)


def test_selective_drops_the_cheapest_bytes_first() -> None:
    costs = [5.0, 1.0, 4.0, 2.0, 3.0]
    chain = training_chain(5)
    operations = (*(replace(o, cost=c) for o, c in zip(chain.operations, costs, strict=False)), *chain.operations[5:])
    graph = replace(chain, operations=operations)
    behind = [c[1] for c in candidates(graph, "selective")]
    assert behind == [
        [5, 6, 7, 8, 9],
        [5, 6, 1, 7, 8, 9],
        [3, 5, 6, 1, 7, 8, 9],
        [1, 2, 3, 5, 6, 7, 8, 9],
        [0, 1, 2, 3, 5, 6, 7, 8, 9],
    ]


def test_selective_keeps_what_takes_no_bytes() -> None:
    graph = training_chain(4, size=0)
    assert candidates(graph, "selective") == candidates(graph, "store_all")


# Exact counts


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_recompute_all_runs_the_square(length: int) -> None:
    [sequence] = candidates(training_chain(length), "recompute_all")
    assert sum(map(len, sequence)) == 2 * length + length * (length - 1) // 2


@pytest.mark.parametrize("length", [16, 64, 100])
def test_sqrt_recomputes_each_operation_at_most_once(length: int) -> None:
    graph = training_chain(length)
    [sequence] = candidates(graph, "sqrt")
    assert max(Counter(i for s in sequence for i in s).values()) == 2
    blocks = int(length**0.5)
    assert sum(map(len, sequence)) == 2 * length + (blocks - 1) * (length // blocks - 1)
    assert certified(graph, sequence)[0] <= 10 * (2 * blocks + 2)


@pytest.mark.parametrize("exponent", [3, 5, 8])
def test_interval_tree_takes_logarithmic_memory(exponent: int) -> None:
    graph = training_chain(2**exponent)
    sequence = candidates(graph, "interval_tree")[-1]
    peak, cost = certified(graph, sequence)
    assert peak <= 10 * (exponent + 3)
    assert cost <= 2 * 2**exponent + exponent * 2**exponent / 2


def test_tuned_blocks_are_as_small_as_any_block() -> None:
    lowering = Lowering(NINE)
    tuned = min(lowering.measure(c)[0] for c in candidates(NINE, "block"))
    given = min(lowering.measure(candidates(NINE, "block", block_size=n)[0])[0] for n in range(1, 10))
    assert tuned == given


def test_recompute_all_refuses_to_explode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recompute_all, "MOST_RUNS", 1000)
    candidates(training_chain(40), "recompute_all")
    with pytest.raises(UsageError, match=r"takes more than 1000 runs on this graph of 120 operations .* use strategy"):
        candidates(training_chain(60), "recompute_all")


# The turn


def test_the_turn_of_one_segment_is_where_most_is_live() -> None:
    """A joint graph without segments: the forward, then a backward that reads it in reverse."""
    chain = training_chain(6)
    flat = Graph(
        operations=tuple(replace(o, segment=0) for o in chain.operations),
        values=tuple(replace(v, available_from=None if v.available_from is None else 0) for v in chain.values),
        storages=chain.storages,
        order=chain.order,
        outputs=chain.outputs,
    )
    split = Split(flat)
    assert split.turn in (6, 7)
    smallest = min(certified(flat, c)[0] for c in candidates(flat, "interval_tree"))
    assert smallest < flat.store_all_peak_bytes


def test_the_turn_of_many_segments_is_the_border_that_most_crosses() -> None:
    operations = (
        Operation("a", 1, (), (0,)),
        Operation("b", 1, (0,), (1,), segment=1),
        Operation("c", 1, (0, 1), (2,), segment=2),
        Operation("d", 1, (2,), (3,), segment=3),
    )
    values = tuple(Value(i) for i in range(4))
    graph = Graph(operations, values, tuple(Storage(8) for _ in values), (0, 1, 2, 3))
    assert Split(graph).turn == 2


def test_a_graph_of_several_segments_without_a_late_part_is_left_alone() -> None:
    graph = Graph((Operation("a", 1, (), (0,)),), (Value(0),), (Storage(4),), (0,), fixed_bytes=(0, 1))
    for name in STRATEGIES:
        assert candidates(graph, name)[0] == [[0], []]


def test_a_graph_without_operations() -> None:
    graph = Graph((), (Value(0, 0),), (Storage(4),), ())
    for name in STRATEGIES:
        assert certified(graph, candidates(graph, name)[0]) == (0, 0)


# What is kept, and what waits


def mixed_graph() -> Graph:
    """Forward: 0 makes a value that runs once, 1 and 2 chain from it; 3 stands behind the border but may run early."""
    return Graph(
        operations=(
            Operation("once", 1, (), (0,), recomputable=False),
            Operation("a", 1, (0,), (1,)),
            Operation("b", 1, (1,), (2,)),
            Operation("waits", 1, (1,), (3,)),
            Operation("late", 1, (2,), (4,), segment=1),
            Operation("last", 1, (3, 4, 0), (5,), segment=1),
        ),
        values=tuple(Value(i) for i in range(6)),
        storages=tuple(Storage(8) for _ in range(6)),
        order=(0, 1, 2, 4, 3, 5),
        outputs=(5,),
    )


def test_what_runs_once_is_kept() -> None:
    split = Split(replace(mixed_graph(), order=(0, 1, 2, 4, 3, 5)))
    assert split.droppable == {1, 2}
    assert split.why_kept(0) == "it may not run twice"


def test_what_stands_behind_the_border_runs_at_its_first_use() -> None:
    split = Split(mixed_graph())
    assert recompute_on_demand(split, {1}) == [[0, 1, 2], [4, 1, 3, 5]]
    assert certified(mixed_graph(), recompute_on_demand(split, {1})) == (32, 7)


def test_what_only_the_backward_wants_runs_there_for_the_first_time() -> None:
    split = Split(mixed_graph())
    assert recompute_on_demand(split, {1, 2}) == [[0], [1, 2, 4, 3, 5]]


def test_an_operation_that_nobody_wants_runs_once() -> None:
    chain = training_chain(3)
    unread = Operation("unread", 1, (1,), (8,))
    values = (*chain.values, Value(8))
    graph = Graph((*chain.operations, unread), values, (*chain.storages, Storage(1)), (0, 1, 2, 3, 4, 6, 5), (7,))
    for name in STRATEGIES:
        for candidate in candidates(graph, name):
            assert sum(s.count(6) for s in candidate) == 1
            certified(graph, candidate)


def test_why_an_operation_is_kept() -> None:
    graph = Graph(
        operations=(
            Operation("base", 1, (), (0,)),
            Operation("view", 0, (0,), (1,)),
            Operation("result", 1, (1,), (2,)),
            Operation("part", 1, (2, 0), (3,)),
            Operation("late", 1, (1, 3), (4,), segment=1),
        ),
        values=(Value(0), Value(0), Value(1), Value(1), Value(2)),
        storages=(Storage(8), Storage(8), Storage(8)),
        order=(0, 1, 2, 3, 4),
        outputs=(4,),
    )
    split = Split(graph)
    assert split.droppable == {0}
    assert split.why_kept(0) is None
    assert "only makes views" in str(split.why_kept(1))
    assert split.why_kept(2) == "its result (value 2) is or shares storage with an output or a part made only once"
    assert "runs behind the turn" in str(split.why_kept(4))


def test_an_output_in_a_storage_of_the_caller_is_made_in_its_segment() -> None:
    graph = Graph(
        operations=(
            Operation("both", 1, (0,), (1, 2)),
            Operation("more", 1, (0,), (3,)),
            Operation("late", 1, (2,), (4,), segment=1),
        ),
        values=(Value(0, 0), Value(0), Value(1), Value(2), Value(3)),
        storages=tuple(Storage(8) for _ in range(4)),
        order=(0, 1, 2),
        outputs=(1,),
    )
    assert Split(graph).droppable == frozenset()
    for name in STRATEGIES:
        for candidate in candidates(graph, name):
            certified(graph, candidate)


def test_shared_helpers_of_cutting() -> None:
    split = Split(NINE)
    assert split.crossing_bytes == [0, 10, 10, 10, 10, 10, 10, 10, 10, 0]
    assert split.narrowest(2, 6, 4) == 4
    assert demand.cut_into_blocks(split, []) == frozenset()
    assert demand.cut_into_blocks(split, [3, 6]) == {0, 1, 3, 4}


def test_cuts_move_to_narrow_places() -> None:
    """A chain whose values are wide except two: the cuts go there."""
    chain = training_chain(9)
    sizes = [10] * len(chain.storages)
    sizes[4] = sizes[7] = 1
    graph = replace(chain, storages=tuple(Storage(s) for s in sizes))
    even, narrow = candidates(graph, "sqrt")
    assert certified(graph, narrow)[0] < certified(graph, even)[0]
