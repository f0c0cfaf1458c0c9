"""A scheduled loop as the planner of loops sees it: the bytes of its states and residuals, the costs of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from retrograde.planning.loops import Loop as PlannedLoop
from retrograde.planning.loops import LoopPlan
from retrograde.program.model import Block, Program, Replay, Statement, Sweep, Variable, blocks_of
from retrograde.program.schedules import sharing_slots
from retrograde.python.budget.sizes import Settled, Sizes
from retrograde.python.budget.weights import SLOT_BYTES, WRITTEN_STEPS, array_bytes, peak_bytes, seconds

_GUESSED_STEPS = 1000
"""What is taken for the number of steps of a loop that a condition ends."""


@dataclass(eq=False, slots=True)
class ScheduledLoop:
    """A sweep and its replay.

    Attributes:
        sweep: the forward part.
        replay: the reversal.
        schedule: the input that their schedule is given as.
    """

    sweep: Sweep
    replay: Replay
    schedule: Variable

    @property
    def name(self) -> str:
        """For people: the values that the loop carries."""
        carried = [parameter.hint or parameter.name for parameter in self.sweep.advance.parameters[1:]]
        place = self.sweep.place
        where = f" (line {place.line})" if place is not None else ""
        return f"loop of {', '.join(dict.fromkeys(carried))}{where}"

    def shared_bytes(self, sizes: Sizes) -> tuple[int, int]:
        """The bytes of a state and of a residual that can share their slots."""
        snapshots = [stack.type for stack in self.sweep.snapshots]
        pairs = sharing_slots(snapshots, [stack.type for stack in self.sweep.residuals])
        state = self.replay.advance.parameters[1:]
        residuals = self.replay.record.results[len(self.replay.snapshots) :]
        return _bytes([state[at] for at, _ in pairs], sizes), _bytes([residuals[at] for _, at in pairs], sizes)

    def planned(self, sizes: Sizes, steps: int | None) -> PlannedLoop:
        """What the planner is told; of a loop that a condition ends, as if it ran for a thousand steps."""
        sweep, replay = self.sweep, self.replay
        state = _bytes(replay.advance.parameters[1:], sizes)
        if steps is None or steps > WRITTEN_STEPS:
            state += SLOT_BYTES
        residuals = _bytes(replay.record.results[len(replay.snapshots) :], sizes)
        around = _bytes(sweep.advance.parameters[1:], sizes)
        running = max(peak_bytes(block, sizes) for block in (sweep.advance, sweep.record))
        # What a step keeps is copied while the step's own is still there.
        workspace = around + max(running, peak_bytes(replay.record, sizes))
        cotangents = _bytes(replay.reverse.parameters[1 : 1 + len(replay.initial)], sizes)
        reversing = state + cotangents + peak_bytes(replay.reverse, sizes)
        return PlannedLoop(
            _GUESSED_STEPS if steps is None else steps,
            state_bytes=state,
            residual_bytes=residuals,
            step_cost=seconds(replay.record, sizes),
            reverse_cost=seconds(replay.reverse, sizes),
            workspace_bytes=workspace,
            reverse_workspace_bytes=reversing,
        )


def scheduled_loops(program: Program) -> list[ScheduledLoop]:
    """The scheduled loops of a program, inner ones first. Of several copies of one, the first stands for all."""
    sweeps: dict[Variable, Sweep] = {}
    replays: dict[Variable, Replay] = {}
    for statement in all_statements(program.block):
        if isinstance(statement, Sweep):
            sweeps.setdefault(statement.schedule, statement)
        elif isinstance(statement, Replay):
            replays.setdefault(statement.schedule, statement)
    return [ScheduledLoop(sweep, replays[schedule], schedule) for schedule, sweep in sweeps.items()][::-1]


def all_statements(block: Block) -> Iterator[Statement]:
    """The statements of a block and of all blocks inside, each before those inside it."""
    for statement in block.statements:
        yield statement
        for inner in blocks_of(statement):
            yield from all_statements(inner)


def settle(program: Program, loop: ScheduledLoop, plan: LoopPlan, sizes: Sizes) -> None:
    """Have what is around an inner loop know what its plan takes."""
    figures = plan.figures
    if loop.sweep.condition is None and plan.strategy == "online":
        # Of a number of steps that the run tells; by then everything may be kept that there is room for.
        most = max(figures.peak_bytes, figures.forward_peak_bytes)
        figures = replace(figures, kept_bytes=most, forward_peak_bytes=most, peak_bytes=most)
    sizes.inner[loop.schedule] = Settled(
        figures.kept_bytes,
        figures.forward_peak_bytes - figures.kept_bytes,
        figures.peak_bytes - figures.kept_bytes,
        figures.forward_cost,
        figures.cost - figures.forward_cost,
    )
    for statement in all_statements(program.block):
        if isinstance(statement, Sweep) and statement.schedule is loop.schedule:
            stacks = statement.snapshots + statement.residuals
            sizes.totals.update(dict.fromkeys(stacks, 0.0))
            if stacks:
                sizes.totals[stacks[0]] = figures.kept_bytes


def _bytes(values: list[Any], sizes: Sizes) -> int:
    return array_bytes(values, sizes)
