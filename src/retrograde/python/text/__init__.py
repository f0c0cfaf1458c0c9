"""Procedures as Python that a person reads."""
