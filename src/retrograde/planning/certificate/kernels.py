"""Reachability in a graph, compiled."""

from __future__ import annotations

import numpy as np

from retrograde.planning.compiling import compiled


@compiled
def mark_ancestors(order, starts, makers, marks, last):
    """Mark every operation that a marked one depends on, looking at positions ``last`` and before."""
    for position in range(last, -1, -1):
        operation = order[position]
        if marks[operation]:
            for place in range(starts[operation], starts[operation + 1]):
                marks[makers[place]] = True


@compiled
def mark_descendants(order, starts, makers, marks, first):
    """Mark every operation that depends on a marked one, looking at positions ``first`` and after."""
    for position in range(first, len(order)):
        operation = order[position]
        for place in range(starts[operation], starts[operation + 1]):
            if marks[makers[place]]:
                marks[operation] = True
                break


@compiled
def longest_path(order, starts, makers):
    """The operations of a path of most operations, first to last."""
    count = len(order)
    length = np.ones(count, np.int64)
    previous = np.full(count, -1, np.int64)
    end = order[0]
    for position in range(count):
        operation = order[position]
        for place in range(starts[operation], starts[operation + 1]):
            maker = makers[place]
            if length[maker] + 1 > length[operation]:
                length[operation] = length[maker] + 1
                previous[operation] = maker
        if length[operation] > length[end]:
            end = operation
    path = np.empty(length[end], np.int64)
    for place in range(length[end] - 1, -1, -1):
        path[place] = end
        end = previous[end]
    return path
