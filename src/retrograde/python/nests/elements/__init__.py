"""How one element is computed, as text for Numba."""
