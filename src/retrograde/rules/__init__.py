"""The primitives and their derivatives, one file for each family. Importing this room declares them all."""

from retrograde.rules import (
    along_axis,
    applying,
    comparison,
    contraction,
    convolution,
    creation,
    diagonals,
    einsum,
    elementwise,
    fft,
    indexing,
    interpolation,
    joining,
    linalg,
    matrices,
    padding,
    pairwise,
    products,
    reductions,
    selecting,
    shapes,
    shapes_axes,
    sizes,
    sorting,
    splitting,
    stacks,
    writing,
)

__all__ = ["comparison", "contraction", "elementwise", "indexing", "joining", "reductions", "shapes", "stacks"]
__all__ += ["along_axis", "applying", "creation", "diagonals", "interpolation", "padding", "selecting", "shapes_axes"]
__all__ += ["sizes", "sorting", "splitting", "writing"]
__all__ += ["convolution", "einsum", "fft", "linalg", "matrices", "pairwise", "products"]
