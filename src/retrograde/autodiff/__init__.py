"""Derivatives of NumPy code: the tape, forward mode, derivatives of functions, and the reversal of programs."""

from retrograde import rules
from retrograde.autodiff.functions import grad, hvp, jvp, value_and_grad, vjp
from retrograde.autodiff.jacobians import hessian, jacobian
from retrograde.autodiff.linearizing import linearize
from retrograde.autodiff.reversal import reverse
from retrograde.autodiff.tape import GradientTape, stop_gradient

_ = rules  # importing it declares the primitives

__all__ = [
    "GradientTape",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "linearize",
    "reverse",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
