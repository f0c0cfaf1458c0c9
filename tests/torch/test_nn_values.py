"""rg.nn against PyTorch: values and gradients, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde import nn

torch = pytest.importorskip("torch")
F = torch.nn.functional


def _random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape)


def _compare(ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: Any, rtol: float = 1e-9) -> None:
    """The same values, and the same gradients of a random projection of them."""
    tensors = [torch.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
    expected = theirs(*tensors)
    weights = _random(*expected.shape, seed=9)
    (expected * torch.tensor(weights)).sum().backward()
    smooth = tuple(at for at, array in enumerate(arrays) if array.dtype.kind == "f")
    found = ours(*arrays)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    gradients = rg.grad(lambda *inputs: np.sum(ours(*inputs) * weights), smooth)(*arrays)
    for at, gradient in zip(smooth, gradients, strict=True):
        np.testing.assert_allclose(gradient, tensors[at].grad.numpy(), rtol=rtol, atol=1e-11)


def _conv_cases() -> list[Any]:
    cases: list[Any] = []
    for axes in (1, 2, 3):
        x, w = (2, 4, 7, 6, 5)[: 2 + axes], (6, 4, 3, 2, 2)[: 2 + axes]
        for options in ({}, {"stride": 2}, {"padding": 1, "dilation": 2}, {"padding": "same"}):
            cases.append((axes, x, w, options))
        cases.append((axes, x, (6, 2, *w[2:]), {"groups": 2, "padding": 2, "stride": 3}))
        cases.append((axes, x, (4, 1, *w[2:]), {"groups": 4}))
    cases.append((2, (2, 4, 7, 6), (6, 4, 3, 2), {"stride": (1, 2), "padding": (2, 0), "dilation": (1, 3)}))
    return cases


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize(("axes", "x", "w", "options"), _conv_cases(), ids=str)
def test_convolutions(axes: int, x: Any, w: Any, options: Any) -> None:
    ours, theirs = getattr(nn, f"conv{axes}d"), getattr(F, f"conv{axes}d")
    _compare(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), _random(*x), _random(*w), _random(w[0]))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "output_padding": 1},
        {"padding": 1, "dilation": 2},
        {"groups": 2, "stride": 3, "padding": 1},
    ],
    ids=str,
)
def test_transposed_convolutions(axes: int, options: Any) -> None:
    ours, theirs = getattr(nn, f"conv_transpose{axes}d"), getattr(F, f"conv_transpose{axes}d")
    x, w = _random(*(2, 4, 3, 4, 2)[: 2 + axes]), _random(*(4, 3, 3, 2, 2)[: 2 + axes])
    b = _random(3 * options.get("groups", 1))
    _compare(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), x, w, b)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"stride": None}, {}),
        ({"stride": 1, "padding": 1}, {"stride": 1, "padding": 1}),
        ({"stride": 2, "padding": 1, "ceil": True}, {"stride": 2, "padding": 1, "ceil_mode": True}),
        ({"stride": 3, "ceil": True}, {"stride": 3, "ceil_mode": True}),
    ],
    ids=str,
)
def test_pooling(axes: int, ours: Any, theirs: Any) -> None:
    x = _random(*(2, 3, 7, 6, 5)[: 2 + axes])
    for kind in ("max", "avg"):
        mine, reference = getattr(nn, f"{kind}_pool{axes}d"), getattr(F, f"{kind}_pool{axes}d")
        _compare(lambda a, f=mine: f(a, 2, **ours), lambda a, f=reference: f(a, 2, **theirs), x)
    uncounted = {**theirs, "count_include_pad": False}
    mine, reference = getattr(nn, f"avg_pool{axes}d"), getattr(F, f"avg_pool{axes}d")
    _compare(lambda a: mine(a, 2, **ours, count_include_pad=False), lambda a: reference(a, 2, **uncounted), x)


def test_dilated_pooling_and_ties() -> None:
    x = np.maximum(_random(2, 3, 8, 8), 0.0)
    _compare(lambda a: nn.max_pool2d(a, 3, 2, 1, 2), lambda a: F.max_pool2d(a, 3, 2, 1, 2), x)


_ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hardtanh": F.hardtanh,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "glu": F.glu,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("name", _ACTIVATIONS)
def test_activations(name: str) -> None:
    # PyTorch's derivative of hardsigmoid has 1/6 in single precision.
    _compare(getattr(nn, name), _ACTIVATIONS[name], 3.0 * _random(5, 8), rtol=1e-7 if name == "hard_sigmoid" else 1e-9)


def test_activations_with_arguments() -> None:
    x = 3.0 * _random(4, 6)
    _compare(lambda a: nn.gelu(a, approximate=True), lambda a: F.gelu(a, approximate="tanh"), x)
    _compare(lambda a: nn.elu(a, 0.3), lambda a: F.elu(a, 0.3), x)
    _compare(lambda a: nn.celu(a, 0.25), lambda a: F.celu(a, 0.25), x)
    _compare(lambda a: nn.softplus(a, 2.5), lambda a: F.softplus(a, 2.5), x)
    _compare(lambda a: nn.glu(a, 0), lambda a: F.glu(a, 0), x)
    _compare(nn.prelu, F.prelu, x, np.full(6, 0.3))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str) -> None:
    for axis in (0, 1, -1):
        _compare(
            lambda a, axis=axis: getattr(nn, name)(a, axis=axis),
            lambda a, axis=axis: getattr(torch, name)(a, axis),
            5.0 * _random(3, 4, 2),
        )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 2, 2), (4,)], ids=str)
def test_cross_entropy(shape: Any, smoothing: float, reduction: str) -> None:
    options = {"reduction": reduction, "label_smoothing": smoothing}
    random = np.random.default_rng(1)
    axis = min(1, len(shape) - 1)
    classes = np.asarray(random.integers(4, size=shape[:axis] + shape[axis + 1 :]))
    weight = random.uniform(0.5, 2.0, 4)
    probabilities = random.dirichlet(np.ones(4), shape[:axis] + shape[axis + 1 :])
    probabilities = np.moveaxis(probabilities, -1, axis)
    for more in ({}, {"weight": weight}):
        theirs = {key: torch.tensor(value) for key, value in more.items()}
        for targets in (classes, probabilities):
            _compare(
                lambda a, t=targets, m=more: nn.cross_entropy(a, t, **m, **options),
                lambda a, t=targets, m=theirs: F.cross_entropy(a, torch.tensor(t), **m, **options),
                _random(*shape),
            )
    if classes.ndim:
        classes.flat[0] = -100
        _compare(
            lambda a: nn.cross_entropy(a, classes, weight=weight, **options),
            lambda a: F.cross_entropy(a, torch.tensor(classes), weight=torch.tensor(weight), **options),
            _random(*shape),
        )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_other_losses(reduction: str) -> None:
    x, y = _random(4, 3), _random(4, 3, seed=1)
    p, z = 1.0 / (1.0 + np.exp(-x)), 1.0 / (1.0 + np.exp(-y))
    weight = np.array([0.5, 1.0, 2.0])
    kind = {"reduction": reduction}
    _compare(lambda a, b: nn.mse_loss(a, b, **kind), lambda a, b: F.mse_loss(a, b, **kind), x, y)
    _compare(lambda a, b: nn.l1_loss(a, b, **kind), lambda a, b: F.l1_loss(a, b, **kind), x, y)
    _compare(lambda a, b: nn.huber_loss(a, b, 0.7, **kind), lambda a, b: F.huber_loss(a, b, delta=0.7, **kind), x, y)
    _compare(
        lambda a, b: nn.binary_cross_entropy(a, b, weight, **kind),
        lambda a, b: F.binary_cross_entropy(a, b, torch.tensor(weight), **kind),
        p,
        z,
    )
    for more in ({}, {"weight": weight}, {"pos_weight": weight}):
        theirs = {key: torch.tensor(value) for key, value in more.items()}
        _compare(
            lambda a, b, m=more: nn.binary_cross_entropy_with_logits(a, b, **m, **kind),
            lambda a, b, m=theirs: F.binary_cross_entropy_with_logits(a, b, **m, **kind),
            x,
            z,
        )
    labels = np.array([0, 2, 1, 2])
    _compare(
        lambda a: nn.nll_loss(a, labels, weight, **kind),
        lambda a: F.nll_loss(a, torch.tensor(labels), torch.tensor(weight), **kind),
        x,
    )


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 4, 3, 5)], ids=str)
def test_normalization(shape: Any) -> None:
    x, weight, bias = _random(*shape), _random(4, seed=2), _random(4, seed=3)
    _compare(
        lambda a, w, b: nn.batch_norm(a, None, w, b)[0],
        lambda a, w, b: F.batch_norm(a, None, None, w, b, training=True),
        x,
        weight,
        bias,
    )
    _compare(lambda a, w, b: nn.group_norm(a, 2, w, b), lambda a, w, b: F.group_norm(a, 2, w, b), x, weight, bias)
    last = shape[-1]
    w, b = _random(last, seed=4), _random(last, seed=5)
    _compare(nn.layer_norm, lambda a, w, b: F.layer_norm(a, (last,), w, b), x, w, b)
    _compare(lambda a, w: nn.rms_norm(a, w, epsilon=1e-3), lambda a, w: F.rms_norm(a, (last,), w, 1e-3), x, w)
    _compare(lambda a: nn.layer_norm(a, axis=tuple(range(1, a.ndim))), lambda a: F.layer_norm(a, tuple(a.shape[1:])), x)
    if len(shape) > 2:
        _compare(nn.instance_norm, lambda a, w, b: F.instance_norm(a, weight=w, bias=b), x, weight, bias)


def test_running_statistics() -> None:
    reference = torch.nn.BatchNorm1d(3, momentum=0.3).double()
    statistics = None
    for seed in range(3):
        x = 2.0 * _random(5, 3, seed=seed) + 1.0
        reference(torch.tensor(x))
        _, statistics = nn.batch_norm(x, statistics, momentum=0.3)
    np.testing.assert_allclose(statistics[0], reference.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(statistics[1], reference.running_var.numpy(), rtol=1e-12)
    reference.eval()
    _compare(lambda a: nn.batch_norm(a, statistics, training=False)[0], reference, _random(4, 3, seed=7))


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (2, 3, 5, 4)], ids=str)
def test_attention(shape: Any) -> None:
    q, k, v = (_random(*shape, seed=seed) for seed in range(3))
    seen = np.tri(5, 5, 1, dtype=bool)
    added = _random(5, 5, seed=4)
    attention = F.scaled_dot_product_attention
    _compare(nn.scaled_dot_product_attention, attention, q, k, v)
    _compare(
        lambda *a: nn.scaled_dot_product_attention(*a, causal=True), lambda *a: attention(*a, is_causal=True), q, k, v
    )
    _compare(
        lambda *a: nn.scaled_dot_product_attention(*a, mask=seen, scale=0.3),
        lambda *a: attention(*a, attn_mask=torch.tensor(seen), scale=0.3),
        q,
        k,
        v,
    )
    _compare(
        lambda *a: nn.scaled_dot_product_attention(*a[:3], mask=a[3]),
        lambda *a: attention(*a[:3], attn_mask=a[3]),
        q,
        k,
        v,
        added,
    )


def test_several_heads() -> None:
    query, memory = _random(2, 5, 8), _random(2, 7, 8, seed=1)
    arrays = (_random(24, 8, seed=2), _random(8, 8, seed=3), _random(24, seed=4), _random(8, seed=5))

    def theirs(q: Any, m: Any, in_weight: Any, out_weight: Any, in_bias: Any, out_bias: Any) -> Any:
        out, _ = F.multi_head_attention_forward(
            q.transpose(0, 1), m.transpose(0, 1), m.transpose(0, 1), 8, 2, in_weight, in_bias, None, None, False, 0.0,
            out_weight, out_bias, need_weights=False,
        )  # fmt: skip
        return out.transpose(0, 1)

    _compare(lambda q, m, w, o, a, b: nn.multi_head_attention(q, m, m, w, o, 2, a, b), theirs, query, memory, *arrays)


def test_linear_and_embedding() -> None:
    x, w, b = _random(2, 3, 4), _random(5, 4), _random(5)
    _compare(nn.linear, F.linear, x, w, b)
    indices, table = np.array([[0, 2, 2], [1, 0, 2]]), _random(3, 4)
    _compare(lambda t: nn.embedding(indices, t), lambda t: F.embedding(torch.tensor(indices), t), table)
    _compare(
        lambda t: nn.embedding(indices, t, padding_index=2),
        lambda t: F.embedding(torch.tensor(indices), t, padding_idx=2),
        table,
    )
