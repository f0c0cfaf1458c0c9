"""Carrying out plans over callbacks: a dictionary of numbers as the memory."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrograde.errors import PlanError, TierError, UsageError
from retrograde.graph import Choice, Graph, Operation, Storage, Value
from retrograde.planning import Compute, Free, Load, Plan, Spill, certify
from retrograde.runtime import Callbacks, DiskTier, EventLog, MemoryTier, Tier, execute

CHAIN = Graph.from_arrays(
    cost=[1, 1, 1, 1], bytes=[80, 80, 80, 80], edges=[(0, 1), (1, 2), (2, 3), (0, 3)], outputs=[3], name="chain"
)
RECOMPUTED = (
    *(Compute(0), Compute(1), Free(0), Compute(2), Free(1)),
    *(Compute(0), Compute(3), Free(0), Free(2)),
)
SPILLED = (
    *(Compute(0), Compute(1), Spill(0), Compute(2), Free(1)),
    *(Load(0), Compute(3), Free(0), Free(2)),
)


def plan_of(actions: tuple[Any, ...], graph: Graph = CHAIN) -> Plan:
    return certify(graph, actions, (0,), strategy="by hand")


class Program:
    """y0 = 1…10; y1 = y0²; y2 = y1 + 1; y3 = y2 · y0, over a dictionary."""

    def __init__(self, tier: Tier | None = None) -> None:
        self.memory: dict[int, Any] = {}
        self.tier = tier
        self.calls: list[tuple[str, int]] = []
        self.functions: list[Callable[[], Any]] = [
            lambda: np.arange(10.0),
            lambda: self.memory[0] ** 2,
            lambda: self.memory[1] + 1,
            lambda: self.memory[2] * self.memory[0],
        ]

    def compute(self, operation: int) -> None:
        self.calls.append(("compute", operation))
        self.memory[operation] = self.functions[operation]()

    def free(self, storage: int) -> None:
        self.calls.append(("free", storage))
        del self.memory[storage]

    def spill(self, storage: int) -> None:
        assert self.tier is not None
        self.tier.put(storage, self.memory.pop(storage))

    def load(self, storage: int) -> None:
        assert self.tier is not None
        self.memory[storage] = self.tier.take(storage)

    def live_bytes(self) -> int:
        return sum(array.nbytes for array in self.memory.values())

    def callbacks(self, **others: Any) -> Callbacks:
        if self.tier is not None:
            others = {"spill": self.spill, "load": self.load} | others
        return Callbacks(compute=self.compute, free=self.free, **others)


EXPECTED = (np.arange(10.0) ** 2 + 1) * np.arange(10.0)


def test_actions_are_carried_out_in_order() -> None:
    program = Program()
    log = execute(plan_of(RECOMPUTED), program.callbacks())
    assert program.calls == [
        ("compute" if isinstance(a, Compute) else "free", a.operation if isinstance(a, Compute) else a.storage)  # type: ignore[union-attr]
        for a in RECOMPUTED
    ]
    assert list(program.memory) == [3]
    assert np.array_equal(program.memory[3], EXPECTED)
    assert [event.live_bytes for event in log] == [None] * len(RECOMPUTED)
    assert log.peak_bytes is None
    assert log.events[0].label == "operation 0"


@pytest.mark.parametrize("make", [MemoryTier, DiskTier])
def test_spilled_storages_come_back(make: Callable[..., Tier]) -> None:
    with make("1 KiB") as tier:
        program = Program(tier)
        log = execute(plan_of(SPILLED), program.callbacks(), graph=CHAIN)
        assert np.array_equal(program.memory[3], EXPECTED)
        assert tier.used_bytes == 0
    assert [event.action for event in log if event.operation == ""] == ["spill", "free", "load", "free", "free"]


def test_the_graph_gives_names_and_live_bytes() -> None:
    plan = plan_of(RECOMPUTED)
    log = execute(plan, Program().callbacks(), graph=CHAIN)
    assert tuple(event.live_bytes for event in log) == plan.verify(CHAIN).live_bytes
    assert log.peak_bytes == plan.peak_bytes == 240
    assert [event.label for event in log][:3] == ["operation 0", "operation 1", "free storage 0"]


def test_a_meter_replaces_the_graphs_bytes_and_agrees_with_them() -> None:
    program = Program()
    log = execute(plan_of(RECOMPUTED), program.callbacks(), graph=CHAIN, meter=program.live_bytes)
    assert [event.live_bytes for event in log] == [80, 160, 80, 160, 80, 160, 240, 160, 80]


def test_segments_are_logged() -> None:
    graph = Graph(
        operations=(Operation("forward", 1, (), (0,)), Operation("backward", 1, (0,), (1,), segment=1)),
        values=(Value(0), Value(1)),
        storages=(Storage(8), Storage(8)),
        order=(0, 1),
    )
    plan = certify(graph, (Compute(0), Compute(1), Free(0), Free(1)), (0, 1), strategy="by hand")
    log = execute(plan, Callbacks(compute=lambda _: None, free=lambda _: None), graph=graph)
    assert [(event.label, event.segment) for event in log] == [
        *(("forward", 0), ("backward", 1)),
        *(("free storage 0", 1), ("free storage 1", 1)),
    ]


OVERWRITING = Graph(
    operations=(Operation("make", 1, (), (0,)), Operation("relu", 1, (0,), (1,), may_overwrite=((1, 0),))),
    values=(Value(0), Value(1)),
    storages=(Storage(8), Storage(8)),
    order=(0, 1),
    outputs=(1,),
)


def test_an_overwriting_operation_goes_to_its_own_callback() -> None:
    plan = plan_of((Compute(0), Compute(1, overwrites=((1, 0),))), OVERWRITING)
    calls: list[Any] = []
    callbacks = Callbacks(
        compute=calls.append, free=calls.append, compute_over=lambda operation, pairs: calls.append((operation, pairs))
    )
    assert execute(plan, callbacks, graph=OVERWRITING).peak_bytes == 8
    assert calls == [0, (1, ((1, 0),))]


@pytest.mark.parametrize(
    ("plan", "missing"),
    [
        (plan_of(SPILLED), "spill"),
        (plan_of((Compute(0), Compute(1, overwrites=((1, 0),))), OVERWRITING), "compute_over"),
    ],
)
def test_a_missing_callback_is_named_before_anything_ran(plan: Plan, missing: str) -> None:
    program = Program()
    with pytest.raises(UsageError, match=rf"needs the callback '{missing}', which is not given; give Callbacks"):
        execute(plan, program.callbacks())
    assert program.calls == []


def test_a_missing_load_is_named_before_anything_ran() -> None:
    program = Program()
    with pytest.raises(UsageError, match=r"Load\(storage=0\), needs the callback 'load'"):
        execute(plan_of(SPILLED), program.callbacks(spill=lambda _: None))
    assert program.calls == []


CHOOSING = Graph(
    operations=(
        Operation("forward", 1, (), (0, 1), choices=(Choice(1), Choice(1, 0, ((1, 8),)))),
        Operation("backward", 2, (0, 1), (2,), segment=1, choices=(Choice(2), Choice(9)), choice_of=0),
    ),
    values=tuple(Value(i) for i in range(3)),
    storages=tuple(Storage(80) for _ in range(3)),
    order=(0, 1),
    outputs=(2,),
)
CHOSEN = (Compute(0, 1), Compute(1, 1), Free(0), Free(1))


def test_choices_need_a_callback_before_anything_ran() -> None:
    program = Program()
    plan = certify(CHOOSING, CHOSEN, (0, 1), strategy="by hand")
    with pytest.raises(UsageError, match=r"action 0 of the plan, Compute.*needs the callback 'compute_choice'"):
        execute(plan, program.callbacks())
    assert program.calls == []


def test_a_callback_gets_the_choice() -> None:
    calls: list[tuple[int, int, tuple[tuple[int, int], ...]]] = []
    plan = certify(CHOOSING, CHOSEN, (0, 1), strategy="by hand")
    callbacks = Callbacks(
        compute=lambda operation: pytest.fail("every run names another choice than 0"),
        free=lambda storage: None,
        compute_choice=lambda operation, choice, overwrites: calls.append((operation, choice, overwrites)),
    )
    log = execute(plan, callbacks, graph=CHOOSING)
    assert calls == [(0, 1, ()), (1, 1, ())]
    assert [event.choice for event in log] == [1, 1, 0, 0]
    assert [event.label for event in log][:2] == ["forward (choice 1)", "backward (choice 1)"]
    assert log.peak_bytes == 168
    trace = json.loads(log.to_chrome_trace())["traceEvents"]
    assert [entry["args"]["choice"] for entry in trace if entry.get("cat") == "compute"] == [1, 1]


def test_choice_0_is_what_compute_runs() -> None:
    calls: list[int] = []
    plan = certify(CHOOSING, (Compute(0), Compute(1), Free(0), Free(1)), (0, 1), strategy="by hand")
    execute(plan, Callbacks(compute=calls.append, free=lambda storage: None), graph=CHOOSING)
    assert calls == [0, 1]


def test_a_plan_that_does_not_replay_is_refused_before_anything_ran() -> None:
    program = Program()
    plan = plan_of(RECOMPUTED)
    with pytest.raises(PlanError, match="cannot free storage 0"):
        execute(dataclasses.replace(plan, actions=(Free(0), *plan.actions)), program.callbacks(), graph=CHAIN)
    other = Graph.from_arrays(cost=[1], bytes=[1], edges=[])
    with pytest.raises(PlanError, match="plan that graph"):
        execute(plan, program.callbacks(), graph=other)
    assert program.calls == []


# Failures.


def failing(at: int) -> tuple[Program, EventLog]:
    program = Program()
    program.functions[at] = lambda: 1 // 0
    return program, EventLog()


def test_a_failure_goes_on_as_it_is_with_a_note() -> None:
    program, log = failing(2)
    with pytest.raises(ZeroDivisionError) as caught:
        execute(plan_of(RECOMPUTED), program.callbacks(clean_up=program.memory.clear), graph=CHAIN, log=log)
    assert caught.value.__notes__ == ["retrograde: raised at action 3 of the plan, operation 2"]
    assert program.memory == {}
    assert len(log) == 4
    assert log.events[-1].error.startswith("ZeroDivisionError: ")
    assert log.events[-1].live_bytes == 160

    program.functions[2] = lambda: program.memory[1] + 1
    execute(plan_of(RECOMPUTED), program.callbacks(), graph=CHAIN)
    assert np.array_equal(program.memory[3], EXPECTED)


def test_a_full_tier_is_a_failure_like_any_other(tmp_path: Path) -> None:
    with DiskTier(8, folder=tmp_path) as tier:
        program = Program(tier)
        with pytest.raises(TierError) as caught:
            execute(plan_of(SPILLED), program.callbacks(clean_up=tier.clear), meter=program.live_bytes)
        assert caught.value.__notes__ == ["retrograde: raised at action 2 of the plan, spill 0"]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_noted_too() -> None:
    program = Program()

    def interrupt() -> None:
        raise KeyboardInterrupt

    program.functions[1] = interrupt
    cleaned: list[int] = []
    with pytest.raises(KeyboardInterrupt) as caught:
        execute(plan_of(RECOMPUTED), program.callbacks(clean_up=lambda: cleaned.append(1)))
    assert caught.value.__notes__ == ["retrograde: raised at action 1 of the plan, compute 1"]
    assert cleaned == [1]


def test_a_failing_clean_up_does_not_hide_the_failure() -> None:
    program, log = failing(0)

    def clean_up() -> None:
        raise OSError("the disk is gone")

    with pytest.raises(ZeroDivisionError) as caught:
        execute(plan_of(RECOMPUTED), program.callbacks(clean_up=clean_up), log=log)
    assert caught.value.__notes__[1] == "retrograde: then clean_up failed, too: OSError: the disk is gone"


# The event log.


def ticking_log() -> EventLog:
    """A log whose clock advances by a quarter of a second each time that it is read."""
    ticks = itertools.count()
    return EventLog(clock=lambda: next(ticks) / 4)


def test_times_are_seconds_since_the_log_began() -> None:
    log = execute(plan_of(RECOMPUTED), Program().callbacks(), graph=CHAIN, log=ticking_log())
    assert [(event.seconds, event.duration_seconds) for event in log][:3] == [(0.25, 0.25), (0.75, 0.25), (1.25, 0.25)]


def test_the_log_is_json() -> None:
    log = execute(plan_of(RECOMPUTED), Program().callbacks(), graph=CHAIN, log=ticking_log())
    events = json.loads(log.to_json())
    assert events == log.to_dicts()
    assert events[1] == {
        "index": 1,
        "choice": 0,
        "seconds": 0.75,
        "duration_seconds": 0.25,
        "action": "compute",
        "target": 1,
        "operation": "operation 1",
        "segment": 0,
        "live_bytes": 160,
        "error": "",
    }


def test_the_chrome_trace_has_slices_and_a_counter() -> None:
    program = Program()
    program.functions[1] = lambda: 1 // 0
    log = ticking_log()
    with pytest.raises(ZeroDivisionError):
        execute(plan_of(RECOMPUTED), program.callbacks(), graph=CHAIN, log=log)
    trace = json.loads(log.to_chrome_trace())["traceEvents"]
    slices = [entry for entry in trace if entry["ph"] == "X"]
    counters = [entry for entry in trace if entry["ph"] == "C"]
    assert [(entry["name"], entry["ts"], entry["dur"]) for entry in slices] == [
        *(("operation 0", 250_000, 250_000), ("operation 1", 750_000, 250_000)),
    ]
    assert "error" not in slices[0]["args"]
    assert slices[1]["args"]["error"].startswith("ZeroDivisionError")
    assert [entry["args"]["bytes"] for entry in counters] == [80, 160]


def test_a_trace_without_bytes_has_no_counter() -> None:
    log = execute(plan_of(RECOMPUTED), Program().callbacks())
    assert {entry["ph"] for entry in json.loads(log.to_chrome_trace())["traceEvents"]} == {"X"}


def test_the_profile_counts_runs_and_seconds_of_each_operation() -> None:
    log = execute(plan_of(RECOMPUTED), Program().callbacks(), graph=CHAIN, log=ticking_log())
    profile = log.profile()
    assert [(line.operation, line.name, line.count, line.seconds, line.live_bytes) for line in profile] == [
        (0, "operation 0", 2, 0.5, 160),
        (1, "operation 1", 1, 0.25, 160),
        (2, "operation 2", 1, 0.25, 160),
        (3, "operation 3", 1, 0.25, 240),
    ]
    assert [line.live_bytes for line in execute(plan_of(RECOMPUTED), Program().callbacks()).profile()] == [None] * 4
