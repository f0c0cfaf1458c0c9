"""Keep, compute again or spill: plans with tiers, whose cost is the time that they take."""

from retrograde.planning.spilling.search import search

__all__ = ["search"]
