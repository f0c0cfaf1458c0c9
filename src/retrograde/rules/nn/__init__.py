"""What networks are made of, where it saves memory or accuracy to have a primitive for it. `retrograde.nn` has the rest."""

from retrograde.rules.nn import convolution

__all__ = ["convolution"]
