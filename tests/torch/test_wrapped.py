"""Budgeted modules in the hands of other libraries: looked at, wrapped, bound to copies, called without gradients."""

from __future__ import annotations

import copy
import functools
import inspect
import types

import pytest
import torch
from steps import assert_same_bits, run_step
from torch import nn

import retrograde as rg
from retrograde.errors import UsageError


class Regression(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))

    def forward(self, x: torch.Tensor, *, y: torch.Tensor | None = None) -> torch.Tensor:
        return nn.functional.mse_loss(self.layers(x), x if y is None else y)


def wrap(module: nn.Module) -> None:
    """Wrap and bind a forward as libraries for mixed precision do."""
    unbound = module.forward.__func__

    @functools.wraps(unbound)
    def forward(*args, **kwargs):
        return 2 * unbound(*args, **kwargs)

    module.forward = types.MethodType(forward, module)


def test_a_budgeted_forward_has_the_parameters_of_the_original():
    module = Regression()
    expected = inspect.signature(module.forward)
    assert inspect.signature(rg.torch.budgeted(module, "1 GiB").forward) == expected
    wrap(module)
    assert list(inspect.signature(module.forward).parameters) == ["x", "y"]


def test_without_gradients_nothing_is_compiled_whatever_the_shapes():
    module = rg.torch.budgeted(Regression(), 1)
    with torch.no_grad():
        for rows in range(1, 2 + torch._dynamo.config.recompile_limit):
            assert module(torch.ones(rows, 8)).shape == ()
    assert rg.torch.plans(module) == []


def test_a_wrapped_forward_is_planned_and_its_copy_is_a_copy():
    plain, x = Regression(), torch.randn(4, 8)
    module = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")
    wrap(module)
    duplicate = copy.deepcopy(module)
    with torch.no_grad():
        duplicate.layers[0].weight.zero_()
    wrap(plain)
    assert_same_bits(run_step(module, (x,)), run_step(plain, (x,)))
    assert (len(rg.torch.plans(module)), len(rg.torch.plans(duplicate))) == (1, 0)
    with torch.no_grad():
        plain.layers[0].weight.zero_()
    plain.zero_grad()
    assert_same_bits(run_step(duplicate, (x,)), run_step(plain, (x,)))
    assert (len(rg.torch.plans(module)), len(rg.torch.plans(duplicate))) == (1, 1)


def test_a_wrapped_forward_is_unwrapped_before_its_budget_goes():
    module = rg.torch.budgeted(Regression(), "1 GiB")
    unbound = module.forward.__func__
    wrap(module)
    with pytest.raises(UsageError, match=r"wrapped after it was budgeted, by .*test_wrapped\.py:\d+; .*unwrap_model"):
        rg.torch.unbudget(module)
    # What Accelerate's unwrap_model leaves behind.
    module.forward = types.MethodType(unbound, module)
    module(torch.ones(2, 8)).backward()
    assert len(rg.torch.plans(module)) == 1
    assert "forward" not in rg.torch.unbudget(module).__dict__
    with pytest.raises(UsageError, match="not budgeted"):
        rg.torch.plans(module)


def test_a_budget_whose_forward_somebody_deleted_is_gone():
    module = rg.torch.budgeted(Regression(), "1 GiB")
    del module.forward
    with pytest.raises(UsageError, match="not budgeted"):
        rg.torch.plans(module)
    assert len(rg.torch.plans(rg.torch.budgeted(module, "1 GiB"))) == 0
