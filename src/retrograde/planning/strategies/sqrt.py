"""√n cuts through the early part: keep what crosses them, recompute a block when it is wanted.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", 2016, section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

from retrograde.graph import Graph
from retrograde.planning.demand import Split, cut_into_blocks, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """Two candidates: evenly spaced cuts, and each cut moved to the narrowest place near it.

    A block is recomputed once, when something late first reads from it, and held to its last use. The last block is
    kept.
    """
    split = Split(graph)
    even = even_cuts(len(split.early))
    yield recompute_on_demand(split, cut_into_blocks(split, even))
    narrow = narrow_cuts(split, even)
    if narrow != even:
        yield recompute_on_demand(split, cut_into_blocks(split, narrow))


def even_cuts(count: int) -> list[int]:
    """The places that cut ``count`` operations into √count blocks of about equal length.

    Example:
        >>> even_cuts(9)
        [3, 6]
    """
    blocks = max(1, isqrt(count))
    return [round(count * block / blocks) for block in range(1, blocks)]


def narrow_cuts(split: Split, cuts: list[int]) -> list[int]:
    """Each cut moved, by a third of a block at most, to where fewest bytes cross."""
    reach = len(split.early) // (3 * (len(cuts) + 1))
    return [split.narrowest(cut - reach, cut + reach, cut) for cut in cuts]
