"""Kinds of operation that once came out otherwise than in eager, or that are refused with a remedy."""

import copy

import pytest
import torch
import torch.nn.functional as F
from cases import rows
from steps import assert_same_bits, run_step
from torch import nn

import retrograde as rg


class Chain(nn.Module):
    """Linear layers with an operation after each."""

    def __init__(self, operation):
        super().__init__()
        self.operation = operation
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = self.operation(layer(x))
        return x.square().mean()


def resized(mode, *shape):
    def operation(x):
        larger = F.interpolate(x.view(shape), scale_factor=1.5, mode=mode)
        return F.interpolate(larger, size=shape[2:], mode=mode).reshape(-1, 16).sin()

    return operation


def through_complex_numbers(x):
    spectrum = torch.fft.fft(x, dim=-1)
    return torch.real(spectrum @ spectrum[:16].mH).tanh()


CLASSES = torch.arange(64) % 16
OPERATIONS = {
    "linear": resized("linear", 4, 4, 64),
    "bilinear": resized("bilinear", 4, 4, 8, 8),
    "bicubic": resized("bicubic", 4, 4, 8, 8),
    "trilinear": resized("trilinear", 4, 4, 4, 4, 4),
    "nearest": resized("nearest", 4, 4, 8, 8),
    "nearest-exact": resized("nearest-exact", 4, 4, 4, 4, 4),
    "shrinking": lambda x: F.hardshrink(x.sin(), 0.3) + F.softshrink(x, 0.2),
    "margin losses": lambda x: (
        x.sin()
        + F.multi_margin_loss(x, CLASSES)
        + F.multilabel_margin_loss(x, CLASSES[:, None].expand(64, 16).contiguous())
    ),
    "complex numbers": through_complex_numbers,
    "dropout of everything": lambda x: x.sin() + F.dropout(x, 1.0) + F.dropout(x, 0.0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_planned_step_has_the_bits_and_the_predicted_peak(name):
    plain, inputs = Chain(OPERATIONS[name]), (rows(64),)
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")
    assert_same_bits(run_step(planned, inputs), run_step(plain, inputs))
    planned.zero_grad()
    peak = rg.torch.measure(lambda: planned(*inputs).backward()).peak_bytes
    assert 0.98 * rg.torch.plans(planned)[0].peak_bytes <= peak <= rg.torch.plans(planned)[0].peak_bytes


class InstanceNorms(nn.Module):
    """Instance norms compute further with the new statistics of the batch norm that they are made of."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(8, 8, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList(nn.InstanceNorm1d(8, track_running_stats=True) for _ in range(3))

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x)).relu()
        return x.square().mean()


class SharedNorm(nn.Module):
    """One batch norm, used several times in a step."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.norm = nn.BatchNorm1d(16)

    def forward(self, x):
        for layer in self.layers:
            x = self.norm(layer(x)).relu()
        return x.square().mean()


@pytest.mark.parametrize("strategy", ["sqrt", "recompute_all"])
@pytest.mark.parametrize(("make", "count"), [(InstanceNorms, 64), (SharedNorm, 8)])
def test_statistics_that_are_read_again_are_those_of_eager(make, count, strategy):
    plain = make()
    inputs = (rows(count).view(-1, 8, 16) if make is InstanceNorms else rows(count),)
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy=strategy)
    for step in range(2):
        assert_same_bits(run_step(planned, inputs, step), run_step(plain, inputs, step))


def test_a_sparse_gradient_is_refused_with_its_place():
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 4, sparse=True)

        def forward(self, ids):
            return self.table(ids).square().mean()

    model = rg.torch.budgeted(Sparse(), "1 GiB")
    with pytest.raises(rg.CaptureError, match=r"test_kinds.py:\d+ gives a tensor of layout torch.sparse_coo.*dense"):
        model(torch.arange(5))


