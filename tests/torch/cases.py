"""Modules that between them use everything the engine must carry: each with its inputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """A transformer block, pre-norm, with dropout."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, length, width)))
        return x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))


class TinyGPT(nn.Module):
    """A small GPT with the loss inside and, if asked, tied embeddings."""

    def __init__(self, dropout: float = 0.0, tied: bool = False, layers: int = 2) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(64, 32), nn.Embedding(16, 32)
        self.blocks = nn.ModuleList(Block(32, 4, dropout) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 64, bias=False)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


class Convolutional(nn.Module):
    """Convolutions with batch norm, in-place relu and a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.convs = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(4))
        self.head = nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.stem(images)), inplace=True)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = norm(conv(x))
            y += x
            x = F.relu(y, inplace=True)
        return self.head(x.mean((2, 3))).square().mean()


class Cube(torch.autograd.Function):
    """x³ with a derivative written by hand, unlike autograd's in its bits."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3.0 * gradient * x * x


class WithCustomFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.tanh(Cube.apply(layer(x)))
        return x.sum()


class WithViewsAndMutation(nn.Module):
    """Views, an in-place change of an intermediate, a buffer that counts, and an input that is changed."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("average", torch.zeros(16))

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        for layer in self.layers:
            y = torch.sin(layer(x))
            y[:, ::2] *= 2.0
            x = y.view(-1, 4, 4).transpose(1, 2).reshape(-1, 16)
        self.average.mul_(0.9).add_(x.detach().mean(0), alpha=0.1)
        seen.add_(1.0)
        return (x.t() @ x).mean()


class WithNestedContainers(nn.Module):
    """Dicts and tuples in and out, an integer input, several outputs of which one needs no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 16)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, batch: dict[str, torch.Tensor], scale: tuple[float, torch.Tensor]):
        x = self.table(batch["ids"]) * batch["weights"][:, None] * scale[0]
        for layer in self.layers:
            x = F.gelu(layer(x)) + x
        loss = (x * scale[1]).square().mean()
        return {"loss": loss, "parts": (x.mean(0), [x.argmax(-1), batch["ids"]])}


class Frozen(nn.Module):
    """The middle layers take no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(6))
        for layer in self.layers[1:4]:
            layer.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.sigmoid(layer(x)) * x
        return x.sum()


class Autocast(nn.Module):
    """Mixed precision chosen inside the module."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for layer in self.layers:
                x = F.gelu(layer(x)) + x
        return x.float().square().mean()


class FeatureDropout(nn.Module):
    """Random operations of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = F.dropout(torch.tanh(layer(x)), 0.3) + 0.1 * torch.randn_like(x)
            x = x * torch.bernoulli(torch.full_like(x, 0.8))
        return x.square().mean()


def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(0, 64, (4, 17), generator=generator)
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def rows(count: int = 8) -> torch.Tensor:
    return torch.randn(count, 16, generator=torch.Generator().manual_seed(7))


def container_inputs():
    ids = torch.arange(8) % 10
    return {"ids": ids, "weights": torch.linspace(0.5, 1.5, 8)}, (0.5, torch.ones(16))


CASES = {
    "gpt": (TinyGPT, tokens),
    "dropout": (lambda: TinyGPT(dropout=0.2), tokens),
    "tied weights": (lambda: TinyGPT(tied=True), tokens),
    "batch norm": (Convolutional, lambda: (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(7)),)),
    "custom function": (WithCustomFunction, lambda: (rows(),)),
    "views and mutation": (WithViewsAndMutation, lambda: (rows(), torch.zeros(3))),
    "nested containers": (WithNestedContainers, container_inputs),
    "frozen parameters": (Frozen, lambda: (rows(),)),
    "autocast": (Autocast, lambda: (rows(),)),
    "several random operations": (FeatureDropout, lambda: (rows(),)),
}
