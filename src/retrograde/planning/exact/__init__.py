"""Proved optima: a best-first search over states of memory, for small graphs and for windows of large ones."""
