"""Greedy improvement of sequences over the simulator."""

from retrograde.planning.improve.curve import Curve, Found
from retrograde.planning.improve.descent import Descent, Effort

__all__ = ["Curve", "Descent", "Effort", "Found"]
