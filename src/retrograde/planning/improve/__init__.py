"""Improvement of sequences over the simulator: a greedy descent, and annealing with reordering."""

from retrograde.planning.improve.annealing import Annealing
from retrograde.planning.improve.curve import Curve, Found
from retrograde.planning.improve.descent import Descent, Effort

__all__ = ["Annealing", "Curve", "Descent", "Effort", "Found"]
