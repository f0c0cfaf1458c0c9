"""Derivatives of NumPy code."""

import retrograde.rules  # noqa: F401  (declares the primitives)
from retrograde.autodiff.tape import GradientTape, stop_gradient

__all__ = ["GradientTape", "stop_gradient"]
