"""Training graphs in the shape that frameworks capture them: forward and backward, gradients as outputs.

``gpt``, ``mlp``, ``resnet`` and ``unet`` give a ``Training``: the graph, and the blocks that a person would checkpoint.
Costs are seconds on a device of 1 Tflop/s and 100 GB/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from retrograde import Graph
from retrograde.graph import Operation, Storage, Value

WORD = 4


@dataclass(frozen=True)
class Training:
    """A training graph with its forward blocks, each the operations of one block in order."""

    graph: Graph
    blocks: tuple[tuple[int, ...], ...]

    def block_checkpointed(self) -> list[list[int]]:
        """The sequence of per-block checkpointing: each whole block recomputed once, before its backward."""
        graph = self.graph
        owner = {o: b for b, block in enumerate(self.blocks) for o in block}
        forward = [o for o in graph.order if graph.operations[o].segment == 0]
        backward = [o for o in graph.order if graph.operations[o].segment == 1]
        done: set[int] = set()
        sequence: list[int] = []
        producers = graph.producers
        for operation in backward:
            for value in graph.operations[operation].reads:
                maker = producers[value]
                block = owner.get(maker) if maker is not None else None
                if block is not None and block not in done:
                    done.add(block)
                    sequence += self._needed(block)
            sequence.append(operation)
        return [forward, sequence]

    def _needed(self, block: int) -> list[int]:
        """The operations of a block that its backward reads, and what they need of the block: early stopping."""
        graph = self.graph
        wanted = {v for o in graph.operations if o.segment == 1 for v in o.reads}
        needed: list[int] = []
        for o in reversed(self.blocks[block]):
            if not wanted.isdisjoint(graph.operations[o].makes):
                needed.append(o)
                wanted.update(graph.operations[o].reads)
        return needed[::-1]


@dataclass
class Network:
    """Builds a graph and, reversed, its backward."""

    operations: list[Operation] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)
    tape: list[tuple] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    blocks: list[list[int]] = field(default_factory=list)
    segment: int = 0

    def size(self, value: int) -> int:
        return self.storages[self.values[value].storage].bytes

    def value(self, size: int, arrives: int | None = None) -> int:
        self.storages.append(Storage(size))
        self.values.append(Value(len(self.storages) - 1, arrives))
        return len(self.values) - 1

    def run(
        self, name: str, reads: Sequence[int], sizes: Sequence[int], flops: float = 0.0, workspace: int = 0
    ) -> list[int]:
        moved = sum(self.size(v) for v in set(reads)) + sum(sizes)
        makes = [self.value(size) for size in sizes]
        cost = max(flops / 1e12, moved / 1e11) + 2e-6
        self.operations.append(
            Operation(name, cost, tuple(dict.fromkeys(reads)), tuple(makes), workspace, self.segment)
        )
        if self.segment == 0 and self.blocks:
            self.blocks[-1].append(len(self.operations) - 1)
        return makes

    def view(self, x: int) -> int:
        self.values.append(Value(self.values[x].storage))
        made = len(self.values) - 1
        self.operations.append(Operation("view", 0.0, (x,), (made,), 0, self.segment))
        if self.segment == 0 and self.blocks:
            self.blocks[-1].append(len(self.operations) - 1)
        return made

    # Layers: each appends what its backward needs to the tape.

    def linear(self, x: int, rows: int, inner: int, outer: int) -> int:
        weight = self.value(inner * outer * WORD, 0)
        (y,) = self.run("linear", [x, weight], [rows * outer * WORD], 2.0 * rows * inner * outer)
        self.tape.append(("linear", x, y, weight, 2.0 * rows * inner * outer, inner * outer * WORD))
        return y

    def convolution(self, x: int, pixels: int, inner: int, outer: int, stride: int = 1) -> int:
        weight = self.value(inner * outer * 9 * WORD, 0)
        out = pixels // stride**2
        (y,) = self.run("conv", [x, weight], [out * outer * WORD], 18.0 * out * inner * outer, workspace=out * WORD)
        self.tape.append(("linear", x, y, weight, 18.0 * out * inner * outer, inner * outer * 9 * WORD))
        return y

    def normalise(self, x: int, rows: int) -> int:
        y, statistics = self.run("normalise", [x], [self.size(x), 2 * rows * WORD])
        self.tape.append(("normalise", x, y, statistics))
        return y

    def pointwise(self, x: int, *, keeps_output: bool = False) -> int:
        (y,) = self.run("pointwise", [x], [self.size(x)])
        self.tape.append(("pointwise", x, y, y if keeps_output else x))
        return y

    def add(self, a: int, b: int) -> int:
        (y,) = self.run("add", [a, b], [self.size(a)])
        self.tape.append(("add", (a, b), y))
        return y

    def matmul(self, a: int, b: int, size: int, flops: float) -> int:
        (y,) = self.run("matmul", [a, b], [size], flops)
        self.tape.append(("matmul", (a, b), y, flops))
        return y

    def resize(self, x: int, size: int) -> int:
        (y,) = self.run("resize", [x], [size])
        self.tape.append(("resize", x, y))
        return y

    def concatenate(self, a: int, b: int) -> int:
        (y,) = self.run("concatenate", [a, b], [self.size(a) + self.size(b)])
        self.tape.append(("concatenate", (a, b), y))
        return y

    # The backward

    def backward(self, loss: int) -> Training:
        self.outputs.append(loss)
        self.segment = 1
        gradients: dict[int, int] = {loss: self.value(self.size(loss), 1)}
        for entry in reversed(self.tape):
            kind, inputs, output = entry[0], entry[1], entry[2]
            gradient = gradients.pop(output, None)
            if gradient is None:
                continue
            for x, made in getattr(self, f"_{kind}_backward")(gradient, inputs, output, *entry[3:]):
                gradients[x] = made if x not in gradients else self.run("add", [gradients[x], made], [self.size(x)])[0]
        graph = Graph(
            tuple(self.operations), tuple(self.values), tuple(self.storages),
            tuple(range(len(self.operations))), tuple(self.outputs),
        )  # fmt: skip
        return Training(graph, tuple(tuple(b) for b in self.blocks))

    def _linear_backward(self, gradient, x, output, weight, flops, size):
        (weight_gradient,) = self.run("linear weight backward", [gradient, x], [size], flops)
        self.outputs.append(weight_gradient)
        if self.values[x].available_from == 0:
            return []
        return [(x, self.run("linear backward", [gradient, weight], [self.size(x)], flops)[0])]

    def _normalise_backward(self, gradient, x, output, statistics):
        dx, dw = self.run("normalise backward", [gradient, x, statistics], [self.size(x), 4096])
        self.outputs.append(dw)
        return [(x, dx)]

    def _pointwise_backward(self, gradient, x, output, kept):
        return [(x, self.run("pointwise backward", [gradient, kept], [self.size(x)])[0])]

    def _add_backward(self, gradient, inputs, output):
        return [(inputs[0], gradient), (inputs[1], gradient)]

    def _matmul_backward(self, gradient, inputs, output, flops):
        a, b = inputs
        da = self.run("matmul backward", [gradient, b], [self.size(a)], flops)[0]
        return [(a, da), (b, self.run("matmul backward", [gradient, a], [self.size(b)], flops)[0])]

    def _resize_backward(self, gradient, x, output):
        return [(x, self.run("resize backward", [gradient], [self.size(x)])[0])]

    def _concatenate_backward(self, gradient, inputs, output):
        return [(x, self.run("slice", [gradient], [self.size(x)])[0]) for x in inputs]


def gpt(layers: int = 6, *, batch: int = 8, length: int = 256, width: int = 384, heads: int = 6) -> Training:
    """A decoder with pre-normalised attention and feed-forward blocks."""
    net, rows = Network(), batch * length
    tokens = net.value(rows * 8, 0)
    x = net.run("embed", [tokens], [rows * width * WORD])[0]
    square = batch * heads * length * length * WORD
    flops = 2.0 * batch * length * length * width
    for _ in range(layers):
        net.blocks.append([])
        h = net.normalise(x, rows)
        q, k, v = (net.linear(h, rows, width, width) for _ in range(3))
        scores = net.pointwise(net.matmul(q, k, square, flops))
        probabilities = net.pointwise(net.pointwise(scores, keeps_output=True))
        mixed = net.pointwise(net.matmul(probabilities, v, rows * width * WORD, flops))
        x = net.add(x, net.linear(mixed, rows, width, width))
        h = net.normalise(x, rows)
        h = net.pointwise(net.linear(h, rows, width, 4 * width))
        x = net.add(x, net.linear(h, rows, 4 * width, width))
    net.blocks.append([])
    h = net.normalise(x, rows)
    logits = net.linear(h, rows, width, 1024)
    loss = net.pointwise(logits, keeps_output=True)
    net.blocks.pop()
    return net.backward(loss)


def mlp(blocks: int = 24, *, rows: int = 4096, width: int = 256) -> Training:
    """Blocks of linear, activation, linear, activation, in a chain without skips."""
    net = Network()
    x = net.value(rows * width * WORD, 0)
    for _ in range(blocks):
        net.blocks.append([])
        h = net.pointwise(net.linear(x, rows, width, 4 * width))
        x = net.pointwise(net.linear(h, rows, 4 * width, width))
    return net.backward(x)


def resnet(blocks: Sequence[int] = (3, 4, 6, 3), *, batch: int = 16, side: int = 32) -> Training:
    """Bottleneck-like residual blocks of convolution, normalisation and activation."""
    net = Network()
    width, pixels = 32, batch * side * side
    x = net.value(pixels * 3 * WORD, 0)
    x = net.pointwise(net.normalise(net.convolution(x, pixels, 3, width), width), keeps_output=True)
    for stage, count in enumerate(blocks):
        for block in range(count):
            net.blocks.append([])
            stride = 2 if stage and block == 0 else 1
            outer = width * 2 if stride == 2 else width
            h = net.pointwise(net.normalise(net.convolution(x, pixels, width, outer, stride), outer), keeps_output=True)
            h = net.pointwise(
                net.normalise(net.convolution(h, pixels // stride**2, outer, outer), outer), keeps_output=True
            )
            h = net.normalise(net.convolution(h, pixels // stride**2, outer, outer), outer)
            skip = x if stride == 1 else net.normalise(net.convolution(x, pixels, width, outer, stride), outer)
            x = net.pointwise(net.add(skip, h), keeps_output=True)
            width, pixels = outer, pixels // stride**2
    net.blocks.append([])
    net.blocks.pop()
    return net.backward(net.resize(x, 4096))


def unet(depth: int = 4, *, batch: int = 8, side: int = 64, width: int = 16) -> Training:
    """Convolutions down and up, with a long skip at every level."""
    net = Network()
    pixels = batch * side * side
    x = net.value(pixels * 3 * WORD, 0)
    inner, skips = 3, []
    for _ in range(depth):
        net.blocks.append([])
        x, inner = _double_convolution(net, x, pixels, inner, width), width
        skips.append((x, pixels, width))
        x = net.resize(x, net.size(x) // 4)
        pixels, width = pixels // 4, width * 2
    net.blocks.append([])
    x, inner = _double_convolution(net, x, pixels, inner, width), width
    for skip, pixels, width in reversed(skips):
        net.blocks.append([])
        x = net.concatenate(net.resize(x, net.size(x) * 4), skip)
        x, inner = _double_convolution(net, x, pixels, inner + width, width), width
    return net.backward(net.convolution(x, pixels, width, 2))


def _double_convolution(net: Network, x: int, pixels: int, inner: int, outer: int) -> int:
    for _ in range(2):
        x = net.pointwise(net.normalise(net.convolution(x, pixels, inner, outer), outer), keeps_output=True)
        inner = outer
    return x
