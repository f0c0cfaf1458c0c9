"""The five models of the benchmarks, their losses inside, with random weights and inputs from fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

SEED = 0


class BlockModule(nn.Module):
    """A module made of blocks, each of which ``torch.utils.checkpoint`` may wrap."""

    def __init__(self) -> None:
        super().__init__()
        self.checkpoints_blocks = False

    def run(self, block: nn.Module, *inputs: torch.Tensor) -> torch.Tensor:
        """Call a block, checkpointed if the module was told so."""
        if self.checkpoints_blocks:
            return checkpoint(block, *inputs, use_reentrant=False)
        return block(*inputs)


class TransformerBlock(nn.Module):
    """Attention and a feed-forward layer, each behind a layer norm and a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        query, key, value = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(width, dim=2)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(BlockModule):
    """A decoder-only transformer with its cross-entropy loss."""

    def __init__(self, layers: int, width: int, heads: int, vocabulary: int, length: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = self.run(block, x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


class MLPBlock(nn.Module):
    """A residual feed-forward block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class MLP(BlockModule):
    """A deep residual multi-layer perceptron with its cross-entropy loss."""

    def __init__(self, blocks: int, width: int, classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(MLPBlock(width) for _ in range(blocks))
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = self.run(block, x)
        return F.cross_entropy(self.head(x), targets)


class Bottleneck(nn.Module):
    """The bottleneck block of ResNet-50: 1×1, 3×3 and 1×1 convolutions with batch norm, beside a shortcut."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        outside = 4 * width
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(inside, width, 1, bias=False),
                nn.Conv2d(width, width, 3, stride, 1, bias=False),
                nn.Conv2d(width, outside, 1, bias=False),
            ]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.BatchNorm2d(outside)])
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norms[0](self.convs[0](x)), inplace=True)
        y = F.relu(self.norms[1](self.convs[1](y)), inplace=True)
        y = self.norms[2](self.convs[2](y))
        return F.relu(y + self.shortcut(x), inplace=True)


class ResNet(BlockModule):
    """ResNet-50 with narrower layers: 3, 4, 6 and 3 bottleneck blocks, and its cross-entropy loss."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks: list[nn.Module] = []
        inside = width
        for stage, count in enumerate((3, 4, 6, 3)):
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(Bottleneck(inside, width << stage, stride))
                inside = 4 * (width << stage)
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(inside, classes)

    def forward(self, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.run(self.stem, x), 3, 2, 1)
        for block in self.blocks:
            x = self.run(block, x)
        return F.cross_entropy(self.head(x.mean((2, 3))), targets)


class DoubleConvolution(nn.Module):
    """Two 3×3 convolutions, each with batch norm and ReLU; joins its inputs along the channels first."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        x = torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0]
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(x)), inplace=True)


class UNet(BlockModule):
    """Four levels down and up with skip connections, and a cross-entropy loss for each pixel."""

    def __init__(self, width: int, classes: int, levels: int = 4) -> None:
        super().__init__()
        widths = [width << level for level in range(levels + 1)]
        self.down = nn.ModuleList(DoubleConvolution(i, o) for i, o in zip([3, *widths[:-1]], widths, strict=True))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2) for i in reversed(range(levels)))
        self.up = nn.ModuleList(DoubleConvolution(2 * widths[i], widths[i]) for i in reversed(range(levels)))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        skips: list[torch.Tensor] = []
        for level, block in enumerate(self.down):
            x = self.run(block, F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for rise, block in zip(self.rise, self.up, strict=True):
            x = self.run(block, rise(x), skips.pop())
        return F.cross_entropy(self.head(x), targets)


@dataclass(frozen=True)
class Case:
    """A model to measure.

    Attributes:
        title: for people.
        make_module: makes the module.
        make_inputs: makes its arguments.
    """

    title: str
    make_module: Callable[[], BlockModule]
    make_inputs: Callable[[], tuple[Any, ...]]

    def module(self) -> BlockModule:
        """The module, with the same weights each time."""
        torch.manual_seed(SEED)
        return self.make_module()

    def inputs(self) -> tuple[Any, ...]:
        """Its arguments, the same each time."""
        torch.manual_seed(SEED + 1)
        return self.make_inputs()


def _gpt(layers: int, width: int, batch: int, length: int) -> Case:
    vocabulary = 512
    return Case(
        f"GPT of {layers} layers, width {width}, batch {batch} × {length}",
        lambda: GPT(layers, width, 4, vocabulary, length),
        lambda: (torch.randint(vocabulary, (batch, length)), torch.randint(vocabulary, (batch, length))),
    )


def _mlp(blocks: int, width: int, batch: int) -> Case:
    return Case(
        f"MLP of {blocks} blocks, width {width}, batch {batch}",
        lambda: MLP(blocks, width, 64),
        lambda: (torch.randn(batch, width), torch.randint(64, (batch,))),
    )


def _resnet(width: int, batch: int, size: int) -> Case:
    return Case(
        f"ResNet-50-like, width {width}, batch {batch} × 3 × {size} × {size}",
        lambda: ResNet(width, 64),
        lambda: (torch.randn(batch, 3, size, size), torch.randint(64, (batch,))),
    )


def _unet(width: int, batch: int, size: int) -> Case:
    return Case(
        f"U-Net-like, width {width}, batch {batch} × 3 × {size} × {size}",
        lambda: UNet(width, 8),
        lambda: (torch.randn(batch, 3, size, size), torch.randint(8, (batch, size, size))),
    )


CASES = {
    "gpt6": _gpt(6, 128, 8, 256),
    "gpt24": _gpt(24, 96, 4, 256),
    "mlp24": _mlp(24, 128, 2048),
    "resnet50": _resnet(16, 16, 112),
    "unet": _unet(16, 4, 128),
}
