"""One training step, and everything that can be seen of it."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils import _pytree


def loss_of(output) -> torch.Tensor:
    return output["loss"] if isinstance(output, dict) else output


def run_step(module: nn.Module, inputs, seed: int = 1) -> dict[str, object]:
    """Run forward and backward; return clones of outputs, gradients, buffers, inputs and the random state after."""
    torch.manual_seed(seed)
    output = module(*inputs)
    loss_of(output).backward()
    leaves = [leaf.detach().clone() for leaf in _pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    return {
        "outputs": leaves,
        "gradients": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "buffers": [b.clone() for b in module.buffers()],
        "inputs": [leaf.clone() for leaf in _pytree.tree_leaves(inputs) if isinstance(leaf, torch.Tensor)],
        "random state": [torch.get_rng_state()],
    }


def assert_same_bits(found: dict[str, object], expected: dict[str, object]) -> None:
    for what, tensors in expected.items():
        for index, (a, b) in enumerate(zip(found[what], tensors, strict=True)):
            same = (a is None and b is None) or torch.equal(a, b)
            assert same, f"{what} {index} differ by {None if a is None else (a.double() - b.double()).abs().max()}"
