"""Loops inside a budget: what is kept, computed again, or stored, and who runs it."""
