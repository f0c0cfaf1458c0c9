"""Linear algebra: the derivatives of numpy.linalg, and of what SciPy has and NumPy lacks."""

from retrograde.rules.linalg import batches, determinants, eigen, functions, singular, solving, triangular

__all__ = ["batches", "determinants", "eigen", "functions", "singular", "solving", "triangular"]
