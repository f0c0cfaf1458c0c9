"""The same engine as a backend of `torch.compile`, and what happens when a budget cannot be met."""

import torch
from torch import nn

import retrograde as rg


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(128, 128), nn.Tanh()) for _ in range(12)))


def compiled(budget: int | str) -> nn.Module:
    return torch.compile(network(), backend="retrograde", fullgraph=True, dynamic=False, options={"budget": budget})


def gradients(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    module(x).square().mean().backward()
    return [parameter.grad for parameter in module.parameters()]


def main() -> None:
    x = torch.randn(4096, 128)
    expected = gradients(network(), x)

    module = compiled("60%")
    found = gradients(module, x)
    print("gradients equal:", all(map(torch.equal, expected, found)))

    try:
        compiled("1 KiB")(x)
    except torch._dynamo.exc.BackendCompilerFailed as failure:
        error = failure.inner_exception
        assert isinstance(error, rg.BudgetError)
        print(f"refused: {error.budget_bytes:,} bytes are too few, the smallest plan needs {error.minimum_bytes:,}")
        found = gradients(compiled(error.minimum_bytes), x)
        print("gradients equal at the smallest budget:", all(map(torch.equal, expected, found)))


if __name__ == "__main__":
    main()
