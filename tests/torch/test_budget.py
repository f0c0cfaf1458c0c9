"""The budget is a promise: an independent meter reads at most the budget, from the first step on."""

import copy

import pytest
import torch
from cases import CASES, Convolutional, TinyGPT, tokens
from steps import assert_same_bits, run_step

import retrograde as rg


def step_of(module, inputs):
    def step():
        module.zero_grad()
        module(*inputs).backward()

    return step


@pytest.mark.parametrize("case", ["gpt", "dropout", "batch norm"])
@pytest.mark.parametrize("percent", ["100%", "85%"])
def test_measured_peak_is_at_most_the_budget(case, percent):
    make, make_inputs = CASES[case]
    plain, inputs = make(), make_inputs()
    planned = rg.torch.budgeted(copy.deepcopy(plain), percent, iterations=200)
    peaks = [rg.torch.measure(step_of(planned, inputs)).peak_bytes for _ in range(2)]
    (plan,) = rg.torch.plans(planned)
    assert max(peaks) <= plan.peak_bytes <= plan.budget_bytes
    assert min(peaks) >= 0.98 * plan.peak_bytes
    plain.load_state_dict(planned.state_dict())
    planned.zero_grad()
    assert_same_bits(run_step(planned, inputs), run_step(plain, inputs))


def test_a_smaller_budget_recomputes_and_a_larger_one_does_not():
    overheads = []
    for percent in ("100%", "60%"):
        model = rg.torch.budgeted(TinyGPT(), percent, iterations=200)
        step_of(model, tokens())()
        overheads.append(rg.torch.plans(model)[0].overhead)
    assert overheads[0] == 0 < overheads[1]


def test_a_budget_that_cannot_be_met_raises_before_anything_runs_and_names_one_that_can():
    model = rg.torch.budgeted(TinyGPT(), 20_000, iterations=200)
    ran = []
    model.norm.weight.register_hook(lambda gradient: ran.append(gradient))
    with pytest.raises(rg.BudgetError) as caught:
        model(*tokens())
    assert caught.value.budget_bytes == 20_000
    assert caught.value.bound_bytes <= caught.value.minimum_bytes
    assert str(caught.value.minimum_bytes) in str(caught.value)
    assert all(p.grad is None for p in model.parameters())
    rg.torch.unbudget(model)
    rg.torch.budgeted(model, caught.value.minimum_bytes, iterations=200)
    assert rg.torch.measure(step_of(model, tokens())).peak_bytes <= caught.value.minimum_bytes


def test_bytes_held_outside_the_module_are_part_of_the_budget():
    model, inputs = Convolutional(), CASES["batch norm"][1]()
    step_of(rg.torch.budgeted(model, "100%", iterations=200), inputs)()
    alone = rg.torch.plans(model)[0].peak_bytes
    rg.torch.unbudget(model)
    step_of(rg.torch.budgeted(model, "1 GiB", outside_bytes="1 MB"), inputs)()
    assert rg.torch.plans(model)[0].peak_bytes >= 10**6
    rg.torch.unbudget(model)
    with pytest.raises(rg.BudgetError):
        rg.torch.budgeted(model, alone, outside_bytes=alone, iterations=200)(*inputs)


@pytest.mark.parametrize("budget", [0, -1, float("nan"), 1.5, True, "8 GiBs", "140%", "0%", None, ""])
def test_a_budget_that_means_nothing_is_refused_at_once(budget):
    with pytest.raises(rg.UsageError, match="budget of"):
        rg.torch.budgeted(TinyGPT(), budget)


def test_retained_residuals_are_planned_for():
    plain = TinyGPT()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt", retain_graph=True)

    def first_backward(model):
        losses.append(model(*inputs))
        losses[-1].backward(retain_graph=True)

    losses, inputs = [], tokens()
    peak = rg.torch.measure(lambda: first_backward(planned)).peak_bytes
    # The plan leaves room for the gradients of a backward that ran before.
    first_bytes = rg.torch.plans(planned)[0].peak_bytes - sum(p.numel() * 4 for p in plain.parameters())
    assert 0.98 * first_bytes <= peak <= first_bytes
    first_backward(plain)
    for loss in losses:
        loss.backward()
    for ours, theirs in zip(planned.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)
