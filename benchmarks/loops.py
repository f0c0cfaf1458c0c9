"""Schedules of loops: how long planning and iterating take, and step counts beside `checkpoint_schedules`.

`.venv/bin/python benchmarks/loops.py` prints everything; `--steps 100000` shortens the loop that is iterated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import checkpoint_schedules as peer
from checkpoint_schedules.mixed import optimal_steps_mixed

from retrograde.planning.loops import Disk, LoopPlan, plan_loop

SLOTS = 50


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10**6)
    steps = parser.parse_args().steps
    print_times(steps)
    print_counts()


def print_times(steps: int) -> None:
    """Processor time of planning, the first actions, all actions, and the referee."""
    plan, seconds = timed(lambda: plan_loop(steps, state_bytes=8, budget_bytes=8 * SLOTS))
    print(
        f"{steps:,} steps, {SLOTS} states: planned in {seconds:.4f} s ({plan.strategy}, {plan.forward_steps:,} steps)"
    )
    count, seconds = timed(lambda: sum(1 for _ in plan))
    print(f"  {count:,} actions iterated in {seconds:.2f} s, {1e9 * seconds / count:.0f} ns each")
    seen, seconds = timed(plan.verify)
    print(f"  replayed by the referee in {seconds:.2f} s: {seen.forward_steps:,} steps, peak {seen.peak_bytes} bytes")
    for name, options in OTHERS:
        other, seconds = timed(lambda options=options: plan_loop(**options))
        print(f"  {name}: planned in {seconds:.2f} s ({other.strategy}, overhead {100 * other.overhead:.1f} %)")


OTHERS: list[tuple[str, dict[str, Any]]] = [
    (
        "1,000 equal steps, residuals of 4 states",
        {"steps": 1000, "state_bytes": 8, "budget_bytes": 800, "residual_bytes": 32},
    ),
    (
        "10^6 equal steps, residuals of 4 states",
        {"steps": 10**6, "state_bytes": 8, "budget_bytes": 800, "residual_bytes": 32},
    ),
    (
        "120 unequal steps",
        {
            "steps": 120,
            "state_bytes": [8 + step % 7 for step in range(120)],
            "budget_bytes": 400,
            "residual_bytes": [30 + step % 11 for step in range(120)],
            "step_cost": [1 + step % 3 for step in range(120)],
        },
    ),
    (
        "10^6 equal steps and a disk",
        {"steps": 10**6, "state_bytes": 8, "budget_bytes": 80, "disk": Disk(write_cost=5, read_cost=5)},
    ),
]


def print_counts() -> None:
    """Costs beside those of the peer package: runs of steps, with writes and reads where there is a disk."""
    print(f"{'loop':44} {'ours':>8} {'peer':>8} {'plan, s':>8} {'peer, s':>8}")
    for steps, slots in [(100, 3), (100, 10), (1000, 10)]:
        ours = timed(lambda n=steps, s=slots: plan_loop(n, 1, s))
        row(
            f"revolve, {steps} steps, {slots} states",
            ours,
            timed(lambda n=steps, s=slots: peer_cost(peer.Revolve(n, s))),
        )
    for steps, slots in [(50, 5), (100, 10), (200, 20)]:
        ours = timed(lambda n=steps, s=slots: plan_loop(n, 1, s + 1, residual_bytes=1))
        row(f"mixed, {steps} steps, {slots} slots", ours, timed(lambda n=steps, s=slots: optimal_steps_mixed(n, s)))
    for steps, slots, room, transfer in [(40, 2, 5, 2), (100, 3, 5, 5), (200, 5, 10, 3)]:
        disk = Disk(room, transfer, transfer)
        ours = timed(lambda n=steps, s=slots, d=disk: plan_loop(n, 1, s, disk=d, strategy="optimal"))
        schedule = timed(lambda n=steps, s=slots, r=room, t=transfer: peer_cost(peer.HRevolve(n, s, r, wd=t, rd=t), t))
        row(f"two tiers, {steps} steps, {slots} + {room} states, {transfer} each way", ours, schedule)


def row(name: str, ours: tuple[LoopPlan, float], theirs: tuple[float, float]) -> None:
    """One line of the table."""
    print(f"{name:44} {ours[0].cost:8,} {theirs[0]:8,} {ours[1]:8.3f} {theirs[1]:8.3f}")


def peer_cost(schedule: Any, transfer: float = 0) -> float:
    """What a schedule of the peer package costs."""
    cost = 0.0
    for action in schedule:
        if isinstance(action, peer.Forward):
            cost += len(action) + transfer * (action.write_ics and action.storage == peer.StorageType.DISK)
        elif isinstance(action, (peer.Copy, peer.Move)):
            cost += transfer * (action.from_storage == peer.StorageType.DISK)
    return cost


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the processor time it took in seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
