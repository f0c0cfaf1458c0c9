"""Primitives whose result's element depends on many elements of an operand."""
