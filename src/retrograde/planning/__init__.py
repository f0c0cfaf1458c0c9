"""Who decides: plans, their actions, the referee, and the strategies that find them."""

from retrograde.planning.actions import Action, Compute, Free, Load, Spill
from retrograde.planning.budget import Budget, format_bytes
from retrograde.planning.plan import PLAN_FORMAT_VERSION, Plan, certify
from retrograde.planning.referee import Replay, replay

__all__ = [
    "PLAN_FORMAT_VERSION",
    "Action",
    "Budget",
    "Compute",
    "Free",
    "Load",
    "Plan",
    "Replay",
    "Spill",
    "certify",
    "format_bytes",
    "replay",
]
