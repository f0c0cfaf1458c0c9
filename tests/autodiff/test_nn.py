"""rg.nn: what layers compute and keep, their derivatives, and what they refuse. (tests/torch compares with PyTorch.)"""

from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde import nn, special
from retrograde.autodiff import reverse
from retrograde.errors import UsageError
from retrograde.program import PRIMITIVES, ProgramBuilder


def _random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape)


def _slope(function: Any, x: Any, d: Any, step: float = 1e-5) -> Any:
    return (function(x + step * d) - function(x - step * d)) / (2 * step)


# Dtypes and bad input


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex128])
def test_layers_keep_the_dtype(dtype: Any) -> None:
    x, w = _random(1, 2, 6).astype(dtype), _random(3, 2, 2).astype(dtype)
    assert nn.conv1d(x, w).dtype == dtype
    assert nn.avg_pool1d(x, 2).dtype == dtype
    assert nn.dropout(x, 0.5, seed=1).dtype == dtype
    if dtype is not np.complex128:
        functions = [nn.relu, nn.gelu, nn.silu, nn.mish, nn.softplus, nn.elu, nn.layer_norm, nn.hard_swish]
        for function in functions:
            assert function(x).dtype == dtype
            assert rg.grad(lambda x, f=function: np.sum(f(x)))(x).dtype == dtype


def test_bfloat16() -> None:
    dtype = pytest.importorskip("ml_dtypes").bfloat16
    x = _random(1, 2, 6)
    functions = [nn.relu, nn.gelu, nn.silu, nn.mish, nn.elu, nn.sigmoid, nn.softmax, nn.layer_norm, nn.softplus]
    functions += [lambda x: nn.max_pool1d(x, 2), lambda x: nn.conv1d(x, np.ones((3, 2, 2), x.dtype))]
    for function in functions:
        out, (gradient,) = function(x.astype(dtype)), rg.grad(lambda x, f=function: np.sum(f(x)), (0,))(x.astype(dtype))
        assert (out.dtype, gradient.dtype) == (dtype, dtype)
        np.testing.assert_allclose(out.astype(float), function(x), rtol=0.02, atol=0.02)
        expected = rg.grad(lambda x, f=function: np.sum(f(x)))(x)
        np.testing.assert_allclose(gradient.astype(float), expected, rtol=0.05, atol=0.05)


