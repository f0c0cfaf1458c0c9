"""Derivatives of NumPy code: the tape, forward mode, derivatives of functions, and the reversal of programs."""

from retrograde import rules
from retrograde.autodiff.checking import check_gradients
from retrograde.autodiff.checkpointing import checkpoint
from retrograde.autodiff.custom.functions import custom_jvp, custom_vjp
from retrograde.autodiff.custom.primitive import primitive
from retrograde.autodiff.derivatives.along_lines import directional_second_derivative, hessian_diagonal, taylor
from retrograde.autodiff.derivatives.directions import natural_gradient, newton_direction
from retrograde.autodiff.derivatives.jacobians import hessian, jacobian
from retrograde.autodiff.derivatives.laplacians import laplacian, value_grad_and_laplacian
from retrograde.autodiff.derivatives.linearizing import linearize
from retrograde.autodiff.forward import batching_networks
from retrograde.autodiff.functions import grad, hvp, jvp, value_and_grad, vjp
from retrograde.autodiff.programs.reversal import reverse
from retrograde.autodiff.tape.gradient_tape import GradientTape, stop_gradient

_ = rules, batching_networks  # importing them declares the primitives, and how networks take batches

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
