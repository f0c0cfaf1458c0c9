"""The backward pass over what a tape recorded."""

from __future__ import annotations

from heapq import heappop, heappush

from retrograde.autodiff.cotangents import Accumulator, fit
from retrograde.autodiff.tracked import Node
from retrograde.program.primitive import Array


def pull_back(seeds: list[tuple[Node, Array]], sources: list[Node], *, keep: bool) -> list[Array | None]:
    """Carry cotangents from targets to sources.

    Nodes are taken latest first, from a heap. A node's residuals go when it has been passed (unless they are to be
    kept), its cotangent when its parents have theirs.

    Args:
        seeds: targets with their cotangents.
        sources: where cotangents are wanted.
        keep: leave the recording as it is, for another pass.

    Returns:
        For each source its cotangent, or None where no target depends on it.
    """
    sums = Accumulator()
    waiting: list[int] = []
    nodes: dict[int, Node] = {}
    wanted: dict[int, Array | None] = {source.index: None for source in sources}
    for node, cotangent in seeds:
        if sums.add(node.index, cotangent):
            nodes[node.index] = node
            heappush(waiting, -node.index)
    while waiting:
        index = -heappop(waiting)
        node = nodes.pop(index)
        cotangent = sums.take(index)
        if index in wanted:
            wanted[index] = cotangent
        parents, pulls, kept = node.parents, node.pulls, node.kept
        if not keep:
            node.parents, node.pulls, node.kept = (), (), None
        for parent, pull in zip(parents, pulls, strict=True):
            if pull is None:
                continue
            share = pull(cotangent, kept)
            if share.shape != parent.shape or share.dtype != parent.dtype:
                share = fit(share, parent.shape, parent.dtype)
            if sums.add(parent.index, share):
                nodes[parent.index] = parent
                heappush(waiting, -parent.index)
    return [wanted[source.index] for source in sources]
