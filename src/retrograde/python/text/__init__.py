"""Procedures as readable Python."""

from retrograde.python.text.module import python_text, run_text

__all__ = ["python_text", "run_text"]
