"""What networks are made of, where a primitive saves memory or accuracy; `retrograde.nn` has the rest."""

from retrograde.rules.nn import activations, convolution, dropout, normalization, pooling

__all__ = ["activations", "convolution", "dropout", "normalization", "pooling"]
