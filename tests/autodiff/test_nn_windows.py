"""Convolution and pooling: what they compute, what they keep and what memory they take."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde import nn
from retrograde.program import PRIMITIVES
from retrograde.rules.nn import convolution
from retrograde.rules.nn.windows import Windows


def _random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape)


# Convolution


def _convolved_by_hand(x: Any, w: Any, stride: int, padding: int, dilation: int, groups: int) -> Any:
    """The sum that a convolution over two axes is, written out."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    reach = [(size - 1) * dilation + 1 for size in w.shape[2:]]
    counts = [(extent - r) // stride + 1 for extent, r in zip(x.shape[2:], reach, strict=True)]
    out = np.zeros((x.shape[0], w.shape[0], *counts))
    into, each = w.shape[1], w.shape[0] // groups
    for n, o, i, j in np.ndindex(*out.shape):
        for c, k, m in np.ndindex(*w.shape[1:]):
            at = x[n, (o // each) * into + c, i * stride + k * dilation, j * stride + m * dilation]
            out[n, o, i, j] += w[o, c, k, m] * at
    return out


@pytest.mark.parametrize("block_bytes", [1, 500, 1 << 21])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 1), (3, 1, 1, 4)]
)
def test_a_convolution_by_blocks_is_the_sum_written_out(
    monkeypatch: pytest.MonkeyPatch, block_bytes: int, stride: int, padding: int, dilation: int, groups: int
) -> None:
    monkeypatch.setattr(convolution, "BLOCK_BYTES", block_bytes)
    x, w = _random(3, 4, 7, 6), _random(4, 4 // groups, 3, 2)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    out = nn.conv2d(x, w, **options)
    np.testing.assert_allclose(out, _convolved_by_hand(x, w, stride, padding, dilation, groups), rtol=1e-12, atol=1e-13)
    g = _random(*out.shape, seed=3)
    by_x, by_w = rg.grad(lambda x, w: np.sum(nn.conv2d(x, w, **options) * g), (0, 1))(x, w)
    for direction, gradient, function in [
        (_random(*x.shape, seed=4), by_x, lambda d: nn.conv2d(d, w, **options)),
        (_random(*w.shape, seed=5), by_w, lambda d: nn.conv2d(x, d, **options)),
    ]:
        np.testing.assert_allclose(np.sum(gradient * direction), np.sum(function(direction) * g), rtol=1e-11)


def test_a_convolution_takes_little_memory() -> None:
    x, w = np.ones((8, 8, 64, 64), np.float32), np.ones((8, 8, 5, 5), np.float32)
    kept = rg.value_and_grad(lambda x, w: np.sum(nn.conv2d(x, w, padding="same")), (0, 1))
    kept(x, w)
    tracemalloc.start()
    kept(x, w)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The columns of all windows would be 25 times the input.
    assert peak < 8 * x.nbytes + 4 * convolution.BLOCK_BYTES


@pytest.mark.parametrize("shape", [(0, 2, 5, 5), (2, 0, 5, 5)])
@pytest.mark.parametrize("channels", [0, 3])
def test_convolutions_of_nothing(shape: tuple[int, ...], channels: int) -> None:
    x, w = np.ones(shape), np.ones((channels, shape[1], 3, 3))
    out = nn.conv2d(x, w)
    assert (out.shape, np.any(out)) == ((shape[0], channels, 3, 3), False)
    by_x, by_w = rg.grad(lambda x, w: np.sum(nn.conv2d(x, w, stride=2)), (0, 1))(x, w)
    assert (by_x.shape, by_w.shape, np.any(by_w)) == (x.shape, w.shape, False)


def test_pooling_of_nothing() -> None:
    for function in (nn.max_pool2d, nn.avg_pool2d):
        x = np.ones((0, 2, 4, 4))
        assert function(x, 2).shape == (0, 2, 2, 2)
        assert rg.grad(lambda x, f=function: np.sum(f(x, 2)))(x).shape == x.shape


def test_padding_by_name_in_ints_and_in_pairs() -> None:
    x, w = _random(1, 2, 6), _random(3, 2, 4)
    np.testing.assert_array_equal(nn.conv1d(x, w, padding="valid"), nn.conv1d(x, w))
    same = nn.conv1d(x, w, padding="same")
    assert same.shape == (1, 3, 6)
    np.testing.assert_array_equal(same, nn.conv1d(x, w, padding=((1, 2),)))
    np.testing.assert_array_equal(nn.conv1d(x, w, padding=(2,)), nn.conv1d(x, w, padding=2))
    np.testing.assert_array_equal(nn.conv1d(x, w, padding=2)[..., 1:-1], nn.conv1d(x, w, padding=1))


def test_a_convolution_of_one_sample() -> None:
    x, w, b = _random(2, 5), _random(3, 2, 2), _random(3)
    np.testing.assert_array_equal(nn.conv1d(x, w, b), nn.conv1d(x[None], w, b)[0])
    assert rg.grad(lambda b: np.sum(nn.conv1d(x, w, b)))(b).tolist() == [4.0] * 3


# Pooling


def test_the_first_of_several_largest_elements_has_the_derivative() -> None:
    gradient = rg.grad(lambda x: np.sum(nn.max_pool1d(x, 3, 1)))(np.array([1.0, 1.0, 0.0, 1.0]))
    assert gradient.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_pooling_keeps_the_places_and_not_the_input() -> None:
    assert PRIMITIVES["max_pool"].reverse["x"].reads == ("place", "x_shape", "windows")
    assert PRIMITIVES["max_pool"](np.ones(4), windows=Windows((2,), (2,), ((0, 0),), (1,)))[1].dtype == np.uint8


def test_padding_is_never_the_largest() -> None:
    assert nn.max_pool1d(np.array([-3.0, -2.0]), 2, 1, 1).tolist() == [-3.0, -2.0, -2.0]
    assert nn.max_pool1d(np.array([-3, -2]), 2, 1, 1).tolist() == [-3, -2, -2]


def test_pooling_carries_nan_along() -> None:
    assert np.isnan(nn.max_pool1d(np.array([1.0, np.nan, 2.0, 3.0]), 2)).tolist() == [True, False]


def test_what_counts_in_a_mean() -> None:
    x = np.ones(3)
    assert nn.avg_pool1d(x, 2, 2, 1).tolist() == [0.5, 1.0]
    assert nn.avg_pool1d(x, 2, 2, 1, count_include_pad=False).tolist() == [1.0, 1.0]
    assert nn.avg_pool1d(x, 2, ceil=True).tolist() == [1.0, 1.0]
