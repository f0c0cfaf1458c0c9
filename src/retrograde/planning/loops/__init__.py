"""Loops of many steps: lazy schedules for reversing them within a budget, and a referee of their own."""

from retrograde.planning.loops.actions import Advance, Drop, LoopAction, Record, Restore, Reverse, Snapshot, TierName
from retrograde.planning.loops.choices import LoopChoice, loop_choices
from retrograde.planning.loops.model import Disk, Loop
from retrograde.planning.loops.online_loop import OnlineLoop
from retrograde.planning.loops.plan import LOOP_PLAN_FORMAT_VERSION, LoopPlan
from retrograde.planning.loops.planner import LOOP_STRATEGIES, plan_loop, plan_of
from retrograde.planning.loops.referee import LoopReplay, Sweep, replay_loop, replay_sweep

__all__ = [
    "LOOP_PLAN_FORMAT_VERSION",
    "LOOP_STRATEGIES",
    "Advance",
    "Disk",
    "Drop",
    "Loop",
    "LoopAction",
    "LoopChoice",
    "LoopPlan",
    "LoopReplay",
    "OnlineLoop",
    "Record",
    "Restore",
    "Reverse",
    "Snapshot",
    "Sweep",
    "TierName",
    "loop_choices",
    "plan_loop",
    "plan_of",
    "replay_loop",
    "replay_sweep",
]
