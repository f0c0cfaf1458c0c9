"""Who decides: plans, their actions, the referee, and the strategies that find them."""

from retrograde.planning.actions import Action, Compute, Free, Load, Spill
from retrograde.planning.budget import Budget, format_bytes
from retrograde.planning.lowering import Lowering, RunOrder, Schedule, lower
from retrograde.planning.plan import PLAN_FORMAT_VERSION, Plan, certify
from retrograde.planning.planner import plan
from retrograde.planning.progress import Progress
from retrograde.planning.referee import Moment, Replay, replay
from retrograde.planning.remembered import forget
from retrograde.planning.strategies import STRATEGIES
from retrograde.planning.tradeoff import Tradeoff, TradeoffPoint, tradeoff
from retrograde.planning.transfers import Tier, Timeline, Transfer, Wait, makespan

__all__ = [
    "PLAN_FORMAT_VERSION",
    "STRATEGIES",
    "Action",
    "Budget",
    "Compute",
    "Free",
    "Load",
    "Lowering",
    "Moment",
    "Plan",
    "Progress",
    "Replay",
    "RunOrder",
    "Schedule",
    "Spill",
    "Tier",
    "Timeline",
    "Tradeoff",
    "TradeoffPoint",
    "Transfer",
    "Wait",
    "certify",
    "forget",
    "format_bytes",
    "lower",
    "makespan",
    "plan",
    "replay",
    "tradeoff",
]
