"""From a few numbers to a schedule and what it will cost: the strategies of loops by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from retrograde.planning.loops.actions import LoopAction, TierName
from retrograde.planning.loops.binomial import Revolve
from retrograde.planning.loops.dynamic import solve
from retrograde.planning.loops.model import Loop, at, total
from retrograde.planning.loops.online import Placement
from retrograde.planning.loops.referee import replay_loop, replay_sweep
from retrograde.planning.loops.simple import EveryK, OneState, Periodic
from retrograde.planning.loops.tally import tally
from retrograde.planning.loops.walk import Decisions, Stretch, Units, walk


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a schedule is made from, besides its loop.

    Attributes:
        strategy: its name.
        numbers: its parameters, by name.
    """

    strategy: str
    numbers: tuple[tuple[str, int], ...] = ()

    def __getitem__(self, name: str) -> int:
        return dict(self.numbers)[name]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the referee will see of a schedule.

    Attributes:
        forward_steps: steps advanced over.
        cost: of everything.
        peak_bytes: in memory.
        disk_peak_bytes: on disk.
        kept_bytes: stored in memory between the forward sweep and the reversal.
        kept_disk_bytes: stored on disk then.
        forward_cost: of the forward sweep.
        forward_peak_bytes: in memory during the forward sweep.
    """

    forward_steps: int
    cost: float
    peak_bytes: int
    disk_peak_bytes: int
    kept_bytes: int
    kept_disk_bytes: int
    forward_cost: float
    forward_peak_bytes: int


def actions(loop: Loop, recipe: Recipe) -> Iterator[LoopAction]:
    """The schedule, one action at a time."""
    if recipe.strategy != "online":
        return walk(*decisions_of(loop, recipe))
    return _online(loop, recipe)


def _online(loop: Loop, recipe: Recipe) -> Iterator[LoopAction]:
    placement = Placement(recipe["slots"])
    for _ in range(loop.steps):
        yield from placement.advance()
    yield from remaining(loop, recipe, placement)


def remaining(loop: Loop, recipe: Recipe, placement: Placement) -> Iterator[LoopAction]:
    """What is left to do when a loop that nobody knew the length of has ended."""
    units, decisions = decisions_of(loop, recipe)
    yield from walk(units, decisions, _between(placement, decisions))


def _between(placement: Placement, decisions: Decisions) -> list[Stretch]:
    """What is left to reverse when a loop ends: what lies between stored states, with what each finds free."""
    capacity = decisions.capacity
    stretches: list[Stretch] = []
    for start, stop in pairwise([*placement.stored, placement.step]):
        stretches.append(Stretch(start, stop, capacity, "memory"))
        capacity = decisions.stored(start, capacity, "memory")
    return stretches


def decisions_of(loop: Loop, recipe: Recipe) -> tuple[Units, Decisions]:
    """The units that a schedule is made in, and the strategy that decides about them."""
    numbers = dict(recipe.numbers)
    units = Units(loop.steps, numbers.get("length", 1))
    if "levels" in numbers:
        return units, solve(loop, units, numbers["budget_bytes"], numbers["levels"])
    match recipe.strategy:
        case "every_k":
            return units, EveryK(numbers["distance"], loop.keeps_residuals)
        case "smallest":
            tier: TierName = "disk" if numbers["on_disk"] else "memory"
            return units, OneState(numbers["recorded_first"], tier)
        case "periodic":
            return units, Periodic(numbers["distance"], numbers["slots"])
        case _:
            return units, Revolve(numbers["slots"])


def figures(loop: Loop, recipe: Recipe) -> Figures:
    """What a schedule adds up to: by counting for equal steps, by replaying it for unequal ones."""
    if not loop.uniform or recipe.strategy == "smallest":
        return _replayed(loop, recipe)
    sweep = replay_sweep(actions(loop, recipe), loop)
    units, decisions = decisions_of(loop, recipe)
    advanced, peak, stretches = 0, sweep.peak_bytes, None
    if recipe.strategy == "online":
        placement = Placement(recipe["slots"])
        for _ in range(loop.steps):
            placement.advance()
        advanced, stretches = loop.steps, _between(placement, decisions)
    found = tally(loop, units, decisions, stretches)
    advanced += found.forward_steps
    costs = [total(loop.step_cost, 0, 1) * (advanced + loop.steps), total(loop.reverse_cost, 0, loop.steps)]
    if loop.disk is not None:
        costs += [at(loop.disk.write_cost, 0) * found.disk_writes, at(loop.disk.read_cost, 0) * found.disk_reads]
    return Figures(
        forward_steps=advanced,
        cost=sum(costs) if all(isinstance(cost, int) for cost in costs) else math.fsum(costs),
        peak_bytes=max(peak, found.peak_bytes),
        disk_peak_bytes=found.disk_peak_bytes,
        kept_bytes=sweep.kept_bytes,
        kept_disk_bytes=sweep.kept_disk_bytes,
        forward_cost=sweep.cost,
        forward_peak_bytes=sweep.peak_bytes,
    )


def _replayed(loop: Loop, recipe: Recipe) -> Figures:
    seen = replay_loop(actions(loop, recipe), loop)
    return Figures(
        seen.forward_steps,
        seen.cost,
        seen.peak_bytes,
        seen.disk_peak_bytes,
        seen.sweep.kept_bytes,
        seen.sweep.kept_disk_bytes,
        seen.sweep.cost,
        seen.sweep.peak_bytes,
    )
