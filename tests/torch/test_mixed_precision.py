"""Gradients under autocast around the module, and of dropout, hold eager's bits."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import retrograde as rg


class Attention(nn.Module):
    """Attention that PyTorch computes in 32 bits whatever the type of its operands, and dropout."""

    def __init__(self, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(32, 96), nn.Linear(32, 32)
        self.dropout, self.attention_dropout = dropout, attention_dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        query, key, value = (
            part.view(rows, length, 4, width // 4).transpose(1, 2) for part in self.qkv(x).split(width, dim=2)
        )
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            y = F.scaled_dot_product_attention(query, key, value, dropout_p=self.attention_dropout)
        y = F.dropout(y.transpose(1, 2), self.dropout).reshape(rows, length, width)
        return x + self.out(y)


class Attentions(nn.Module):
    def __init__(self, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Attention(dropout, attention_dropout) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for layer in self.layers:
            y = layer(y)
        return F.mse_loss(y.float(), x)


def gradients(module: nn.Module, x: torch.Tensor, dtype: torch.dtype | None) -> list[torch.Tensor]:
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        loss = module(x)
    loss.backward()
    return [loss.detach(), *(parameter.grad for parameter in module.parameters())]


@pytest.mark.parametrize("budget", ["1 GiB", "80%"])
@pytest.mark.parametrize("dropout", [(0.1, 0.0), (0.15, 0.1)], ids=str)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
def test_autocast_around_the_module_keeps_bits(dropout, dtype, budget):
    plain, x = Attentions(*dropout), torch.randn(16, 16, 32)
    module = rg.torch.budgeted(copy.deepcopy(plain), budget)
    for expected, found in zip(gradients(plain, x, dtype), gradients(module, x, dtype), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("dimensions", [(0, 1, 2), (2, 0, 1), (1, 0, 2)], ids=str)
def test_dropout_draws_and_scales_as_eager(dtype, dimensions):
    data = torch.randn(5, 6, 7).to(dtype)
    probabilities = [0.04, 0.1, 0.15, 0.45, 0.5]

    def results(x: torch.Tensor) -> torch.Tensor:
        turned = x.permute(dimensions)
        return torch.stack([F.dropout(turned, p) for p in probabilities])

    compiled = torch.compile(results, backend="retrograde", options={"budget": "1 GiB"}, dynamic=False)
    found: list[list[torch.Tensor]] = []
    for function in (results, compiled):
        x = data.clone().requires_grad_()
        torch.manual_seed(0)
        y = function(x)
        y.backward(data.permute(dimensions).expand_as(y))
        found.append([y.detach(), x.grad])
    assert all(map(torch.equal, *found))
