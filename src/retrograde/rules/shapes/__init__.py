"""Primitives that put elements into other places and other shapes."""
