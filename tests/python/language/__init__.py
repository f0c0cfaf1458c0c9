"""Functions as people write them, each differentiated as it is."""
