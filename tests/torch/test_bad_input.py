"""What a plan does not expect of a user: exact and inside the budget all the same, or an error that says what to do."""

import copy
import gc
import logging
import random
import threading
import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import retrograde as rg
from retrograde.torch.step.keeper import keeper_of

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32), nn.Tanh())

    def forward(self, x):
        return self.layers(x)


class Blocks(nn.Module):
    def __init__(self, count=3):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(count))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Loss(Blocks):
    def forward(self, x):
        return super().forward(x).square().mean()


def rows(count=512, dtype=torch.float32):
    return torch.randn(count, 32, generator=torch.Generator().manual_seed(3)).to(dtype)


def budgeted_copy(module, budget="64 MiB", **options):
    return rg.torch.budgeted(copy.deepcopy(module), budget, **{"iterations": 1000, **options})


def assert_same_gradients(found, expected):
    for ours, theirs in zip(found.parameters(), expected.parameters(), strict=True):
        assert (ours.grad is None and theirs.grad is None) or torch.equal(ours.grad, theirs.grad)


def step_both(planned, plain, x):
    for module in (plain, planned):
        module.zero_grad()
        module(x).backward()
    assert_same_gradients(planned, plain)


# Steps that change


INPUTS = {count: rows(count) for count in (256, 512, 640)}


def random_structure(choose):
    calls = [
        (choose.randrange(2), choose.choice((256, 512, 640)), choose.random()) for _ in range(choose.randint(1, 4))
    ]
    return calls, choose.choice(("chain", "sum", "in order", "in reverse", "some left out"))


def random_step(models, structure):
    calls, mode = structure
    if mode == "chain":
        x = INPUTS[calls[0][1]]
        for model, _, _ in calls:
            x = models[model](x)
        x.mean().backward()
        return
    losses = []
    for model, count, fate in calls:
        loss = models[model](INPUTS[count]).mean()
        if mode != "some left out" or fate > 0.5:
            losses.append(loss)
        elif fate > 0.3:
            loss.backward()
        del loss
    if mode in ("in order", "in reverse"):
        for loss in losses if mode == "in order" else reversed(losses):
            loss.backward()
    elif losses:
        sum(losses).backward()


@pytest.mark.parametrize(("seed", "budget"), [(0, 1_300_000), (1, 1_300_000), (10, 2_000_000)])
def test_steps_of_random_structure_keep_the_budget_or_say_why_not(seed, budget):
    choose = random.Random(seed)
    plain = [Block(), nn.Sequential(Block(), Block())]
    shared = rg.Budget(budget)
    planned = [budgeted_copy(model, shared) for model in plain]
    structures = [random_structure(choose) for _ in range(4)]
    finished = 0
    for _ in range(14):
        structure = choose.choice(structures)
        for model in (*plain, *planned):
            model.zero_grad()
        random_step(plain, structure)
        try:
            if choose.random() < 0.6:
                assert rg.torch.measure(lambda wanted=structure: random_step(planned, wanted)).peak_bytes <= budget
            else:
                random_step(planned, structure)
        except rg.BudgetError:
            gc.collect()
            continue
        finished += 1
        for ours, theirs in zip(planned, plain, strict=True):
            for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
                # Another order of calls may add up a parameter's gradients in another order.
                torch.testing.assert_close(found.grad, expected.grad, rtol=1e-5, atol=1e-8)
    assert finished >= 7


