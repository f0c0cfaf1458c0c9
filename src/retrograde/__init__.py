"""Exact gradients inside a memory budget."""

from retrograde.analysis import Analysis, analyze
from retrograde.errors import (
    BudgetError,
    CaptureError,
    GraphError,
    PlanError,
    RankError,
    RetrogradeError,
    TierError,
    UsageError,
    VersionError,
)
from retrograde.graph import Choice, Graph, Operation, Storage, Value
from retrograde.planning import Budget, Compute, Free, Load, Plan, Spill, Tier, Tradeoff, plan, tradeoff
from retrograde.planning.loops import Disk, Loop, LoopPlan, OnlineLoop, loop_choices, plan_loop
from retrograde.runtime import Callbacks, EventLog, execute
from retrograde.version import __version__


def __getattr__(name: str) -> object:
    """Import an engine when it is first asked for."""
    if name == "torch":
        import importlib

        return importlib.import_module("retrograde.torch")
    raise AttributeError(f"module 'retrograde' has no attribute {name!r}")


__all__ = [
    "Analysis",
    "Budget",
    "BudgetError",
    "Callbacks",
    "CaptureError",
    "Choice",
    "Compute",
    "Disk",
    "EventLog",
    "Free",
    "Graph",
    "GraphError",
    "Load",
    "Loop",
    "LoopPlan",
    "OnlineLoop",
    "Operation",
    "Plan",
    "PlanError",
    "RankError",
    "RetrogradeError",
    "Spill",
    "Storage",
    "Tier",
    "TierError",
    "Tradeoff",
    "UsageError",
    "Value",
    "VersionError",
    "__version__",
    "analyze",
    "execute",
    "loop_choices",
    "plan",
    "plan_loop",
    "tradeoff",
]
