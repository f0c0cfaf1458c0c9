"""Derivatives of NumPy programs as they are: read from their source, reversed, shown, compiled."""

from retrograde.python.functions import grad, jvp, value_and_grad, vjp

__all__ = ["grad", "jvp", "value_and_grad", "vjp"]
