"""Graphs as chains of blocks: where to cut them, and a dynamic program over the blocks."""

from retrograde.planning.blocks.chain import Chain

__all__ = ["Chain"]
