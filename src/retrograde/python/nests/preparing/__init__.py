"""Procedures made ready: a name stands for one thing, and slots of one size share an array."""
