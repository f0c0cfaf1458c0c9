"""rg.nn against PyTorch, one thread each, side by side in one run: `python benchmarks/layers.py`.

Prints the time of value and gradient as a ratio, retrograde to PyTorch; below 1 is better. Single precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from turns import seconds

import retrograde as rg
from retrograde import nn

ROUNDS = 15
_RANDOM = np.random.default_rng(0)


def _random(*shape: int) -> Any:
    return _RANDOM.standard_normal(shape, np.float32)


def _slid(name: str, **options: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    ours, theirs = getattr(nn, name), getattr(functional, name)
    return lambda x, w: ours(x, w, **options), lambda x, w: theirs(x, w, **options)


def _causal(q: Any, k: Any, v: Any, block: int | None = None) -> Any:
    return nn.scaled_dot_product_attention(q, k, v, causal=True, block=block)


def _their_causal(q: Any, k: Any, v: Any) -> Any:
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


LABELS = _RANDOM.integers(1024, size=256)
ROWS, IMAGES, HEADS = _random(256, 1024), _random(16, 16, 32, 32), [_random(4, 8, 256, 32) for _ in range(3)]
LAYERS: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[Any]]] = {
    "conv2d, 16 to 32 channels, 32 × 32": (
        *_slid("conv2d", padding=1),
        [_random(32, 16, 32, 32), _random(32, 16, 3, 3)],
    ),
    "conv2d, 64 to 64 channels, 28 × 28": (
        *_slid("conv2d", padding=1),
        [_random(8, 64, 28, 28), _random(64, 64, 3, 3)],
    ),
    "conv2d, depthwise": (*_slid("conv2d", padding=1, groups=32), [_random(16, 32, 28, 28), _random(32, 1, 3, 3)]),
    "conv1d": (*_slid("conv1d", padding=2), [_random(16, 32, 256), _random(64, 32, 5)]),
    "conv3d": (*_slid("conv3d", padding=1), [_random(2, 8, 16, 16, 16), _random(16, 8, 3, 3, 3)]),
    "max_pool2d": (lambda x: nn.max_pool2d(x, 2), lambda x: functional.max_pool2d(x, 2), [IMAGES]),
    "avg_pool2d": (lambda x: nn.avg_pool2d(x, 2), lambda x: functional.avg_pool2d(x, 2), [IMAGES]),
    "batch_norm": (
        lambda x: nn.batch_norm(x)[0],
        lambda x: functional.batch_norm(x, None, None, training=True),
        [IMAGES],
    ),
    "layer_norm": (nn.layer_norm, lambda x: functional.layer_norm(x, (1024,)), [ROWS]),
    "linear": (nn.linear, functional.linear, [_random(256, 512), _random(512, 512), _random(512)]),
    "relu": (nn.relu, functional.relu, [ROWS]),
    "gelu": (nn.gelu, functional.gelu, [ROWS]),
    "softmax": (nn.softmax, lambda x: torch.softmax(x, -1), [ROWS]),
    "cross_entropy": (
        lambda x: nn.cross_entropy(x, LABELS),
        lambda x: functional.cross_entropy(x, torch.tensor(LABELS)),
        [ROWS],
    ),
    "attention, causal": (_causal, _their_causal, HEADS),
    "the same by blocks of 64": (lambda q, k, v: _causal(q, k, v, 64), _their_causal, HEADS),
    "dropout": (lambda x: nn.dropout(x, 0.2, 1), lambda x: functional.dropout(x, 0.2), [ROWS]),
}


def main() -> None:
    torch.set_num_threads(1)
    for name, (ours, theirs, arrays) in LAYERS.items():
        gradient = rg.value_and_grad(lambda *a, f=ours: np.sum(f(*a)), tuple(range(len(arrays))))
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]

        def reference(theirs: Any = theirs, tensors: Any = tensors) -> None:
            for tensor in tensors:
                tensor.grad = None
            theirs(*tensors).sum().backward()

        mine, other = seconds([lambda g=gradient, a=arrays: g(*a), reference], ROUNDS)
        print(f"{name:36} {mine / other:6.2f}")


if __name__ == "__main__":
    main()
