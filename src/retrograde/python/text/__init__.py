"""Procedures as readable Python."""

from retrograde.python.text.module import given_operations, python_text, run_text

__all__ = ["given_operations", "python_text", "run_text"]