def test_backwards_in_another_order_than_planned_are_refused_where_they_do_not_fit():
    plain, x = Blocks(), rows()

    def in_reverse(model):
        first, second = model(x).mean(), model(x * 0.5).mean()
        second.backward()
        first.backward()

    def in_order(model):
        first, second = model(x).mean(), model(x * 0.5).mean()
        first.backward()
        second.backward()

    store_all = rg.torch.measure(lambda: in_reverse(plain)).peak_bytes
    refused = 0
    for percent in (60, 65, 75, 80):
        planned = budgeted_copy(plain, store_all * percent // 100)
        for _ in range(3):
            planned.zero_grad()
            in_reverse(planned)
        planned.zero_grad()
        try:
            assert rg.torch.measure(lambda model=planned: in_order(model)).peak_bytes <= store_all * percent // 100
        except rg.BudgetError as error:
            refused += "run the backwards of a step in the reverse order of its calls" in str(error)
        gc.collect()
    assert refused
    roomy = budgeted_copy(plain, "64 MiB")
    for step in (in_reverse, in_reverse, in_order, in_order, in_order):
        for model in (plain, roomy):
            model.zero_grad()
            step(model)
        assert_same_gradients(roomy, plain)


def test_outputs_that_are_kept_count_for_the_calls_after():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(32, 1024)

        def forward(self, x):
            return self.layer(x)

    planned, x = budgeted_copy(Wide(), 7_000_000), rows()
    kept = [planned(x) for _ in range(2)]
    with pytest.raises(rg.BudgetError, match=r"call 3 of a step does not fit beside the 4\.00 MiB"):
        planned(x)
    del kept


def test_a_first_step_whose_own_code_exceeds_the_budget_is_told_of(caplog):
    planned, x = budgeted_copy(Blocks(1), 1_000_000), rows()
    (planned(x).sum() + torch.zeros(300_000).sum()).backward()
    with (
        caplog.at_level(logging.WARNING, logger="retrograde"),
        pytest.raises(rg.BudgetError, match=r"steps like the one before this, of 1 call, have no plan: your own code"),
    ):
        planned(x)
    assert "a step whose shape was not known yet held 1." in caplog.text


def test_a_backward_that_runs_again_finds_room_beside_the_gradients_of_the_first():
    plain, x = Loss(), rows()
    budget = rg.torch.measure(lambda: plain(x).backward()).peak_bytes * 9 // 10
    planned = budgeted_copy(plain, budget, retain_graph=True)

    def step():
        loss = planned(x)
        loss.backward(retain_graph=True)
        loss.backward()

    for _ in range(2):
        planned.zero_grad()
        assert rg.torch.measure(step).peak_bytes <= budget
    plain.zero_grad()
    loss = plain(x)
    loss.backward(retain_graph=True)
    loss.backward()
    assert_same_gradients(planned, plain)


def test_an_exception_between_forward_and_backward_leaves_no_trace():
    plain, x = Blocks(), rows()
    budget = rg.torch.measure(lambda: plain(x).mean().backward()).peak_bytes
    planned = budgeted_copy(plain, budget)

    def interrupted():
        loss = planned(x).mean()
        raise KeyError(loss)

    for _ in range(3):
        with pytest.raises(KeyError):
            interrupted()
        plain.zero_grad()
        planned.zero_grad()
        gc.collect()
        plain(x).mean().backward()
        assert rg.torch.measure(lambda: planned(x).mean().backward()).peak_bytes <= budget
        assert_same_gradients(planned, plain)


def test_calls_without_backward_leave_no_profiler_behind():
    planned, x = budgeted_copy(Blocks(1)), rows()
    for _ in range(3):
        planned(x)
    for _ in range(2):
        planned(x).mean().backward()
    assert not torch._C._autograd._profiler_enabled()


def test_a_recording_that_was_left_behind_makes_room_for_that_of_another_module():
    left, wanted, x = budgeted_copy(Blocks(1)), budgeted_copy(Blocks(1)), rows()
    left(x)
    for _ in range(2):
        wanted(x).mean().backward()
    assert len(rg.torch.plans(wanted)) == 1
    del left
    gc.collect()
    assert not torch._C._autograd._profiler_enabled()


def test_a_step_under_way_in_another_thread_is_refused():
    planned, x = budgeted_copy(Blocks(1)), rows()
    waiting = planned(x).mean()
    found = []

    def other():
        try:
            planned(x).mean().backward()
        except rg.CaptureError as error:
            found.append(str(error))

    def in_a_thread():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    in_a_thread()
    assert "waits for its backward pass in another, and a budget is for one step at a time" in found[0]
    waiting.backward()
    in_a_thread()
    assert len(found) == 1


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_inside_and_around_a_budgeted_module(reentrant):
    class Checkpointed(Blocks):
        def forward(self, x):
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=reentrant)
            return x.square().mean()

    x = rows().requires_grad_()
    plain = Checkpointed()
    inside, around = budgeted_copy(plain), budgeted_copy(Loss())
    around.load_state_dict(plain.state_dict())
    for _ in range(3):
        plain.zero_grad()
        plain(x).backward()
        inside.zero_grad()
        inside(x).backward()
        assert_same_gradients(inside, plain)
        around.zero_grad()
        checkpoint(around, x, use_reentrant=reentrant).backward()
        assert_same_gradients(around, plain)


