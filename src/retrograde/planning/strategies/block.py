"""Blocks of so many operations: keep what crosses from one into the next, recompute a block when it is wanted."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.graph import Graph
from retrograde.planning.demand import Split, cut_into_blocks, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options

_GROWTH = 1.2


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """One candidate for ``options.block_size``, or one for each of some forty sizes, the small ones first.

    A small block keeps nearly everything, because nearly everything crosses a border; a large one recomputes nearly
    everything and holds it at once; the smallest peak lies between.
    """
    split = Split(graph)
    sizes = [options.block_size] if options.block_size is not None else block_sizes(len(split.early))
    for size in sizes:
        cuts = range(size, len(split.early), size)
        yield recompute_on_demand(split, cut_into_blocks(split, cuts))


def block_sizes(count: int) -> list[int]:
    """Sizes to try for so many operations: 1 to ``count``, every one at first, then in growing steps.

    Example:
        >>> block_sizes(12)
        [1, 2, 3, 4, 5, 6, 7, 8, 10, 12]
    """
    sizes = [1]
    while sizes[-1] < count:
        sizes.append(min(max(sizes[-1] + 1, round(sizes[-1] * _GROWTH)), count))
    return sizes
