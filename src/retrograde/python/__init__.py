"""Derivatives of NumPy programs as they are: read from their source, reversed, shown, compiled."""

from retrograde.autodiff.programs.backward_pass import add_backward_pass
from retrograde.python.budget.spilling import DiskRoom
from retrograde.python.explaining import explain
from retrograde.python.explanation import Explanation
from retrograde.python.functions import grad, jvp, value_and_grad, vjp
from retrograde.python.programs import as_program
from retrograde.python.sources import source

__all__ = [
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
]