def test_saved_tensors_may_be_moved_away():
    plain = Loss()
    planned = budgeted_copy(plain)
    plain(rows()).backward()
    with torch.autograd.graph.save_on_cpu():
        loss = planned(rows())
    loss.backward()
    assert_same_gradients(planned, plain)


# What is held after a step


@pytest.mark.parametrize("kind", [Loss, Blocks])
def test_inputs_are_let_go_after_the_step(kind):
    planned = budgeted_copy(kind())
    for _ in range(3):
        x = rows().requires_grad_()
        planned(x).mean().backward()
    gone = weakref.ref(x)
    del x
    gc.collect()
    assert gone() is None


def test_many_steps_hold_no_more_than_few():
    planned = budgeted_copy(Blocks(1))

    def steps(count):
        for number in range(count):
            x = INPUTS[(256, 512, 640)[number % 3]].clone().requires_grad_()
            planned(x).mean().backward()
            planned.zero_grad()

    steps(9)
    few = rg.torch.measure(lambda: steps(3))
    many = rg.torch.measure(lambda: steps(24))
    assert many.peak_bytes == few.peak_bytes
    assert many.end_bytes == few.end_bytes


# Control flow and shapes that depend on data


class Branch(Blocks):
    def forward(self, x):
        x = super().forward(x)
        if x.sum() > 0:
            x = x * 2
        return x.square().mean()


class Select(Blocks):
    def forward(self, x):
        x = self.blocks[0](x)
        x = x[x[:, 0] > 0]
        return self.blocks[1](x).square().mean()


@pytest.mark.parametrize(("kind", "reason"), [(Branch, "Data-dependent branching"), (Select, "which depends on data")])
def test_dependence_on_data_is_named(kind, reason, caplog):
    plain = kind()
    planned = budgeted_copy(plain)
    with caplog.at_level(logging.WARNING, logger="retrograde"):
        for sign in (1, 1, -1, 1):
            step_both(planned, plain, rows() * sign)
    assert f"{kind.__name__} is captured in several graphs, because of a graph break at {__file__}:" in caplog.text
    with pytest.raises(rg.CaptureError, match=reason) as refused:
        budgeted_copy(plain, fullgraph=True)(rows())
    assert f"{__file__}:" in str(refused.value)
    assert "ewrite that line" in str(refused.value) or "torch.where and masks" in str(refused.value)


# Modules that change after planning


def test_another_dtype_is_planned_anew():
    plain = Loss()
    planned = budgeted_copy(plain)
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float32):
        plain.to(dtype)
        planned.to(dtype)
        step_both(planned, plain, rows(dtype=dtype))
    assert len(rg.torch.plans(planned)) == 3


def test_a_module_on_the_meta_device_is_refused():
    planned = budgeted_copy(Loss())
    planned(rows()).backward()
    planned.to("meta")
    with pytest.raises(
        rg.CaptureError, match="is on the meta device, which holds no memory to budget; give the module"
    ):
        planned(rows().to("meta"))


def _freeze(module):
    module.blocks[0].requires_grad_(False)


def _freeze_another(module):
    module.requires_grad_(True)
    module.blocks[2].layers[0].weight.requires_grad_(False)