def test_losses_keep_the_dtype() -> None:
    x = _random(3, 4).astype(np.float32)
    for targets in (np.array([0, 3, -100]), np.full((3, 4), 0.25, np.float32)):
        assert nn.cross_entropy(x, targets, label_smoothing=0.1).dtype == np.float32
    for loss in (nn.mse_loss, nn.l1_loss, nn.huber_loss, nn.binary_cross_entropy_with_logits):
        assert loss(x, np.zeros_like(x)).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.conv2d(np.ones((1, 3, 4, 4)), np.ones((2, 2, 3, 3))), "3 channels with kernels"),
        (lambda: nn.conv2d(np.ones((1, 4, 4, 4)), np.ones((3, 2, 3, 3)), groups=2), "in 2 groups"),
        (lambda: nn.conv2d(np.ones((4, 4)), np.ones((2, 2, 3, 3))), "an input of 2 axes"),
        (lambda: nn.conv1d(np.ones((1, 1, 2)), np.ones((1, 1, 3))), "reaches over 3 elements"),
        (lambda: nn.conv1d(np.ones((1, 1, 4)), np.ones((1, 1, 3)), stride=2, padding="same"), "give the padding in"),
        (lambda: nn.conv1d(np.ones((1, 1, 4)), np.ones((1, 1, 3)), padding="full"), '"same", "valid"'),
        (lambda: nn.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), stride=(1, 1, 1)), "for 2 axes"),
        (lambda: nn.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), padding=((1, 1),)), "1 entries for 2 axes"),
        (lambda: nn.conv1d(np.ones((1, 1, 4)), np.ones((1, 1, 3)), stride=0), "stride=0"),
        (lambda: nn.conv1d(np.ones((1, 1, 4)), np.ones((1, 1, 3)), padding=-1), "padding=-1"),
        (lambda: nn.conv_transpose1d(np.ones((1, 1, 4)), np.ones((1, 1, 3)), output_padding=1), "output_padding=1"),
        (lambda: nn.conv_transpose1d(np.ones((1, 2, 4)), np.ones((1, 1, 3))), "channels of the input first"),
        (lambda: nn.max_pool1d(np.ones(4, complex), 2), "no order"),
        (lambda: nn.avg_pool1d(np.ones(4, int), 2), "floating type"),
        (lambda: nn.max_pool2d(np.ones(4), 2), "pooling over 2 axes"),
        (lambda: nn.max_pool1d(np.ones(4), 2, padding=2), "in the padding alone"),
        (lambda: nn.group_norm(np.ones((1, 3, 2)), 2), "a divisor of 3"),
        (lambda: nn.batch_norm(np.ones((2, 3)), training=False), "no statistics"),
        (lambda: nn.batch_norm(np.ones(3)), "an array with 1 axes"),
        (lambda: nn.instance_norm(np.ones((2, 3))), "takes 3 or more"),
        (lambda: nn.cross_entropy(np.ones((2, 3)), np.array([0, 1]), np.ones(4)), "for 3 classes"),
        (lambda: nn.glu(np.ones(3)), "an even number"),
        (lambda: nn.embedding([0.5], np.ones((2, 2))), "indices are integers"),
        (lambda: nn.embedding([2], np.ones((2, 2))), "from 0 to 1"),
        (lambda: nn.one_hot([0.5], 2), "labels are integers"),
        (lambda: nn.one_hot([2], 2), "outside of 0 to 1"),
        (lambda: nn.dropout(np.ones(2), 1.5, 0), "from 0 to 1"),
        (lambda: nn.dropout(np.ones(2), 0.5, None), "NoneType for its seed"),
        (lambda: nn.cross_entropy(np.float64(1.0), 0), "without an axis"),
        (lambda: nn.cross_entropy(np.ones((2, 3)), np.array([0, 3])), "class 3 was given"),
        (lambda: nn.cross_entropy(np.ones((2, 3)), np.array([0])), "have the shape"),
        (lambda: nn.cross_entropy(np.ones((2, 3)), np.ones(2)), "probabilities of shape"),
        (lambda: nn.cross_entropy(np.ones((2, 3)), np.array([0, 1]), label_smoothing=2.0), "fraction from 0 to 1"),
        (lambda: nn.cross_entropy(np.ones((2, 3)), np.array([0, 1]), reduction="max"), "reduction='max'"),
        (lambda: nn.mse_loss(np.ones((2, 1)), np.ones(2)), "in one shape"),
        (lambda: nn.mse_loss(np.ones((2, 1)), np.ones((2, 2))), "in one shape"),
        (lambda: nn.huber_loss(np.ones(2), np.ones(2), 0.0), "it is positive"),
        (lambda: nn.scaled_dot_product_attention(np.ones(2), np.ones((2, 2)), np.ones((2, 2))), "features last"),
        (lambda: nn.scaled_dot_product_attention(*[np.ones((2, 2))] * 3, block=0), "block=0"),
        (lambda: nn.multi_head_attention(*[np.ones((2, 4))] * 3, np.ones((12, 4)), np.ones((4, 4)), 3), "3 heads"),
        (lambda: nn.multi_head_attention(*[np.ones((2, 4))] * 3, np.ones((4, 4)), np.ones((4, 4)), 2), "in_weight"),
    ],
)
def test_what_means_nothing_is_refused(call: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


# Normalization


def test_what_normalization_keeps() -> None:
    reads = PRIMITIVES["normalize"].reverse["x"].reads
    assert reads == ("normal", "square", "x_shape", "axis", "epsilon", "centered")


@pytest.mark.parametrize("output", [0, 1, 2])
def test_derivatives_of_the_statistics(output: int) -> None:
    x, d = _random(3, 4), _random(3, 4, seed=1)
    for centered in (True, False):

        def total(x: Any, centered: bool = centered) -> Any:
            static = {"axis": (1,), "epsilon": 0.1, "centered": centered}
            return np.sum(PRIMITIVES["normalize"](x, **static)[output] * np.array([[1.0], [2.0], [-1.0]]))

        np.testing.assert_allclose(np.sum(rg.grad(total)(x) * d), _slope(total, x, d), rtol=1e-7, atol=1e-9)


def test_statistics_in_single_numbers() -> None:
    x = _random(2, 3)
    np.testing.assert_allclose(nn.batch_norm(x, (1.0, 4.0), training=False, epsilon=0.0)[0], (x - 1.0) / 2.0)


def test_statistics_are_constants_to_a_derivative() -> None:
    x = _random(4, 3)
    with rg.GradientTape() as tape:
        tracked = tape.watch(x)
        _, (mean, variance) = nn.batch_norm(tracked, (np.zeros(3), np.ones(3)))
    assert type(mean) is np.ndarray
    np.testing.assert_allclose(mean, 0.1 * x.mean(0), rtol=1e-14)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * x.var(0, ddof=1), rtol=1e-14)


