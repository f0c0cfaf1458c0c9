"""Exact gradients inside a memory budget."""

from retrograde.analysis import Analysis, analyze
from retrograde.errors import (
    BudgetError,
    CaptureError,
    GraphError,
    PlanError,
    RetrogradeError,
    TierError,
    UsageError,
    VersionError,
)
from retrograde.graph import Graph, Operation, Storage, Value
from retrograde.planning import Budget, Compute, Free, Load, Plan, Spill

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "Budget",
    "BudgetError",
    "CaptureError",
    "Compute",
    "Free",
    "Graph",
    "GraphError",
    "Load",
    "Operation",
    "Plan",
    "PlanError",
    "RetrogradeError",
    "Spill",
    "Storage",
    "TierError",
    "UsageError",
    "Value",
    "VersionError",
    "analyze",
]
