"""Exact gradients inside a memory budget."""

from importlib import import_module
from typing import TYPE_CHECKING

from retrograde.analysis import Analysis, analyze
from retrograde.errors import (
    BudgetError,
    CaptureError,
    GraphError,
    PlanError,
    RankError,
    RetrogradeError,
    TierError,
    UnsupportedError,
    UsageError,
    VersionError,
)
from retrograde.graph import Choice, Graph, Operation, Storage, Value
from retrograde.planning import Budget, Compute, Free, Load, Plan, Spill, Tier, Tradeoff, plan, tradeoff
from retrograde.planning.loops import Disk, Loop, LoopPlan, OnlineLoop, loop_choices, plan_loop
from retrograde.runtime import Callbacks, EventLog, execute
from retrograde.version import __version__

if TYPE_CHECKING:
    from retrograde.autodiff import (
        GradientTape,
        directional_second_derivative,
        grad,
        hessian,
        hessian_diagonal,
        hvp,
        jacobian,
        jvp,
        laplacian,
        linearize,
        natural_gradient,
        newton_direction,
        stop_gradient,
        taylor,
        value_and_grad,
        value_grad_and_laplacian,
        vjp,
    )

_DERIVATIVES = (
    *("GradientTape", "grad", "hvp", "jvp", "stop_gradient", "value_and_grad", "vjp"),
    *("hessian", "hessian_diagonal", "jacobian", "laplacian", "linearize", "value_grad_and_laplacian"),
    *("directional_second_derivative", "natural_gradient", "newton_direction", "taylor"),
)


def __getattr__(name: str) -> object:
    """Import an engine, or what differentiates NumPy code, when it is first asked for."""
    if name == "torch":
        return import_module("retrograde.torch")
    if name in _DERIVATIVES:
        return getattr(import_module("retrograde.autodiff"), name)
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
    "GradientTape",
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
    "UnsupportedError",
    "UsageError",
    "Value",
    "VersionError",
    "__version__",
    "analyze",
    "directional_second_derivative",
    "execute",
    "grad",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jacobian",
    "jvp",
    "laplacian",
    "linearize",
    "loop_choices",
    "natural_gradient",
    "newton_direction",
    "plan",
    "plan_loop",
    "stop_gradient",
    "taylor",
    "tradeoff",
    "value_and_grad",
    "value_grad_and_laplacian",
    "vjp",
]
