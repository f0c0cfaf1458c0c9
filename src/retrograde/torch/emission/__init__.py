"""Planned graphs: written as FX, compiled, and called."""
