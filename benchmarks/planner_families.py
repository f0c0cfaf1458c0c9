"""Graphs of the families that planners are measured on, drawn at random: layered graphs, and training graphs of nets.

They keep a planner from being tuned to the few graphs that were published.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import retrograde as rg


def layered(operations: int, seed: int) -> rg.Graph:
    """A random layered graph as in Bartan et al. (ICML 2023): every operation reads a few of the layers before it.

    Costs and bytes are independent of each other; one source, one sink that reads whatever nobody else does.
    """
    draw = random.Random(seed)
    width = max(3, round(operations**0.5))
    layer = [0, *(1 + (index * width // operations) for index in range(1, operations - 1)), width + 1]
    edges: set[tuple[int, int]] = set()
    for reader in range(1, operations - 1):
        earlier = [made for made in range(reader) if layer[made] < layer[reader]]
        for _ in range(draw.choice((1, 2, 2, 3, 3, 4, 6))):
            reach = max(1, round(draw.expovariate(1 / (1.5 * width))))
            edges.add((earlier[max(0, len(earlier) - reach)], reader))
    unread = set(range(operations - 1)) - {made for made, _ in edges}
    edges.update((made, operations - 1) for made in unread)
    cost = [0, *(draw.randrange(1000) for _ in range(operations - 2)), 0]
    size = [10 * draw.randrange(2, 600) for _ in range(operations)]
    return rg.Graph.from_arrays(cost=cost, bytes=size, edges=sorted(edges), name=f"layered {operations} #{seed}")


@dataclass
class _Network:
    """The forward pass of a network, layer by layer, and the training graph that it gives."""

    cost: list[float] = field(default_factory=lambda: [0.0])
    size: list[int] = field(default_factory=lambda: [1 << 20])
    reads: list[tuple[int, ...]] = field(default_factory=lambda: [()])

    def layer(self, cost: float, size: int, *reads: int) -> int:
        self.cost.append(cost)
        self.size.append(int(size))
        self.reads.append(reads)
        return len(self.cost) - 1

    def training_graph(self, name: str) -> rg.Graph:
        """The forward pass, and for each layer its backward, which reads its output, its inputs and its cotangent."""
        count = len(self.cost)
        readers: list[list[int]] = [[] for _ in range(count)]
        for layer, reads in enumerate(self.reads):
            for read in reads:
                readers[read].append(layer)
        backward = {layer: 2 * count - 1 - layer for layer in range(count)}
        edges = {(read, layer) for layer, reads in enumerate(self.reads) for read in reads}
        for layer in range(count):
            edges.update((read, backward[layer]) for read in (*self.reads[layer], layer))
            edges.update((backward[reader], backward[layer]) for reader in readers[layer])
        cost = [*self.cost, *(2 * c for c in reversed(self.cost))]
        return rg.Graph.from_arrays(cost=cost, bytes=[*self.size, *reversed(self.size)], edges=sorted(edges), name=name)


def plain(depth: int, seed: int) -> rg.Graph:
    """Convolutions in a row, halved in size now and then (VGG)."""
    draw, network, last, size = random.Random(seed), _Network(), 0, 1 << 26
    for layer in range(depth):
        if layer % 4 == 3:
            size //= 2
        last = network.layer(draw.uniform(50, 500), size, last)
    return network.training_graph(f"plain {depth} #{seed}")


def residual(blocks: int, seed: int) -> rg.Graph:
    """Blocks of three layers with their normalisations and a way around each (ResNet)."""
    draw, network, last, size = random.Random(seed), _Network(), 0, 1 << 26
    for block in range(blocks):
        if block % 4 == 3:
            size //= 2
        branch = last
        for shrink in (4, 4, 1):
            branch = network.layer(draw.uniform(200, 500), size // shrink, branch)
            branch = network.layer(draw.uniform(50, 120), size // shrink, branch)
        last = network.layer(draw.uniform(20, 60), size, branch, last)
    return network.training_graph(f"residual {blocks} #{seed}")


def ladder(depth: int, seed: int) -> rg.Graph:
    """Down and up again, with a connection across on every level (U-Net)."""
    draw, network, last, size = random.Random(seed), _Network(), 0, 1 << 26
    levels: list[int] = []
    for _ in range(depth):
        for _ in range(3):
            last = network.layer(draw.uniform(100, 900), size, last)
        levels.append(last)
        size //= 2
    for level in reversed(levels):
        size *= 2
        last = network.layer(draw.uniform(20, 60), 2 * size, last, level)
        for _ in range(3):
            last = network.layer(draw.uniform(100, 900), size, last)
    return network.training_graph(f"ladder {depth} #{seed}")


def dense(blocks: int, seed: int) -> rg.Graph:
    """Blocks in which every layer reads all before it (DenseNet)."""
    draw, network, last, size = random.Random(seed), _Network(), 0, 1 << 24
    for _ in range(blocks):
        members = [last]
        for _ in range(5):
            members.append(network.layer(draw.uniform(100, 300), size, *members))
        last = network.layer(draw.uniform(50, 100), size, members[-1])
        size = max(1 << 16, size // 2)
    return network.training_graph(f"dense {blocks} #{seed}")


FAMILIES: Sequence[tuple[Callable[[int, int], rg.Graph], int]] = (
    (layered, 120),
    (layered, 400),
    (plain, 20),
    (residual, 16),
    (ladder, 5),
    (dense, 4),
)
"""Generators, each with a size."""
