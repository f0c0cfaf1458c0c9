"""What Numba does not take, and so runs as Python."""

from __future__ import annotations


class Demoted(Exception):
    """An action has no form for Numba; the message says what of it. Whoever translates catches it."""
