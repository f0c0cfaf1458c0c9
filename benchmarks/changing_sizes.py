"""An epoch of two hundred different lengths inside a budget: what it costs that they differ.

``python benchmarks/changing_sizes.py``. The first epoch captures, plans and replays; the second finds all of that done.
What the first takes more is the price of the lengths. Every step's gradients are held against eager's in a third epoch,
whose peaks are measured.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import retrograde as rg

BATCH, VOCABULARY, LEAST, MOST = 8, 1000, 32, 231


class Language(nn.Module):
    """A transformer over tokens, with dropout, and its loss."""

    def __init__(self, width: int = 128, layers: int = 6) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(MOST, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return functional.cross_entropy(self.head(x).flatten(0, 1), tokens.flatten())


def main() -> None:
    """Run the epochs and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="steps of an epoch")
    parser.add_argument("--budget", default="60%", help="of eager's peak at the largest length")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain = Language()
    peak = rg.torch.measure(lambda: step(plain, MOST)).peak_bytes
    budget = rg.Budget(options.budget).resolve(peak)
    torch.manual_seed(0)
    planned = rg.torch.budgeted(Language(), budget)
    lengths = list(range(LEAST, MOST + 1))
    order = random.Random(0)
    steps = lengths + [order.choice(lengths) for _ in range(options.steps - len(lengths))]
    order.shuffle(steps)
    first, second = epoch(planned, steps), epoch(planned, steps)
    eager = epoch(plain, steps)
    equal, most = compared(planned, plain, lengths)
    found = {
        "steps": len(steps),
        "lengths": len(lengths),
        "first epoch": first,
        "second epoch": second,
        "eager epoch": eager,
        "price of the lengths": (first - second) / first,
        "plans": len(rg.torch.plans(planned)),
        "gradients equal": equal,
        "largest peak over budget": most / budget,
    }
    for name, value in found.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    if options.json:
        Path(options.json).write_text(json.dumps(found))


def step(model: nn.Module, length: int) -> None:
    """One training step without an optimizer, on tokens that belong to the length."""
    tokens = torch.randint(0, VOCABULARY, (BATCH, length), generator=torch.Generator().manual_seed(length))
    torch.manual_seed(length)
    model.zero_grad()
    model(tokens).backward()


def epoch(model: nn.Module, lengths: list[int]) -> float:
    """CPU seconds of an epoch."""
    begin = time.process_time()
    for length in lengths:
        step(model, length)
    return time.process_time() - begin


def compared(planned: nn.Module, plain: nn.Module, lengths: list[int]) -> tuple[bool, int]:
    """Whether gradients equal eager's at every length, and the largest peak."""
    equal, most = True, 0
    for length in lengths:
        step(plain, length)
        most = max(most, rg.torch.measure(lambda length=length: step(planned, length)).peak_bytes)
        pairs = zip(planned.parameters(), plain.parameters(), strict=True)
        equal = equal and all(torch.equal(a.grad, b.grad) for a, b in pairs)
    return equal, most


if __name__ == "__main__":
    main()
