"""Primitives that read, choose, sort and write elements by indices."""
