"""Primitives that sum products over shared axes."""
