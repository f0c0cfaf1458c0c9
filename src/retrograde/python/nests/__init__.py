"""Procedures as loop nests that Numba compiles."""
