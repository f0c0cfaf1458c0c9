"""Linear algebra: the derivatives of numpy.linalg, and of what SciPy has and NumPy lacks."""