# Activations and losses


def test_activations_keep_one_array() -> None:
    for name, read in [("relu", "out"), ("gelu", "x"), ("gelu_tanh", "x"), ("silu", "x"), ("mish", "x")]:
        assert PRIMITIVES[name].reverse["x"].reads == (read,)


def test_the_normal_distribution_in_single_precision() -> None:
    x = np.linspace(-9.0, 9.0, 200_001).astype(np.float32)
    exact = special.ndtr(x.astype(np.float64))
    found = PRIMITIVES["normal_cdf"](x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=5e-6, atol=0.0)
    near = np.abs(x) < 4.0
    np.testing.assert_allclose(found[near], exact[near], rtol=1e-6, atol=0.0)
    assert PRIMITIVES["normal_cdf"](np.array([-np.inf, np.inf], np.float32)).tolist() == [0.0, 1.0]
    assert np.isnan(PRIMITIVES["normal_cdf"](np.float32(np.nan)))
    np.testing.assert_array_equal(PRIMITIVES["normal_cdf"](x.astype(np.float64)), exact)


def test_kinks() -> None:
    zero = np.zeros(1)
    for function in (nn.relu, nn.hardtanh, nn.relu6):
        assert rg.grad(lambda x, f=function: np.sum(f(x)))(zero) == (1.0 if function is nn.hardtanh else 0.0)
    assert rg.grad(lambda x: np.sum(nn.leaky_relu(x, 0.25)))(zero) == 0.25


def test_losses_are_precise_where_the_prediction_is_certain() -> None:
    logits = np.array([[40.0, 0.0]])
    label = np.array([0])
    np.testing.assert_allclose(nn.cross_entropy(logits, label), np.exp(-40.0), rtol=0.1, atol=1e-16)
    loss = nn.binary_cross_entropy_with_logits
    for logit, target in product((-40.0, 40.0), (0.0, 1.0)):
        x, z = np.array([logit]), np.array([target])
        agrees = (logit > 0) == (target > 0)
        np.testing.assert_allclose(loss(x, z), np.exp(-40.0) if agrees else 40.0, rtol=1e-12)
        slope = rg.grad(lambda x, z=z: loss(x, z))(x)
        expected = np.exp(-40.0) if agrees else 1.0
        np.testing.assert_allclose(np.abs(slope), expected, rtol=1e-12)


def test_second_derivatives_of_a_loss() -> None:
    logits, labels, d = _random(4, 3), np.array([0, 2, 1, -100]), _random(4, 3, seed=1)

    def loss(x: Any) -> Any:
        return nn.cross_entropy(x, labels, label_smoothing=0.1)

    np.testing.assert_allclose(rg.hvp(loss, (logits,), (d,))[0], _slope(rg.grad(loss), logits, d), rtol=1e-7, atol=1e-9)


def test_a_loss_as_a_program_of_any_batch() -> None:
    builder = ProgramBuilder("loss")
    logits = builder.input("logits", "float64", ("n", "classes"))
    labels = builder.input("labels", "int64", ("n",))
    program = builder.finish(loss=nn.cross_entropy(logits, labels, label_smoothing=0.1))
    for count in (2, 5):
        x, wanted = _random(count, 3), np.arange(count) % 3
        expected = rg.value_and_grad(lambda x, w=wanted: nn.cross_entropy(x, w, label_smoothing=0.1))(x)
        found = reverse(program, ["logits"], ["loss"])(x, wanted, 1.0)
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-15)


