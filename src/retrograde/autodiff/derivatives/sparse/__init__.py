"""Sparse Jacobians and Hessians: which entries can be nonzero, and all of them from a few directions."""

from retrograde.autodiff.derivatives.sparse.compressed import sparse_hessian, sparse_jacobian
from retrograde.autodiff.derivatives.sparse.footprints import detect

__all__ = ["detect", "sparse_hessian", "sparse_jacobian"]
