"""The backward pass over what a tape recorded."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np

from retrograde.autodiff.cotangents import Scattered, fit, sum_of_shares
from retrograde.autodiff.tape.residuals import is_large
from retrograde.autodiff.tape.tracked import Node
from retrograde.program.ownership import ALONE, getrefcount
from retrograde.program.primitive import Array

_MANY = 32
"""Of so many large results, the residuals of one more do not matter."""


class Frontier:
    """The nodes that cotangents have come to, with the sum of what came; the latest recorded is taken first.

    Attributes:
        waiting: the indices of the nodes, negative, as a heap.
    """

    __slots__ = ("_nodes", "_sums", "waiting")

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self._nodes: dict[int, Node] = {}
        self._sums: dict[int, Any] = {}

    def add(self, node: Node, share: Any) -> None:
        """Add a cotangent to a node's; in place, where the sum so far is nobody else's."""
        sums, index = self._sums, node.index
        if index in sums:
            alone = getrefcount(sums[index]) == ALONE
            sums[index] = sum_of_shares(sums[index], share, alone)
        else:
            sums[index] = share
            self._nodes[index] = node
            heappush(self.waiting, -index)

    def take(self) -> tuple[Node, list[Any]]:
        """The latest node, and its cotangent in a list that alone holds it."""
        index = -heappop(self.waiting)
        held = [self._sums.pop(index)]
        if type(held[0]) is Scattered:
            held[0] = held[0].dense()
        return self._nodes.pop(index), held


def pull_back(seeds: list[tuple[Node, Array]], sources: list[Node], *, keep: bool) -> list[Array | None]:
    """Carry cotangents from targets to sources.

    A node's residuals go when it has been passed (unless they are to be kept), its cotangent when its parents have
    theirs.

    Args:
        seeds: targets with their cotangents.
        sources: where cotangents are wanted.
        keep: leave the recording as it is, for another pass.

    Returns:
        For each source its cotangent, or None where no target depends on it.
    """
    frontier = Frontier()
    wanted: dict[int, Array | None] = {source.index: None for source in sources}
    for node, cotangent in seeds:
        frontier.add(node, cotangent)
    # A heap gives its end back to the system as soon as that is free, and it costs more to get memory again than to
    # fill it. The latest residuals lie at the end, and would go first: held on to, they hold the heap together.
    latest: Any = None
    while frontier.waiting:
        node, held = frontier.take()
        if node.index in wanted:
            wanted[node.index] = held[0]
        if latest is None and node.tape.large > _MANY:
            latest = next(filter(is_large, node.kept or ()), None)
        _carry(frontier, node, held, keep)
    return [wanted[source.index] for source in sources]


def _carry(frontier: Frontier, node: Node, held: list[Any], keep: bool) -> None:
    """Carry a node's cotangent to its parents."""
    parents, pulls, kept = node.parents, node.pulls, node.kept
    if not keep:
        node.free()
    if kept is not None and type(kept) is not tuple:
        kept = kept.restore()
    for parent, pull in zip(parents, pulls, strict=True):
        if pull is None:
            continue
        share = pull(held, kept)
        if share.shape != parent.shape or share.dtype != parent.dtype:
            share = fit(share, parent.shape, parent.dtype)
        if type(share) is np.ndarray and share.base is not None:
            share = _unpinned(share)
        frontier.add(parent, share)


def _unpinned(share: Any) -> Any:
    """A small part of a large cotangent as an array of its own, so that the large one can go, or be written."""
    base = share.base
    pins = is_large(base) and 2 * share.nbytes <= base.nbytes
    return share.copy() if pins else share
