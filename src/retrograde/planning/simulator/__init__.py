"""The byte-exact, incremental simulator that every search calls."""

from retrograde.planning.simulator.layout import Arrays, State
from retrograde.planning.simulator.problem import Problem, condense
from retrograde.planning.simulator.simulator import Simulator, sequence_of

__all__ = ["Arrays", "Problem", "Simulator", "State", "condense", "sequence_of"]
