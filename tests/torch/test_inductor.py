"""Planned graphs compiled by Inductor: inside the budget, the gradients of the unplanned step, levels that survive."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from steps import run_step
from torch import nn

import retrograde as rg

TOLERANCE = 1e-5
"""Of a gradient's norm; single precision with other kernels fused."""


class Tower(nn.Module):
    """Layers whose activations are much larger than their weights, and the loss."""

    def __init__(self, layers: int = 6, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(layers))
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = F.dropout(torch.tanh(layer(x)), self.dropout, training=self.dropout > 0)
        return x.square().mean()


def tower(**options):
    torch.manual_seed(0)
    return Tower(**options)


def rows() -> torch.Tensor:
    return torch.randn(512, 16, generator=torch.Generator().manual_seed(7))


def compiled(module: nn.Module, budget: str, **options) -> nn.Module:
    options = {"iterations": 100, "measure_costs": False, **options}
    return rg.torch.budgeted(module, budget, compiler="inductor", **options)


def planned(module: nn.Module):
    return module.forward.compiler.planned[0]


def measured_peak(module: nn.Module, *inputs: torch.Tensor) -> int:
    module.zero_grad()
    return rg.torch.measure(lambda: module(*inputs).backward()).peak_bytes


def assert_close(found, expected) -> None:
    for what in ("outputs", "gradients", "buffers"):
        for a, b in zip(found[what], expected[what], strict=True):
            assert (a - b).norm() <= TOLERANCE * b.norm() + 1e-9, what


@pytest.fixture(scope="module")
def towers():
    """A tower at several budgets, each after one step, with what that step did."""
    towers = {}
    for budget in ("100%", "60%"):
        module = compiled(tower(), budget)
        towers[budget] = (module, run_step(module, (rows(),)))
    return towers


def test_gradients_are_eagers_within_rounding(towers):
    eager = run_step(tower(), (rows(),))
    for _, step in towers.values():
        assert_close(step, eager)


def test_the_measured_peak_is_the_predicted_one_and_inside_the_budget(towers):
    base = planned(towers["100%"][0]).peak_bytes
    for budget, (module, _) in towers.items():
        peak = measured_peak(module, rows())
        assert abs(planned(module).peak_bytes - peak) <= 0.02 * peak
        assert peak <= rg.Budget(budget).resolve(base)
