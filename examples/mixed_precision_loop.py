"""A plain loop with autocast, a gradient scaler, accumulation, clipping and an averaged copy, inside a budget."""

import argparse
import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import retrograde as rg


class NextByte(nn.Module):
    """Predicts the next byte of a text out of the sixteen before it."""

    def __init__(self, width: int = 128, depth: int = 8) -> None:
        super().__init__()
        self.bytes = nn.Embedding(256, 16)
        layers = [nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1)) for _ in range(depth)]
        self.layers = nn.Sequential(nn.Linear(256, width), *layers, nn.Linear(width, 256))

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.layers(self.bytes(before).flatten(1)), after)


def train(model: nn.Module, steps: int = 3, parts: int = 2) -> tuple[list[float], list[int]]:
    """The losses of the averaged copy after each step, and the peak of each accumulated part."""
    with open(argparse.__file__, "rb") as file:
        windows = torch.tensor(list(file.read(steps * parts * 1024 + 16))).unfold(0, 17, 1)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    losses, peaks = [], []

    def accumulate(part: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.float16):
            loss = model(part[:, :16], part[:, 16]) / parts
        scaler.scale(loss).backward()

    torch.manual_seed(1)
    for batch in windows.split(parts * 1024):
        peaks += [rg.torch.measure(lambda part=part: accumulate(part)).peak_bytes for part in batch.split(1024)]
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        averaged.update_parameters(model)
        with torch.no_grad():
            losses.append(averaged(batch[:, :16], batch[:, 16]).item())
    return losses, peaks


def main() -> None:
    torch.manual_seed(0)
    model = NextByte()
    plain_losses, plain_peaks = train(copy.deepcopy(model))
    losses, peaks = train(rg.torch.budgeted(model, "60%"))
    (plan,) = rg.torch.plans(model)
    print(f"budget {plan.budget_bytes:,} bytes; peak of a step {max(peaks):,}, without a budget {max(plain_peaks):,}")
    print(f"losses equal: {losses == plain_losses}")


if __name__ == "__main__":
    main()