def _unfreeze(module):
    module.requires_grad_(True)


def _append(module):
    torch.manual_seed(5)
    module.blocks.append(nn.Sequential(nn.Linear(32, 32), nn.Tanh()))


def _load(module):
    module.load_state_dict({name: value * 2 for name, value in module.state_dict().items()})


def _load_in_place_of_the_old(module):
    module.load_state_dict({name: value.clone() for name, value in module.state_dict().items()}, assign=True)


def _replace(module):
    module.blocks[0].layers[0].weight = nn.Parameter(torch.ones(128, 32) * 0.01)


def _tie(module):
    module.blocks[1].layers[0].weight = module.blocks[0].layers[0].weight


def test_parameters_that_change_after_planning_are_planned_anew():
    plain = Loss()
    planned = budgeted_copy(plain)
    changes = (_freeze, _freeze_another, _unfreeze, _append, _load, _load_in_place_of_the_old, _replace, _tie)
    step_both(planned, plain, rows())
    for change in changes:
        change(plain)
        change(planned)
        step_both(planned, plain, rows())
        step_both(planned, plain, rows())
    planned.requires_grad_(False)
    assert not planned(rows()).requires_grad


def test_modes_and_buffers_that_change():
    class Noisy(Loss):
        def __init__(self):
            super().__init__()
            self.norm, self.drop = nn.BatchNorm1d(32), nn.Dropout(0.3)
            self.register_buffer("scale", torch.ones(32))

        def forward(self, x):
            return super().forward(self.drop(self.norm(x)) * self.scale)

    plain = Noisy()
    planned = budgeted_copy(plain)
    for number, is_training in enumerate((True, False, True, False, True)):
        for module in (plain, planned):
            module.train(is_training).zero_grad()
            if number == 3:
                module.scale = torch.full((32,), 0.5)
            else:
                module.scale.fill_(1.0 + number)
            torch.manual_seed(number)
            module(rows()).backward()
        assert_same_gradients(planned, plain)
        for found, expected in zip(planned.buffers(), plain.buffers(), strict=True):
            assert torch.equal(found, expected)


# Budgets


@pytest.mark.parametrize(
    "budget", [0, -1, "0%", "-5%", "101%", "abc", float("nan"), float("inf"), 1.5, True, None, [], "", "5", "%"]
)
def test_budgets_that_mean_nothing(budget):
    with pytest.raises(rg.UsageError, match='write an int of bytes, "8 GiB"'):
        rg.torch.budgeted(Loss(), budget)


def test_modules_that_share_a_budget_ask_for_the_same_kind_of_plan():
    shared = rg.Budget("64 MiB")
    budgeted_copy(Blocks(), shared)
    with pytest.raises(rg.UsageError, match=r"asks for strategy='store_all', an earlier one for strategy='auto'"):
        budgeted_copy(Blocks(), shared, strategy="store_all")


def test_a_share_of_the_store_all_peak_of_a_step_of_several_graphs():
    plain = [Blocks(), Blocks()]
    shared = rg.Budget("60%")
    first, second = (budgeted_copy(model, shared) for model in plain)
    x = rows()

    def step():
        second(first(x)).mean().backward()

    for _ in range(2):
        step()
        first.zero_grad()
        second.zero_grad()
    peak = rg.torch.measure(step).peak_bytes
    (plan,) = rg.torch.plans(first)
    assert peak <= plan.budget_bytes
    plain[1](plain[0](x)).mean().backward()
    assert_same_gradients(first, plain[0])
    assert_same_gradients(second, plain[1])


def test_small_plans_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr("retrograde.torch.step.book.MOST_SMALL_PLANS", 3)
    budget = rg.Budget("64 MiB")
    planned = budgeted_copy(Blocks(1), budget)
    for count in range(100, 110):
        planned(INPUTS[256][:count]).mean().backward()
    book = keeper_of(budget).book
    assert len(book._small) <= 3