def test_classes_on_another_axis() -> None:
    logits, labels = _random(2, 3, 4), np.array([[0, 3, 1], [2, 2, 0]])
    flat = nn.cross_entropy(logits.reshape(6, 4), labels.ravel())
    np.testing.assert_allclose(nn.cross_entropy(logits, labels, axis=-1), flat, rtol=1e-14)


# Dropout, embedding, attention


def test_dropout_draws_its_mask_again() -> None:
    assert PRIMITIVES["dropout"].reverse["x"].reads == ("seed", "rate")
    x = np.ones((50, 40))
    out, pullback = rg.vjp(lambda x: nn.dropout(x, 0.25, seed=7))(x)
    (gradient,) = pullback(np.ones_like(x))
    np.testing.assert_array_equal(gradient, out)
    assert set(np.unique(out)) == {0.0, 1.0 / 0.75}
    assert abs(np.mean(out) - 1.0) < 0.05
    np.testing.assert_array_equal(rg.jvp(lambda x: nn.dropout(x, 0.25, seed=7), (x,), (x,))[1], out)


def test_a_generator_draws_another_mask_each_time() -> None:
    x = np.ones(100)
    random = np.random.default_rng(0)
    first, second = nn.dropout(x, 0.5, random), nn.dropout(x, 0.5, random)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, nn.dropout(x, 0.5, np.random.default_rng(0)))


def test_dropout_in_a_checkpoint_and_on_a_tape_with_a_budget() -> None:
    x = _random(10_000)

    def loss(x: Any, random: Any) -> Any:
        return np.sum(nn.dropout(np.sin(nn.dropout(x, 0.5, random)), 0.5, random))

    expected = rg.grad(loss)(x, np.random.default_rng(0))
    found = rg.grad(rg.checkpoint(loss))(x, np.random.default_rng(0))
    np.testing.assert_array_equal(found, expected)
    with rg.GradientTape(budget=8 * x.nbytes) as tape:
        tracked = tape.watch(x)
        out = loss(tracked, np.random.default_rng(0))
    np.testing.assert_array_equal(tape.gradient(out, tracked), expected)


def test_dropout_at_the_ends_of_its_range() -> None:
    x = _random(5)
    assert nn.dropout(x, 0.0, None) is x
    assert nn.dropout(x, 0.5, None, training=False) is x
    assert nn.dropout(x, 1.0, 3).tolist() == [0.0] * 5


def test_an_embedding_adds_up_what_is_read_twice() -> None:
    table = _random(3, 2)
    gradient = rg.grad(lambda t: np.sum(nn.embedding([[0, 2], [2, 2]], t, padding_index=0)))(table)
    assert gradient.tolist() == [[0.0, 0.0], [0.0, 0.0], [3.0, 3.0]]


def test_one_hot_of_tracked_computations_is_a_constant() -> None:
    assert nn.one_hot(np.array([1, 0]), 2, np.float32).dtype == np.float32


def test_attention_sees_what_the_mask_lets_it_see() -> None:
    q, k, v = (_random(4, 3, seed=seed) for seed in range(3))
    causal = nn.scaled_dot_product_attention(q, k, v, causal=True)
    np.testing.assert_allclose(causal[0], v[0])
    jacobian = rg.grad(lambda v: np.sum(nn.scaled_dot_product_attention(q, k, v, causal=True)[1]))(v)
    assert not jacobian[2:].any()
    assert jacobian[:2].all()
    mask = np.tri(4, dtype=bool)
    np.testing.assert_array_equal(nn.scaled_dot_product_attention(q, k, v, mask=mask), causal)
    np.testing.assert_allclose(nn.scaled_dot_product_attention(q, k, v, np.where(mask, 0.0, -np.inf)), causal)


@pytest.mark.parametrize("block", [1, 3, 20])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_by_blocks_is_the_same(causal: bool, block: int) -> None:
    q, k, v = (_random(2, 7, 4, seed=seed) for seed in range(3))
    for mask in (None, _random(7, 7), _random(7, 1), np.arange(7) != 4, _random(7, 7) < 1.0):

        def loss(q: Any, k: Any, v: Any, block: Any, mask: Any = mask) -> Any:
            out = nn.scaled_dot_product_attention(q, k, v, mask, causal, block=block)
            return np.sum(np.sin(out))

        mask_kept = None if mask is None else mask.copy()
        found = rg.grad(loss, (0, 1, 2))(q, k, v, block)
        for gradient, expected in zip(found, rg.grad(loss, (0, 1, 2))(q, k, v, None), strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)
        assert mask is None or np.array_equal(mask, mask_kept)
    products = [rg.hvp(lambda q, b=b: loss(q, k, v, b), (q,), (k,))[0] for b in (block, None)]
    np.testing.assert_allclose(*products, rtol=1e-10, atol=1e-12)


