"""Primitives whose result's element depends on the operands' elements at the same place."""
