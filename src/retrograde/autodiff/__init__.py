"""Derivatives of NumPy code."""

from retrograde import rules
from retrograde.autodiff.functions import grad, hessian, hvp, jvp, value_and_grad, vjp
from retrograde.autodiff.tape import GradientTape, stop_gradient

_ = rules  # importing it declares the primitives

__all__ = ["GradientTape", "grad", "hessian", "hvp", "jvp", "stop_gradient", "value_and_grad", "vjp"]
