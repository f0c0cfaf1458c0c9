"""Fewer and faster nests: what is done to parts before they become text."""
