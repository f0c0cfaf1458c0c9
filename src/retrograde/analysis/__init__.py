"""What is known before deciding: working sets, frontiers, orders and bounds of a graph."""

from retrograde.analysis.working_sets import largest_working_set_bytes, working_set_bytes, working_sets

__all__ = ["largest_working_set_bytes", "working_set_bytes", "working_sets"]
