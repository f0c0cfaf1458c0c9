"""The primitives and their derivatives, one file for each family. Importing this room declares them all."""

from retrograde.rules import (
    comparison,
    contraction,
    elementwise,
    indexing,
    joining,
    nn,
    reductions,
    shapes,
    special,
    stacks,
)

__all__ = [
    "comparison",
    "contraction",
    "elementwise",
    "indexing",
    "joining",
    "nn",
    "reductions",
    "shapes",
    "special",
    "stacks",
]
