"""Budgets that cover the optimizer's step: its new state and its temporaries, beside the gradients."""

import copy

import pytest
import torch
from torch import nn

import retrograde as rg


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(4)))

    def forward(self, x):
        return self.layers(x).square().mean()


class Features(Net):
    def forward(self, x):
        return self.layers(x)


def train(model, optimizer, x):
    optimizer.zero_grad()
    output = model(x)
    (output if output.ndim == 0 else output.square().mean()).backward()
    optimizer.step()


def peaks_of(model, optimizer, x, steps, measured):
    return [
        rg.torch.measure(lambda: train(model, optimizer, x)).peak_bytes if i in measured else train(model, optimizer, x)
        for i in range(steps)
    ]


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_the_whole_step_is_inside_the_budget_and_eagers(kind):
    x = torch.randn(256, 64)
    plain = Net()
    model = copy.deepcopy(plain)
    reference = kind(plain.parameters(), lr=0.01)
    budget = max(peaks_of(plain, reference, x, 4, range(4)))
    optimizer = kind(model.parameters(), lr=0.01)
    rg.torch.budgeted(model, budget, optimizer=optimizer)
    assert max(peaks_of(model, optimizer, x, 4, range(4))) <= budget
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_first_step_counts_new_state_and_later_ones_do_not():
    x = torch.randn(8, 64)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters())
    rg.torch.budgeted(model, "4 MiB", optimizer=optimizer)
    parameters = sum(p.numel() * 4 for p in model.parameters())
    (first,) = peaks_of(model, optimizer, x, 1, [0])
    (planned,) = (plan.peak_bytes for plan in rg.torch.plans(model))
    assert first <= planned <= first + 128
    assert planned >= 3 * parameters
    (second,) = peaks_of(model, optimizer, x, 1, [0])
    (planned,) = (plan.peak_bytes for plan in rg.torch.plans(model))
    assert second <= planned <= second + 128
    assert planned < 2 * parameters


def test_a_budget_that_the_optimizer_breaks_names_it():
    model = Net()
    parameters = sum(p.numel() * 4 for p in model.parameters())
    optimizer = torch.optim.Adam(model.parameters())
    rg.torch.budgeted(model, 2 * parameters, optimizer=optimizer, iterations=1000)
    with pytest.raises(rg.BudgetError, match=r"the optimizer's next step takes .* beside the gradients") as caught:
        model(torch.randn(8, 64))
    rg.torch.unbudget(model)
    rg.torch.budgeted(model, caught.value.minimum_bytes, optimizer=optimizer, iterations=1000)
    (peak,) = peaks_of(model, optimizer, torch.randn(8, 64), 1, [0])
    assert peak <= caught.value.minimum_bytes


def test_a_recorded_step_makes_room_for_the_optimizer_too():
    x = torch.randn(8, 64)
    model = Features()
    optimizer = torch.optim.Adam(model.parameters())
    rg.torch.budgeted(model, "4 MiB", optimizer=optimizer)
    peaks = peaks_of(model, optimizer, x, 5, [0, 3, 4])
    (planned,) = (plan.peak_bytes for plan in rg.torch.plans(model))
    assert peaks[3] <= planned <= peaks[3] + 256


def test_an_optimizer_that_cannot_be_told_beforehand_is_refused_at_once():
    model = Net()
    with pytest.raises(rg.UsageError, match="closure"):
        rg.torch.budgeted(model, "4 MiB", optimizer=torch.optim.LBFGS(model.parameters()))
    with pytest.raises(rg.UsageError, match=r"not a torch\.optim\.Optimizer"):
        rg.torch.budgeted(model, "4 MiB", optimizer="adam")
