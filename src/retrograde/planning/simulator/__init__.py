"""The byte-exact, incremental simulator that every search calls."""

from retrograde.planning.simulator.problem import Arrays, Problem, condense
from retrograde.planning.simulator.simulator import Simulator, sequence_of

__all__ = ["Arrays", "Problem", "Simulator", "condense", "sequence_of"]
