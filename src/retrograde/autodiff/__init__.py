"""Derivatives of NumPy code: the tape, forward mode, derivatives of functions, and the reversal of programs."""

from retrograde import rules
from retrograde.autodiff.checking import check_gradients
from retrograde.autodiff.checkpointing import checkpoint
from retrograde.autodiff.custom import custom_jvp, custom_vjp
from retrograde.autodiff.custom_primitive import primitive
from retrograde.autodiff.functions import grad, hessian, hvp, jvp, value_and_grad, vjp
from retrograde.autodiff.reversal import reverse
from retrograde.autodiff.tape import GradientTape, stop_gradient

_ = rules  # importing it declares the primitives

__all__ = [
    "GradientTape",
    "check_gradients",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "grad",
    "hessian",
    "hvp",
    "jvp",
    "primitive",
    "reverse",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
