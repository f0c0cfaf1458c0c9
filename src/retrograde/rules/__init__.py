"""The primitives and their derivatives, one file for each family. Importing this room declares them all."""

from retrograde.rules import comparison, contraction, elementwise, indexing, joining, reductions, shapes, stacks
from retrograde.rules import convolution, einsum, fft, linalg, matrices, pairwise, products  # isort: skip

__all__ = ["comparison", "contraction", "elementwise", "indexing", "joining", "reductions", "shapes", "stacks"]
__all__ += ["convolution", "einsum", "fft", "linalg", "matrices", "pairwise", "products"]