def test_a_lazy_layer_that_has_never_run_is_refused_and_works_once_it_has():
    model = rg.torch.budgeted(nn.Sequential(nn.LazyLinear(4), nn.Tanh()), "1 GiB", strategy="sqrt")
    with pytest.raises(rg.CaptureError, match=r"parameter 0.weight of Sequential has no shape yet; run the module"):
        model(rows())
    rg.torch.unbudget(model)(rows())
    rg.torch.budgeted(model, "1 GiB", strategy="sqrt")(rows()).sum().backward()
    assert model[0].weight.grad.shape == (4, 16)


def test_a_recurrent_module_is_refused_with_what_to_write_in_its_place():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = nn.GRU(16, 16)

        def forward(self, x):
            return self.cells(x)[0].sum()

    with pytest.raises(rg.CaptureError, match=r"test_kinds.py:\d+: .*write the loop over time with a cell"):
        rg.torch.budgeted(Recurrent(), "1 GiB", fullgraph=True)(rows())


class Filtered(nn.Module):
    """What the forward does beyond a linear layer is given."""

    def __init__(self, finish):
        super().__init__()
        self.layer, self.finish = nn.Linear(16, 16), finish

    def forward(self, x):
        return self.finish(x, self.layer(x))


def fail(x, y):
    raise ValueError("half way")


def overwrite(x, y):
    x.add_(1.0)
    return y.sum()


@pytest.mark.parametrize(
    ("finish", "message"),
    [
        (lambda x, y: y[y > 0].sum(), r"test_kinds.py:\d+ gives a tensor of shape .*, which depends on data; keep"),
        (fail, r"Filtered cannot be captured as one graph at .*test_kinds.py:\d+: it raises ValueError\('half way'\)"),
        (overwrite, r"cannot trace the gradient of Filtered: RuntimeError: .*modified by an inplace operation"),
    ],
)
def test_what_cannot_be_captured_is_refused_with_its_place_and_the_module_stays_usable(finish, message):
    model = rg.torch.budgeted(Filtered(finish), "1 GiB", strategy="sqrt", fullgraph=True)
    with pytest.raises(rg.CaptureError, match=message):
        model(rows())
    model.finish = lambda x, y: y.sum()
    model(rows()).backward()
    assert model.layer.weight.grad is not None


def test_a_budgeted_module_inside_a_budgeted_one_is_refused_by_name():
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 4))
    rg.torch.budgeted(model[1], "1 GiB")
    with pytest.raises(rg.UsageError, match=r"1 inside this budgeted Sequential is budgeted too.*unbudget one"):
        rg.torch.budgeted(model, "1 GiB")(rows())
    rg.torch.unbudget(model[1])
    model(rows()).sum().backward()


def test_a_call_that_nothing_captures_is_refused():
    from torch.utils.flop_counter import FlopCounterMode

    model = rg.torch.budgeted(nn.Linear(16, 4), "1 GiB")
    with (
        FlopCounterMode(display=False),
        pytest.raises(rg.CaptureError, match=r"under \w*FlopCounterMode, where PyTorch captures nothing"),
    ):
        model(rows())
    model(rows()).sum().backward()


def test_steps_with_hooks_flips_and_changed_parameters_are_those_of_eager():
    plain = Chain(torch.sin)
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")

    def freeze(model):
        model.layers[0].requires_grad_(False)

    def replace(model):
        model.layers[1].weight = nn.Parameter(torch.eye(16))

    def triple(parameter):
        parameter.grad.mul_(3)

    def hook(model):
        model.layers[1].weight.register_hook(lambda gradient: 2 * gradient)
        model.layers[2].weight.register_post_accumulate_grad_hook(triple)

    for change in (freeze, replace, hook, nn.Module.double):
        for model in (plain, planned):
            change(model)
            model.zero_grad()
        inputs = (rows().to(plain.layers[0].weight.dtype),)
        assert_same_bits(run_step(planned, inputs), run_step(plain, inputs))
