"""Stacks as arrays, and as lists where their elements change their size."""
