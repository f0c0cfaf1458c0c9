"""The primitives and their derivatives, one file for each family. Importing this room declares them all."""

from retrograde.rules import comparison, contraction, elementwise, indexing, joining, reductions, shapes, stacks
from retrograde.rules import along_axis, applying, creation, diagonals, interpolation, padding, selecting  # isort: skip
from retrograde.rules import shapes_axes, sizes, sorting, splitting, writing  # isort: skip

__all__ = ["comparison", "contraction", "elementwise", "indexing", "joining", "reductions", "shapes", "stacks"]
__all__ += ["along_axis", "applying", "creation", "diagonals", "interpolation", "padding", "selecting", "shapes_axes"]
__all__ += ["sizes", "sorting", "splitting", "writing"]
