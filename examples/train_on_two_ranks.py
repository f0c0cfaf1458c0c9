"""Train on several ranks, each inside its budget: torchrun --nproc-per-node 2 train_on_two_ranks.py"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import retrograde as rg


class Net(nn.Module):
    """A deep network with its loss inside."""

    def __init__(self, width: int = 128, depth: int = 8) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1)) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.mse_loss(self.layers(x), y)


def main() -> None:
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    # First the budget, then the wrapper: the plan covers what one rank computes.
    budgeted = rg.torch.budgeted(Net(), "60%", iterations=0)
    model = DistributedDataParallel(budgeted)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    torch.manual_seed(dist.get_rank())  # every rank its own data
    x, y = torch.randn(512, 128), torch.randn(512, 128)
    for number in range(4):
        optimizer.zero_grad()
        peak_bytes = rg.torch.measure(lambda: model(x, y).backward()).peak_bytes
        optimizer.step()
        if dist.get_rank() == 0:
            print(f"step {number}: measured peak {peak_bytes:,} bytes")

    (plan,) = rg.torch.plans(budgeted)
    mine = {"budget": plan.budget_bytes, "peak": plan.peak_bytes, "actions": plan.actions}
    everyone = [mine] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    if dist.get_rank() == 0:
        agreed = all(other == mine for other in everyone)
        print(
            f"{len(everyone)} ranks, one plan: {agreed}; budget {plan.budget_bytes:,} bytes, {plan.peak_bytes:,} used"
        )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
