"""The ``retrograde`` command."""

from retrograde.cli.main import main

__all__ = ["main"]
