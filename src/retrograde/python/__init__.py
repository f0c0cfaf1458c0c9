"""Derivatives of NumPy programs as they are: read from their source, reversed, shown, compiled."""

from retrograde.python.explaining import explain
from retrograde.python.explanation import Explanation
from retrograde.python.functions import grad, jvp, value_and_grad, vjp
from retrograde.python.sources import source

__all__ = ["Explanation", "explain", "grad", "jvp", "source", "value_and_grad", "vjp"]
