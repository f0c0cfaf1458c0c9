"""Generated functions compiled by Numba, and kept on disk by their content."""

from retrograde.python.compiling.modules import compile_text

__all__ = ["compile_text"]
