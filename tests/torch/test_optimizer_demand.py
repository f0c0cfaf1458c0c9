"""What an optimizer's step takes is told beforehand, as the meter then reads it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import retrograde as rg
from retrograde.errors import UsageError
from retrograde.torch.optimizer_demand import optimizer_demand

SHAPES = [(64, 64), (64,), (128, 64), (128,), (10, 128), (300, 50)]

NUMBER_BYTES = 16
"""PyTorch wraps the Python numbers that an operation takes, one at a time, in tensors of its own."""

optim = torch.optim
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD with momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "SGD foreach": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, foreach=True),
    "SGD fused": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "SGD maximizing": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, maximize=True),
    "Adam": lambda p: optim.Adam(p),
    "Adam one by one": lambda p: optim.Adam(p, foreach=False),
    "Adam foreach": lambda p: optim.Adam(p, foreach=True),
    "Adam fused": lambda p: optim.Adam(p, fused=True),
    "Adam with a tensor as rate": lambda p: optim.Adam(p, lr=torch.tensor(0.001)),
    "AdamW": lambda p: optim.AdamW(p),
    "AdamW with amsgrad": lambda p: optim.AdamW(p, amsgrad=True, foreach=True),
    "Adagrad": lambda p: optim.Adagrad(p),
    "Adagrad foreach": lambda p: optim.Adagrad(p, foreach=True),
    "Adagrad fused": lambda p: optim.Adagrad(p, fused=True),
    "RMSprop": lambda p: optim.RMSprop(p),
    "RMSprop centered": lambda p: optim.RMSprop(p, momentum=0.9, centered=True, foreach=True),
    "Adafactor": lambda p: optim.Adafactor(p),
    "Adafactor foreach": lambda p: optim.Adafactor(p, foreach=True),
    "Adadelta": lambda p: optim.Adadelta(p),
    "Adamax": lambda p: optim.Adamax(p),
    "NAdam": lambda p: optim.NAdam(p, foreach=True),
    "RAdam": lambda p: optim.RAdam(p),
    "ASGD": lambda p: optim.ASGD(p),
    "Rprop": lambda p: optim.Rprop(p),
    "groups": lambda p: optim.AdamW([{"params": p[:2], "foreach": True}, {"params": p[2:], "amsgrad": True}]),
}


def parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    found = [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in SHAPES]
    for parameter in found:
        parameter.grad = torch.randn_like(parameter)
    return found


def assert_told_beforehand(optimizer: torch.optim.Optimizer, steps: int = 3) -> list[int]:
    """Compare what is told with what is measured, step by step; return the new state of each."""
    states = []
    for _ in range(steps):
        told = optimizer_demand(optimizer)
        measured = rg.torch.measure(optimizer.step)
        kept = measured.timeline[-1][1] if measured.timeline else 0
        assert told.state_bytes == kept
        assert told.peak_bytes <= measured.peak_bytes <= told.peak_bytes + NUMBER_BYTES
        states.append(told.state_bytes)
    return states


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_steps_take_what_was_told(name):
    assert_told_beforehand(OPTIMIZERS[name](parameters()))


def test_moments_are_new_in_the_first_step_alone():
    given = parameters()
    first, *later = assert_told_beforehand(optim.Adam(given))
    assert first == 2 * sum(p.nbytes for p in given) + 4 * len(given)
    assert later == [0, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_element_types(dtype):
    assert_told_beforehand(optim.AdamW(parameters(dtype), foreach=True))


def test_scratch_memory_of_operators_is_not_told():
    optimizer = optim.Muon([p for p in parameters() if p.ndim == 2])
    told = optimizer_demand(optimizer)
    measured = rg.torch.measure(optimizer.step)
    assert told.state_bytes == measured.timeline[-1][1]
    # The CPU's products of bfloat16 matrices take some.
    assert told.state_bytes < told.peak_bytes <= measured.peak_bytes


def test_nothing_of_the_optimizer_changes():
    given = parameters()
    optimizer = optim.Adam(given)
    optimizer.step()
    before = copy.deepcopy((optimizer.state_dict(), given, [p.grad for p in given]))
    random_state = torch.get_rng_state()
    optimizer_demand(optimizer)
    assert all(map(torch.equal, before[1], given))
    assert all(torch.equal(old, new.grad) for old, new in zip(before[2], given, strict=True))
    old_state, new_state = before[0]["state"], optimizer.state_dict()["state"]
    for index, entries in old_state.items():
        assert all(torch.equal(entries[key], new_state[index][key]) for key in entries)
    assert torch.equal(random_state, torch.get_rng_state())


def test_before_the_first_backward_pass_every_parameter_is_taken_to_have_a_gradient():
    given = parameters()
    with_gradients = optimizer_demand(optim.Adam(given))
    for parameter in given:
        parameter.grad = None
    assert optimizer_demand(optim.Adam(given)) == with_gradients
    given[0].requires_grad_(False)
    assert optimizer_demand(optim.Adam(given)).state_bytes == with_gradients.state_bytes - 2 * given[0].nbytes - 4


def test_parameters_without_gradients_are_left_out():
    given = parameters()
    given[5].grad = None
    assert_told_beforehand(optim.Adam(given))


def test_a_scheduler_around_the_step_does_not_matter():
    optimizer = optim.Adam(parameters())
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    assert_told_beforehand(optimizer)
    scheduler.step()
    assert optimizer_demand(optimizer).state_bytes == 0


def test_hooks_on_the_step_do_not_run():
    optimizer = optim.SGD(parameters(), lr=0.1)
    optimizer.register_step_pre_hook(lambda *_: pytest.fail("ran"))
    assert optimizer_demand(optimizer).state_bytes == 0


class Lion(torch.optim.Optimizer):
    """An optimizer that PyTorch does not know."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                moment = self.state[parameter].setdefault("moment", torch.zeros_like(parameter))
                parameter.sub_((0.9 * moment + 0.1 * parameter.grad).sign_(), alpha=group["lr"])
                moment.lerp_(parameter.grad, 0.01)


class Careful(Lion):
    """An optimizer that looks at its gradients before it goes on."""

    @torch.no_grad()
    def step(self, closure=None):
        if all(p.grad.norm().item() < 1e6 for p in self.param_groups[0]["params"]):
            super().step()


def test_an_optimizer_of_ones_own():
    given = parameters()
    assert assert_told_beforehand(Lion(given)) == [sum(p.nbytes for p in given), 0, 0]


def test_what_reads_values_is_refused():
    with pytest.raises(UsageError, match=r"the step of Careful .* reads the value of a tensor.*measure") as caught:
        optimizer_demand(Careful(parameters()))
    assert "leave that much room in the budget" in str(caught.value)


def test_what_needs_a_closure_is_refused():
    with pytest.raises(UsageError, match=r"LBFGS runs forward and backward itself, through a closure.*measure"):
        optimizer_demand(optim.LBFGS(parameters()))


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(10, 4, sparse=True)
    embedding(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(UsageError, match=r"SparseAdam gets a gradient of layout torch.sparse_coo"):
        optimizer_demand(optim.SparseAdam(embedding.parameters()))


def test_a_step_that_fails_is_refused_with_its_error():
    with pytest.raises(UsageError, match=r"SparseAdam fails on tensors without memory: .*dense gradients"):
        optimizer_demand(optim.SparseAdam(parameters()))


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(UsageError, match=r"a Linear is not a torch.optim.Optimizer; give the optimizer that it wraps"):
        optimizer_demand(nn.Linear(2, 2))
