"""A loop of Accelerate with bf16, accumulation and clipping: the budget goes on before `prepare`."""

import argparse
import copy

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import retrograde as rg


class Reader(nn.Module):
    """Convolutions over the bytes of a text that predict the next byte everywhere."""

    def __init__(self, width: int = 32, depth: int = 16) -> None:
        super().__init__()
        self.bytes = nn.Embedding(256, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=1 + layer % 3) for layer in range(depth))
        self.head = nn.Linear(width, 256)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        x = self.bytes(text[:, :-1]).transpose(1, 2)
        for layer in self.layers:
            (dilation,) = layer.dilation
            x = x + nn.functional.gelu(layer(nn.functional.pad(x, (2 * dilation, 0))))
        return nn.functional.cross_entropy(self.head(x.transpose(1, 2)).flatten(0, 1), text[:, 1:].flatten())


def train(accelerator: Accelerator, module: nn.Module) -> tuple[list[float], list[int]]:
    """Losses and peaks of eight batches, two to a step."""
    with open(argparse.__file__, "rb") as file:
        text = torch.tensor(list(file.read(64 * 128))).view(64, 128)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    model, optimizer, batches = accelerator.prepare(module, optimizer, DataLoader(TensorDataset(text), batch_size=8))
    losses, peaks = [], []

    def step(batch: torch.Tensor) -> None:
        with accelerator.accumulate(model):
            loss = model(batch)
            accelerator.backward(loss)
            losses.append(loss.item())

    for (batch,) in batches:
        peaks.append(rg.torch.measure(lambda batch=batch: step(batch)).peak_bytes)
        if accelerator.sync_gradients:
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return losses, peaks


def main() -> None:
    accelerator = Accelerator(cpu=True, mixed_precision="bf16", gradient_accumulation_steps=2)
    torch.manual_seed(0)
    module = Reader()
    plain_losses, plain_peaks = train(accelerator, copy.deepcopy(module))
    losses, peaks = train(accelerator, rg.torch.budgeted(module, "60%"))
    (plan,) = rg.torch.plans(module)
    print(f"budget {plan.budget_bytes:,} bytes; peak of a step {max(peaks):,}, without a budget {max(plain_peaks):,}")
    print(f"losses equal: {losses == plain_losses}")


if __name__ == "__main__":
    main()
