"""Train a PyTorch module inside a memory budget; an independent meter reads the peak of the steps."""

import copy

import torch
from torch import nn

import retrograde as rg


class Net(nn.Module):
    """A deep network with its loss inside, so that the plan knows of everything that the step allocates."""

    def __init__(self, width: int = 256, depth: int = 16) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1)) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.mse_loss(self.layers(x), y)


def main() -> None:
    torch.manual_seed(0)
    plain = Net()
    model = rg.torch.budgeted(copy.deepcopy(plain), "50%")
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (plain, model)]
    x, y = torch.randn(1024, 256), torch.randn(1024, 256)

    for number in range(3):
        peaks = []
        for module, optimizer in zip((plain, model), optimizers, strict=True):
            optimizer.zero_grad()
            torch.manual_seed(number)  # the same dropout masks for both
            peaks.append(rg.torch.measure(lambda module=module: module(x, y).backward()).peak_bytes)
        equal = all(torch.equal(p.grad, q.grad) for p, q in zip(plain.parameters(), model.parameters(), strict=True))
        print(f"step {number}: unplanned {peaks[0]:,} bytes, budgeted {peaks[1]:,} bytes, gradients equal: {equal}")
        for optimizer in optimizers:
            optimizer.step()

    (plan,) = rg.torch.plans(model)
    print(f"budget {plan.budget_bytes:,} bytes, predicted peak {plan.peak_bytes:,}, overhead {plan.overhead:.1%}")


if __name__ == "__main__":
    main()
