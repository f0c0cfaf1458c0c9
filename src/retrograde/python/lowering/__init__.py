"""From programs to procedures: which values share an array, and which expressions stand inside others."""

from retrograde.python.lowering.lower import lower

__all__ = ["lower"]
