"""Lightning: the network inside the LightningModule gets the budget; its loss belongs to it."""

import argparse
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import retrograde as rg


class Denoiser(nn.Module):
    """Removes noise from pieces of text, and says by how much it failed."""

    def __init__(self, width: int = 64, depth: int = 16) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Dropout(0.1)) for _ in range(depth)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, width))

    def forward(self, clean: torch.Tensor) -> torch.Tensor:
        return nn.functional.mse_loss(self.layers(clean + 0.1 * torch.randn_like(clean)), clean)


class Training(lightning.LightningModule):
    def __init__(self, budget: str | None) -> None:
        super().__init__()
        self.network = Denoiser()
        if budget is not None:
            rg.torch.budgeted(self.network, budget)
        self.losses: list[float] = []

    def training_step(self, batch: list[torch.Tensor], index: int = 0) -> torch.Tensor:
        (clean,) = batch
        loss = self.network(clean)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(budget: str | None) -> tuple[Training, int]:
    """The module after one epoch of three steps, and the peak of one more."""
    with open(argparse.__file__, "rb") as file:
        text = torch.tensor(list(file.read(1536 * 64))).view(1536, 64) / 128 - 1
    lightning.seed_everything(0, verbose=False)
    module = Training(budget)
    settings = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **settings)
    trainer.fit(module, DataLoader(TensorDataset(text), batch_size=512))
    module.zero_grad()
    return module, rg.torch.measure(lambda: module.training_step([text[:512]]).backward()).peak_bytes


def main() -> None:
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    plain, plain_peak = train(None)
    module, peak = train("60%")
    (plan,) = rg.torch.plans(module.network)
    print(f"budget {plan.budget_bytes:,} bytes; peak of a step {peak:,}, without a budget {plain_peak:,}")
    print(f"losses equal: {module.losses == plain.losses}")


if __name__ == "__main__":
    main()
