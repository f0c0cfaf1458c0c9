"""Tiers and the makespan: goldens by hand, what the referee checks, bad input, and JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from chains import training_chain

from retrograde import Graph, Operation, Plan, PlanError, Storage, Tier, UsageError, Value, plan
from retrograde.planning import Compute, Free, Load, Spill, Wait, certify, makespan, replay

DISK = Tier("disk", write_bytes_per_second=2.0, read_bytes_per_second=4.0)
"""Writes 8 bytes in 4 seconds, reads them in 2."""

FORK = Graph.from_arrays(cost=[1, 5, 1], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)], outputs=[2])
"""Storage 0 is idle behind operation 1, which takes longer than its copy."""


def wide(count: int, cost: float = 3.0) -> Graph:
    """Operations that make 8 bytes each, and one that reads them all."""
    return Graph.from_arrays(
        cost=[cost] * count + [1], bytes=[8] * (count + 1), edges=[(i, count) for i in range(count)], outputs=[count]
    )


# The makespan


def test_a_copy_begins_when_the_storage_is_made_and_spill_waits_for_it() -> None:
    """Made at 1, copied until 5; operation 1 runs until 6: nothing waits. Loaded from 6 to 8, operation 2 waits 2."""
    actions = [Compute(0), Compute(1), Spill(0), Load(0), Compute(2), Free(0), Free(1)]
    seen = makespan(FORK, actions, (0,), [DISK])
    assert (seen.makespan, seen.compute, seen.waiting) == (9.0, 7.0, 2.0)
    assert [(t.is_write, t.begin, t.end) for t in seen.transfers] == [(True, 1.0, 5.0), (False, 6.0, 8.0)]
    assert seen.waits == (Wait(4, 0, 2.0),)
    assert seen.begins == (0.0, 1.0, 6.0, 6.0, 8.0, 9.0, 9.0)
    assert seen.waiting_by_storage() == {0: 2.0}


def test_spilled_at_once_the_copy_is_waited_for() -> None:
    actions = [Compute(0), Spill(0), Load(0), Compute(1), Compute(2), Free(0), Free(1)]
    seen = makespan(FORK, actions, (0,), [DISK])
    assert seen.waits == (Wait(1, 0, 4.0), Wait(3, 0, 2.0))
    assert seen.makespan == 13.0


def test_one_channel_does_one_transfer_after_the_other() -> None:
    """Copies of 0 and 1: 3 to 7, then 7 to 11; the read of 0, asked for at 9, begins when the second is written."""
    actions = [Compute(0), Compute(1), Compute(2), Spill(0), Load(0), Spill(1), Load(1), Compute(3)]
    actions += [Free(s) for s in range(3)]
    shared = makespan(wide(3), actions, (0,), [DISK])
    assert [(t.storage, t.begin, t.end) for t in shared.transfers] == [(0, 3, 7), (1, 7, 11), (0, 11, 13), (1, 13, 15)]
    both_ways = makespan(wide(3), actions, (0,), [replace(DISK, duplex=True)])
    assert [(t.storage, t.begin, t.end) for t in both_ways.transfers] == [
        (0, 3, 7),
        (1, 7, 11),
        (0, 9, 11),
        (1, 11, 13),
    ]
    assert (shared.makespan, both_ways.makespan) == (16.0, 14.0)


def test_tiers_have_channels_of_their_own() -> None:
    actions = [Compute(0), Compute(1), Compute(2), Spill(0), Spill(1, 1), Load(0), Load(1), Compute(3)]
    actions += [Free(s) for s in range(3)]
    seen = makespan(wide(3), actions, (0,), [DISK, Tier("host", 8.0, 8.0)])
    assert [(t.tier, t.begin, t.end) for t in seen.transfers] == [(0, 3, 7), (1, 6, 7), (0, 9, 11), (1, 9, 10)]
    assert seen.tier_bytes == (8, 8)


def test_latency_is_paid_for_each_transfer() -> None:
    actions = [Compute(0), Compute(1), Spill(0), Load(0), Compute(2), Free(0), Free(1)]
    assert makespan(FORK, actions, (0,), [replace(DISK, latency_seconds=0.5)]).makespan == 9.5


def test_what_was_made_in_an_earlier_segment_or_loaded_is_copied_at_its_spill() -> None:
    """Only a copy that is asked for in the segment that made the storage is asked for early."""
    graph = training_chain(2, size=8)
    actions = [Compute(0), Compute(1), Free(2), Spill(1), Load(1), Spill(1), Load(1), Compute(2), Compute(3)]
    actions += [Free(1), Free(3), Free(4)]
    actions[8], actions[9] = actions[9], actions[8]
    seen = makespan(graph, actions, (0, 3), [DISK])
    writes = [(t.begin, t.end) for t in seen.transfers if t.is_write]
    assert writes == [(2.0, 6.0), (8.0, 12.0)]
    early = makespan(graph, actions, (0, 4), [DISK])
    assert next((t.begin, t.end) for t in early.transfers) == (1.0, 5.0)


def test_a_copy_begins_behind_the_last_operation_that_writes() -> None:
    """Operation 1 changes storage 0, in 2 seconds; a view of it that costs nothing changes nothing."""

    def begin(cost: float) -> float:
        graph = Graph(
            operations=(
                Operation("make", 1.0, (), (0,)),
                Operation("change", cost, (0,), (1,)),
                Operation("wait", 9.0, (), (2,)),
                Operation("use", 1.0, (1, 2), (3,)),
            ),
            values=(Value(0), Value(0), Value(1), Value(2)),
            storages=(Storage(8), Storage(8), Storage(8)),
            order=(0, 1, 2, 3),
            outputs=(3,),
        )
        actions = [Compute(0), Compute(1), Compute(2), Spill(0), Load(0), Compute(3), Free(0), Free(1)]
        return makespan(graph, actions, (0,), [DISK]).transfers[0].begin

    assert begin(2.0) == 3.0
    assert begin(0.0) == 1.0


def test_free_waits_for_a_storage_that_is_coming_back_and_so_does_the_end() -> None:
    actions = [Compute(0), Compute(1), Compute(2), Spill(0), Load(0), Free(0), Free(1)]
    assert makespan(FORK, actions, (0,), [DISK]).waits == (Wait(5, 0, 2.0),)
    unfreed = [*actions[:-2], Free(1)]
    assert makespan(FORK, unfreed, (0,), [DISK]).waits == (Wait(6, 0, 2.0),)


# The referee and plans


def test_the_cost_of_a_plan_with_tiers_is_its_makespan() -> None:
    actions = [Compute(0), Compute(1), Spill(0), Load(0), Compute(2), Free(0), Free(1)]
    found = certify(FORK, actions, (0,), strategy="by hand", tiers=[DISK])
    assert (found.cost, found.base_cost, found.overhead) == (9.0, 7.0, 9 / 7 - 1)
    seen = found.verify(FORK)
    assert seen.timeline is not None
    assert seen.timeline.waiting == 2.0
    assert seen.spilled_bytes == 8
    assert certify(FORK, actions, (0,), strategy="by hand").cost == 7.0
    assert replay(FORK, actions, (0,)).timeline is None


def test_a_plan_that_lies_about_its_tiers_is_refused() -> None:
    actions = [Compute(0), Compute(1), Spill(0), Load(0), Compute(2), Free(0), Free(1)]
    found = certify(FORK, actions, (0,), strategy="by hand", tiers=[DISK])
    with pytest.raises(PlanError, match=r"says its cost is 9.0, the referee saw 11.0"):
        replace(found, tiers=(replace(DISK, read_bytes_per_second=2.0),)).verify(FORK)


def test_a_full_tier_is_refused() -> None:
    actions = [Compute(0), Compute(1), Compute(2), Spill(0), Spill(1), Load(0), Load(1), Compute(3)]
    actions += [Free(s) for s in range(3)]
    replay(wide(3), actions, (0,), tiers=[replace(DISK, capacity_bytes=16)])
    with pytest.raises(PlanError, match="action 4: tier 'disk' would hold 16 bytes with storage 1, its capacity is 15"):
        replay(wide(3), actions, (0,), tiers=[replace(DISK, capacity_bytes=15)])


def test_room_is_taken_when_the_copy_begins() -> None:
    """Storage 0 is back before storage 1 is spilled, but the copy of 1 began long before."""
    actions = [Compute(0), Compute(1), Spill(0), Load(0), Compute(2), Spill(1), Load(1), Compute(3)]
    actions += [Free(s) for s in range(3)]
    with pytest.raises(PlanError, match="room is taken when the copy begins"):
        replay(wide(3), actions, (0,), tiers=[replace(DISK, capacity_bytes=8)])


def test_a_tier_that_does_not_exist_is_refused() -> None:
    actions = [Compute(0), Compute(1), Spill(0, 1), Load(0), Compute(2), Free(0), Free(1)]
    with pytest.raises(PlanError, match="action 2: there is no tier 1; the plan has 1"):
        replay(FORK, actions, (0,), tiers=[DISK])
    with pytest.raises(PlanError, match="action 2: there is no tier 1; the plan names no tiers, so there is one"):
        replay(FORK, actions, (0,))


def test_json_keeps_tiers_and_old_documents_are_read() -> None:
    tiers = [DISK, Tier("host", 8.0, 8.0, latency_seconds=0.25, capacity_bytes=64, duplex=True)]
    actions = [Compute(0), Compute(1), Spill(0, 1), Load(0), Compute(2), Free(0), Free(1)]
    found = certify(FORK, actions, (0,), strategy="by hand", tiers=tiers)
    document = json.loads(found.to_json())
    assert document["actions"][2] == ["s", 0, 1]
    again = Plan.from_json(found.to_json())
    assert again == found
    again.verify(FORK)
    old = certify(FORK, [*actions[:2], Spill(0), *actions[3:]], (0,), strategy="by hand")
    assert "tiers" not in json.loads(old.to_json())
    assert json.loads(old.to_json())["actions"][2] == ["s", 0]
    assert Plan.from_json(old.to_json()) == old


def test_a_document_with_a_tier_that_means_nothing_is_refused() -> None:
    found = certify(
        FORK, [Compute(0), Compute(1), Compute(2), Free(0), Free(1)], (0,), strategy="by hand", tiers=[DISK]
    )
    broken = json.loads(found.to_json())
    broken["tiers"][0]["write_bytes_per_second"] = 0
    with pytest.raises(PlanError, match=r"not a valid plan document.*write_bytes_per_second must be above 0"):
        Plan.from_json(json.dumps(broken))
    broken["tiers"][0] = {"name": "disk", "speed": 3}
    with pytest.raises(PlanError, match="not a valid plan document"):
        Plan.from_json(json.dumps(broken))


# Bad input


@pytest.mark.parametrize("speed", [0, 0.0, -1.0, float("inf"), float("nan")])
def test_bandwidths_are_above_zero(speed: float) -> None:
    with pytest.raises(UsageError, match="tier 'disk': write_bytes_per_second must be above 0 and finite, not"):
        Tier("disk", speed, 1.0)
    with pytest.raises(UsageError, match="tier 'disk': read_bytes_per_second must be above 0 and finite, not"):
        Tier("disk", 1.0, speed)


def test_latency_and_capacity_are_not_below_zero() -> None:
    with pytest.raises(UsageError, match="latency_seconds must be 0 or more and finite, not -1"):
        Tier("disk", 1.0, 1.0, latency_seconds=-1)
    with pytest.raises(UsageError, match="capacity_bytes must be None or 0 or more, not -1"):
        Tier("disk", 1.0, 1.0, capacity_bytes=-1)


def test_tiers_are_tiers() -> None:
    with pytest.raises(UsageError, match="tiers must be a sequence of Tier, found 'disk'"):
        plan(FORK, 16, tiers=["disk"])  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"tiers must be a sequence of Tier, found Tier.*write tiers=\(Tier"):
        plan(FORK, 16, tiers=DISK)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tiers must be a sequence of Tier, found 3"):
        plan(FORK, 16, tiers=3)  # type: ignore[arg-type]


def test_costs_of_zero_say_nothing_about_time() -> None:
    with pytest.raises(UsageError, match="its costs add up to 0"):
        plan(training_chain(3, cost=0.0), 40, tiers=[DISK])


def test_strategies_that_cannot_spill_take_no_tiers() -> None:
    with pytest.raises(UsageError, match="strategy 'sqrt' moves nothing to a slower tier"):
        plan(FORK, 16, "sqrt", tiers=[DISK])
    with pytest.raises(UsageError, match="recompute=… moves nothing to a slower tier"):
        plan(FORK, 16, recompute=[0], tiers=[DISK])