def test_attention_by_blocks_takes_little_memory() -> None:
    q = _random(1024, 8)

    def peak(block: int | None) -> int:
        gradient = rg.grad(lambda q: np.sum(nn.scaled_dot_product_attention(q, q, q, causal=True, block=block)))
        gradient(q[:64])
        tracemalloc.start()
        gradient(q)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(64) < 0.2 * peak(None)


def test_dropout_of_attention() -> None:
    q = _random(4, 3)
    out = nn.scaled_dot_product_attention(q, q, np.ones((4, 1)), dropout=0.5, seed=3)
    assert not np.allclose(out, 1.0)
    np.testing.assert_array_equal(out, nn.scaled_dot_product_attention(q, q, np.ones((4, 1)), dropout=0.5, seed=3))


def test_the_gradient_of_a_linear_map_is_one_product() -> None:
    x, w = _random(5, 6, 3), _random(4, 3)
    with rg.GradientTape() as tape:
        tracked = tape.watch(w)
        out = nn.linear(x, tracked)
    assert out.shape == (5, 6, 4)
    gradient = tape.gradient(out, tracked, output_gradients=np.ones((5, 6, 4)))
    np.testing.assert_allclose(gradient, np.ones((4, 1)) * x.sum((0, 1)), rtol=1e-13)


# Together


def _network(x: Any, kernels: Any, weights: Any, seed: Any) -> Any:
    h = nn.relu(nn.conv2d(x, kernels, padding=1))
    h = nn.max_pool2d(h, 2)
    h = nn.layer_norm(np.reshape(h, (x.shape[0], -1)))
    return np.sum(nn.log_softmax(nn.linear(nn.dropout(nn.gelu(h), 0.2, seed), weights))[:, 0])


def test_a_network_as_a_program() -> None:
    x, kernels, weights = _random(2, 1, 6, 6), _random(3, 1, 3, 3), _random(4, 27)
    builder = ProgramBuilder("network")
    symbols = [
        builder.input("x", "float64", ("n", 1, 6, 6)),
        builder.input("kernels", "float64", (3, 1, 3, 3)),
        builder.input("weights", "float64", (4, 27)),
        builder.input("seed", "int64"),
    ]
    program = builder.finish(out=_network(*symbols))
    np.testing.assert_allclose(program(x, kernels, weights, 5)[0], _network(x, kernels, weights, 5), rtol=1e-13)
    gradients = reverse(program, ["kernels", "weights"], ["out"], keep_outputs=False)(x, kernels, weights, 5, 1.0)
    expected = rg.grad(_network, (1, 2))(x, kernels, weights, 5)
    for found, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


def test_second_derivatives_of_a_network() -> None:
    x, kernels, weights, d = _random(2, 1, 6, 6), _random(3, 1, 3, 3), _random(4, 27), _random(3, 1, 3, 3, seed=8)
    gradient = rg.grad(lambda k: _network(x, k, weights, 5))
    product_ = rg.hvp(lambda k: _network(x, k, weights, 5), (kernels,), (d,))[0]
    np.testing.assert_allclose(product_, _slope(gradient, kernels, d), rtol=1e-5, atol=1e-6)


def test_sizes_that_only_the_run_knows() -> None:
    builder = ProgramBuilder("f")
    x, w = builder.input("x", "float64", ("n", 2, "m")), builder.input("w", "float64", (3, 2, "k"))
    with pytest.raises(UsageError, match="sizes that are known before the run"):
        nn.conv1d(x, w, padding="same")
    program = builder.finish(out=nn.conv_transpose1d(nn.conv1d(x, w, stride=2), np.ones((3, 1, 2)), stride=2))
    x, w = _random(2, 2, 7), _random(3, 2, 3)
    expected = nn.conv_transpose1d(nn.conv1d(x, w, stride=2), np.ones((3, 1, 2)), stride=2)
    np.testing.assert_array_equal(program(x, w)[0], expected)
