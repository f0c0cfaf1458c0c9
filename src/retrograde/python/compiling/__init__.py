"""Generated functions compiled by Numba, and kept on disk by their content."""

from retrograde.python.compiling.modules import compile_text
from retrograde.python.compiling.nests import Nests, stored_nests

__all__ = ["Nests", "compile_text", "stored_nests"]
