"""Neural networks, by plain NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from kernels.registry import Family, Random

NETWORKS = Family("networks")


def relu(x):
    """What is above 0."""
    return np.maximum(x, 0)


def softmax(x):
    """Exponentials along the last axis that sum to 1, safe against overflow."""
    tmp_max = np.max(x, axis=-1, keepdims=True)
    tmp_out = np.exp(x - tmp_max)
    tmp_sum = np.sum(tmp_out, axis=-1, keepdims=True)
    return tmp_out / tmp_sum


def softmax_arguments(random: Random, N: int, H: int, SM: int) -> tuple[Any, ...]:
    return (random.random((N, H, SM, SM)),)


NETWORKS.add(
    softmax,
    softmax_arguments,
    kind="network",
    wrt="x",
    tiny={"N": 2, "H": 1, "SM": 3},
    S={"N": 16, "H": 16, "SM": 128},
    M={"N": 32, "H": 8, "SM": 256},
    paper={"N": 64, "H": 16, "SM": 512},
)


def mlp(input, w1, b1, w2, b2, w3, b3):
    """A perceptron of three layers."""
    x = relu(input @ w1 + b1)
    x = relu(x @ w2 + b2)
    x = softmax(x @ w3 + b3)
    return x


def mlp_arguments(random: Random, C_in: int, N: int, S0: int, S1: int, S2: int) -> tuple[Any, ...]:
    layers = ((C_in, S0), (S0, S1), (S1, S2))
    weights = [(random.standard_normal(pair) / np.sqrt(pair[0]), random.standard_normal(pair[1])) for pair in layers]
    return random.standard_normal((N, C_in)), *(array for pair in weights for array in pair)


NETWORKS.add(
    mlp,
    mlp_arguments,
    kind="network",
    wrt="input w1 b1 w2 b2 w3 b3",
    tiny={"C_in": 2, "N": 3, "S0": 5, "S1": 4, "S2": 3},
    S={"C_in": 3, "N": 8, "S0": 30000, "S1": 2000, "S2": 2000},
    M={"C_in": 3, "N": 8, "S0": 30000, "S1": 10000, "S2": 10000},
    paper={"C_in": 3, "N": 8, "S0": 30000, "S1": 10000, "S2": 1000},
)


def conv2d(input, weights):
    """A convolution without padding: pixels by rows and columns, channels last."""
    K = weights.shape[0]
    N = input.shape[0]
    H_out = input.shape[1] - K + 1
    W_out = input.shape[2] - K + 1
    C_out = weights.shape[3]
    output = np.empty((N, H_out, W_out, C_out), dtype=input.dtype)
    for i in range(H_out):
        for j in range(W_out):
            output[:, i, j, :] = np.sum(
                input[:, i : i + K, j : j + K, :, np.newaxis] * weights[np.newaxis, :, :, :],
                axis=(1, 2, 3),
            )
    return output


def conv2d_bias(input, weights, bias):
    """A convolution and a bias for each channel."""
    return conv2d(input, weights) + bias


def conv2d_bias_arguments(random: Random, N: int, C_in: int, C_out: int, K: int, H: int, W: int) -> tuple[Any, ...]:
    weights = random.standard_normal((K, K, C_in, C_out)) / K
    return random.standard_normal((N, H, W, C_in)), weights, random.standard_normal(C_out)


NETWORKS.add(
    conv2d_bias,
    conv2d_bias_arguments,
    kind="network",
    wrt="input weights bias",
    tiny={"N": 2, "C_in": 2, "C_out": 3, "K": 2, "H": 4, "W": 5},
    S={"N": 8, "C_in": 3, "C_out": 16, "K": 2, "H": 32, "W": 32},
    M={"N": 8, "C_in": 3, "C_out": 8, "K": 5, "H": 64, "W": 64},
    paper={"N": 8, "C_in": 3, "C_out": 16, "K": 20, "H": 256, "W": 256},
)


def maxpool2d(x):
    """The largest of each two by two pixels."""
    output = np.empty((x.shape[0], x.shape[1] // 2, x.shape[2] // 2, x.shape[3]), dtype=x.dtype)
    for i in range(x.shape[1] // 2):
        for j in range(x.shape[2] // 2):
            output[:, i, j, :] = np.max(x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, :], axis=(1, 2))
    return output


def lenet5(input, conv1, conv1bias, conv2, conv2bias, fc1w, fc1b, fc2w, fc2b, fc3w, fc3b, N, C_before_fc1):
    """LeNet-5: two convolutions with pooling, three full layers."""
    x = relu(conv2d(input, conv1) + conv1bias)
    x = maxpool2d(x)
    x = relu(conv2d(x, conv2) + conv2bias)
    x = maxpool2d(x)
    x = np.reshape(x, (N, C_before_fc1))
    x = relu(x @ fc1w + fc1b)
    x = relu(x @ fc2w + fc2b)
    return x @ fc3w + fc3b


def lenet5_arguments(
    random: Random, N: int, H: int, W: int, widths: tuple[int, ...] = (6, 16, 120, 84, 10)
) -> tuple[Any, ...]:
    pooled_height, pooled_width = (((side - 4) // 2 - 4) // 2 for side in (H, W))
    flat = widths[1] * pooled_height * pooled_width
    shapes = ((5, 5, 1, widths[0]), (5, 5, widths[0], widths[1]), (flat, widths[2]), *pairwise(widths[2:]))
    arrays: list[Any] = []
    for shape in shapes:
        fan = int(np.prod(shape[:-1]))
        arrays += [random.standard_normal(shape) / np.sqrt(fan), 0.1 * random.standard_normal(shape[-1])]
    return random.standard_normal((N, H, W, 1)), *arrays, N, flat


NETWORKS.add(
    lenet5,
    lenet5_arguments,
    kind="network",
    wrt="input conv1 conv1bias conv2 conv2bias fc1w fc1b fc2w fc2b fc3w fc3b",
    tiny={"N": 2, "H": 16, "W": 16, "widths": (2, 3, 5, 4, 3)},
    S={"N": 4, "H": 28, "W": 28},
    M={"N": 8, "H": 56, "W": 56},
    paper={"N": 16, "H": 256, "W": 256},
)


def batchnorm2d(x, eps=1e-5):
    """Each channel over a batch, with mean 0 and variance 1."""
    mean = np.mean(x, axis=0, keepdims=True)
    std = np.std(x, axis=0, keepdims=True)
    return (x - mean) / np.sqrt(std + eps)


def resnet_basicblock(input, conv1, conv2, conv3):
    """A bottleneck of a ResNet: a pointwise, a padded three by three, a pointwise convolution, beside a shortcut."""
    padded = np.zeros((input.shape[0], input.shape[1] + 2, input.shape[2] + 2, conv1.shape[3]))
    padded[:, 1:-1, 1:-1, :] = conv2d(input, conv1)
    x = batchnorm2d(padded)
    x = relu(x)
    x = conv2d(x, conv2)
    x = batchnorm2d(x)
    x = relu(x)
    x = conv2d(x, conv3)
    x = batchnorm2d(x)
    return relu(x + input)


def resnet_basicblock_arguments(random: Random, N: int, W: int, H: int, C1: int, C2: int) -> tuple[Any, ...]:
    shapes = ((1, 1, C1, C2), (3, 3, C2, C2), (1, 1, C2, C1))
    return random.random((N, H, W, C1)), *(random.standard_normal(shape) / np.sqrt(shape[2]) for shape in shapes)


NETWORKS.add(
    resnet_basicblock,
    resnet_basicblock_arguments,
    kind="network",
    wrt="input conv1 conv2 conv3",
    tiny={"N": 3, "W": 3, "H": 4, "C1": 3, "C2": 2},
    S={"N": 8, "W": 14, "H": 14, "C1": 32, "C2": 8},
    M={"N": 8, "W": 28, "H": 28, "C1": 64, "C2": 16},
    paper={"N": 8, "W": 56, "H": 56, "C1": 256, "C2": 64},
    tolerance=1e-4,
)
