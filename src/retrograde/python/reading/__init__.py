"""From the source of a Python function to a program."""

from retrograde.python.reading.reading import read
from retrograde.python.reading.result import Reading
from retrograde.python.reading.source import NoSource

__all__ = ["NoSource", "Reading", "read"]
