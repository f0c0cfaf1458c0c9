"""Derivatives of NumPy code: the tape, forward mode, derivatives of functions, and the reversal of programs."""

from importlib import import_module
from typing import TYPE_CHECKING

from retrograde import rules
from retrograde.autodiff.forward import batching_networks
from retrograde.autodiff.functions import grad, hvp, jvp, value_and_grad, vjp
from retrograde.autodiff.programs.reversal import reverse
from retrograde.autodiff.tape.gradient_tape import GradientTape, stop_gradient

if TYPE_CHECKING:
    from retrograde.autodiff.checking import check_gradients
    from retrograde.autodiff.checkpointing import checkpoint
    from retrograde.autodiff.custom.functions import custom_jvp, custom_vjp
    from retrograde.autodiff.custom.primitive import primitive
    from retrograde.autodiff.derivatives.along_lines import directional_second_derivative, hessian_diagonal, taylor
    from retrograde.autodiff.derivatives.directions import natural_gradient, newton_direction
    from retrograde.autodiff.derivatives.jacobians import hessian, jacobian
    from retrograde.autodiff.derivatives.laplacians import laplacian, value_grad_and_laplacian
    from retrograde.autodiff.derivatives.linearizing import linearize

_ = rules, batching_networks  # importing them declares the primitives, and how networks take batches

_HOMES = {
    "check_gradients": "checking",
    "checkpoint": "checkpointing",
    "custom_jvp": "custom.functions",
    "custom_vjp": "custom.functions",
    "directional_second_derivative": "derivatives.along_lines",
    "hessian": "derivatives.jacobians",
    "hessian_diagonal": "derivatives.along_lines",
    "jacobian": "derivatives.jacobians",
    "laplacian": "derivatives.laplacians",
    "linearize": "derivatives.linearizing",
    "natural_gradient": "derivatives.directions",
    "newton_direction": "derivatives.directions",
    "primitive": "custom.primitive",
    "taylor": "derivatives.along_lines",
    "value_grad_and_laplacian": "derivatives.laplacians",
}
"""What a gradient does without is imported when it is first asked for."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "GradientTape",
    "check_gradients",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "directional_second_derivative",
    "grad",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jacobian",
    "jvp",
    "laplacian",
    "linearize",
    "natural_gradient",
    "newton_direction",
    "primitive",
    "reverse",
    "stop_gradient",
    "taylor",
    "value_and_grad",
    "value_grad_and_laplacian",
    "vjp",
]
