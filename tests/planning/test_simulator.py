"""The simulator against the referee: every byte, after every move."""

from __future__ import annotations

import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_graph

from retrograde import Graph
from retrograde.errors import UsageError
from retrograde.graph import Operation, Storage, Value
from retrograde.planning import Compute, replay
from retrograde.planning.lowering import lower
from retrograde.planning.simulator import Simulator, condense
from retrograde.planning.simulator.layout import RECOMPUTABLE


def check_against_referee(simulator: Simulator) -> None:
    graph = simulator.problem.graph
    schedule = lower(graph, simulator.sequence())
    seen = replay(graph, schedule.actions, schedule.segments)
    assert simulator.peak_bytes == max(seen.peak_bytes, 0)
    at_slots = [simulator.bytes_at(s) for s in simulator.slots() if simulator.operation(s) >= 0]
    nodes = simulator.problem.node_of
    at_actions = [
        live
        for action, live in zip(schedule.actions, seen.live_bytes, strict=True)
        if isinstance(action, Compute) and nodes[action.operation] >= 0
    ]
    assert at_slots == at_actions


def random_move(simulator: Simulator, rng: random.Random) -> None:
    """One random move that leaves the sequence valid, or none."""
    slots = simulator.slots()
    mark = simulator.mark()
    kind = rng.random()
    try:
        if kind < 0.5:
            simulator.insert(rng.randrange(len(simulator.problem.graph.operations)), rng.choice(slots))
        elif kind < 0.75:
            simulator.remove(rng.choice(slots))
        else:
            simulator.move(rng.choice(slots[:-1]), rng.choice(slots))
    except UsageError:
        simulator.undo(mark)
    if not simulator.is_valid:
        simulator.undo(mark)


@given(st.integers(0, 10**9), st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_byte_agrees_with_the_referee_after_random_moves(seed: int, odd: bool) -> None:
    rng = random.Random(seed)
    simulator = Simulator(random_graph(seed, operations=rng.randint(1, 12), odd=odd))
    check_against_referee(simulator)
    for _ in range(12):
        random_move(simulator, rng)
        check_against_referee(simulator)


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_undo_restores_every_byte(seed: int) -> None:
    rng = random.Random(seed)
    simulator = Simulator(random_graph(seed))
    before = (simulator.slots(), simulator.nodes(), [simulator.bytes_at(s) for s in simulator.slots()])
    for _ in range(30):
        random_move(simulator, rng)
    simulator.undo(0)
    assert (simulator.slots(), simulator.nodes(), [simulator.bytes_at(s) for s in simulator.slots()]) == before


def test_long_sequences_split_their_chunks_and_stay_exact() -> None:
    rng = random.Random(5)
    simulator = Simulator(random_graph(5, operations=300, odd=False), slots=320)
    for _ in range(3000):
        random_move(simulator, rng)
    simulator.commit()
    check_against_referee(simulator)
    loaded = Simulator(simulator.problem.graph, simulator.sequence())
    assert [loaded.bytes_at(s) for s in loaded.slots()] == [simulator.bytes_at(s) for s in simulator.slots()]


def test_retaining_graphs_are_never_underestimated() -> None:
    graph = Graph(
        operations=(Operation("a", 1.0, (), (0,)), Operation("b", 1.0, (0,), (1,), segment=1)),
        values=(Value(0), Value(1)),
        storages=(Storage(8), Storage(4)),
        order=(0, 1),
        fixed_bytes=(0, 0, 3),
        retain=True,
    )
    simulator = Simulator(graph)
    check_against_referee(simulator)
    assert simulator.bytes_at(simulator.slots()[-2]) == 8 + 3


def test_overload_live_storages_and_peak_slot() -> None:
    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)])
    simulator = Simulator(graph)
    last = simulator.slots()[2]
    assert simulator.peak_slot == last
    assert simulator.live_at(last) == [0, 1, 2]
    assert simulator.overload(10) == 14 + 6


def test_odd_operations_run_once() -> None:
    graph = Graph(
        operations=(
            Operation("root", 1.0, (), (0,)),
            Operation("view and more", 1.0, (0,), (1, 2)),
            Operation("plain view", 1.0, (0,), (3,)),
            Operation("reader", 1.0, (1, 3), (4,)),
        ),
        values=(Value(0), Value(0), Value(1), Value(0), Value(2)),
        storages=(Storage(8), Storage(4), Storage(2)),
        order=(0, 1, 2, 3),
    )
    problem = condense(graph)
    assert problem.node_of == (0, 1, -1, 2)
    assert problem.arrays.node[RECOMPUTABLE].tolist()[:3] == [0, 0, 1]


def test_refused_moves_say_why() -> None:
    graph = Graph(
        operations=(Operation("a", 1.0, (), (0,)), Operation("b", 1.0, (0,), (1,), segment=1, recomputable=False)),
        values=(Value(0), Value(1)),
        storages=(Storage(8), Storage(4)),
        order=(0, 1),
    )
    simulator = Simulator(graph)
    first, border, second, _ = simulator.slots()
    with pytest.raises(UsageError, match="operation 1 may not run"):
        simulator.insert(1, before=first)
    with pytest.raises(UsageError, match="operation 1 may not run"):
        simulator.insert(1, before=second)
    with pytest.raises(UsageError, match="border"):
        simulator.remove(border)
    with pytest.raises(UsageError, match="not computed before"):
        Simulator(graph, [[], [1, 0]])
    with pytest.raises(UsageError, match="operation 1 before its segment"):
        Simulator(graph, [[0, 1], []])


def test_states_can_be_pickled() -> None:
    simulator = Simulator(Graph.from_arrays(cost=[1], bytes=[8], edges=[]))
    assert pickle.loads(pickle.dumps(simulator)).peak_bytes == 8
