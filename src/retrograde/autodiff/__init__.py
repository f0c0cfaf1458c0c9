"""Derivatives of NumPy code."""

import retrograde.rules  # noqa: F401  (declares the primitives)
from retrograde.autodiff.functions import grad, hessian, hvp, jvp, value_and_grad, vjp
from retrograde.autodiff.tape import GradientTape, stop_gradient

__all__ = ["GradientTape", "grad", "hessian", "hvp", "jvp", "stop_gradient", "value_and_grad", "vjp"]
