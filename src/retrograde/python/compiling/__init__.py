"""Compiled code: regions, and the cache on disk."""
