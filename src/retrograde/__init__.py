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
        check_gradients,
        checkpoint,
        custom_jvp,
        custom_vjp,
        directional_second_derivative,
        hessian,
        hessian_diagonal,
        hvp,
        jacobian,
        laplacian,
        linearize,
        natural_gradient,
        newton_direction,
        primitive,
        stop_gradient,
        taylor,
        value_grad_and_laplacian,
    )
    from retrograde.python import (
        DiskRoom,
        Explanation,
        add_backward_pass,
        as_program,
        explain,
        grad,
        jvp,
        source,
        value_and_grad,
        vjp,
    )

_ROOMS = ("linalg", "nn", "special", "torch")
_OF_PROGRAMS = (
    "DiskRoom",
    "Explanation",
    "add_backward_pass",
    "as_program",
    "explain",
    "grad",
    "jvp",
    "source",
    "value_and_grad",
    "vjp",
)


def __getattr__(name: str) -> object:
    """Import an engine, or what has to do with NumPy code, when it is first asked for."""
    if name in _ROOMS:
        return import_module(f"retrograde.{name}")
    if name in __all__:
        return getattr(import_module(f"retrograde.{'python' if name in _OF_PROGRAMS else 'autodiff'}"), name)
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
    "DiskRoom",
    "EventLog",
    "Explanation",
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
    "add_backward_pass",
    "analyze",
    "as_program",
    "check_gradients",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "directional_second_derivative",
    "execute",
    "explain",
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
    "primitive",
    "source",
    "stop_gradient",
    "taylor",
    "tradeoff",
    "value_and_grad",
    "value_grad_and_laplacian",
    "vjp",
]
