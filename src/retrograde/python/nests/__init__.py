"""Procedures as loop nests that Numba compiles."""

from retrograde.python.nests.driver import Nests, nests_of

__all__ = ["Nests", "nests_of"]
