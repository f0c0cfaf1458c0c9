"""What the engine must know of single operators: which draw random numbers, have effects, or cannot be repeated."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from retrograde.torch.capture.collectives import is_collective

aten = torch.ops.aten

# Their CUDA kernels add with atomics in whatever order threads arrive: a second run may differ in the last bits.
_IRREPRODUCIBLE_ON_CUDA = frozenset(
    {
        aten.index_add.default,
        aten.index_put.default,
        aten._unsafe_index_put.default,
        aten.scatter_add.default,
        aten.scatter_reduce.two,
        aten.bincount.default,
        aten.histc.default,
        aten.embedding_dense_backward.default,
        aten._embedding_bag.default,
        aten.cumsum.default,
        aten.put.default,
        aten.upsample_bilinear2d_backward.default,
        aten.upsample_bicubic2d_backward.default,
        aten.adaptive_avg_pool2d_backward.default
        if hasattr(aten, "adaptive_avg_pool2d_backward")
        else aten._adaptive_avg_pool2d_backward.default,
        aten.max_pool2d_with_indices_backward.default,
        aten.grid_sampler_2d_backward.default,
    }
)

# Positions of the new running mean and variance among the results of a functional batch norm.
_NEW_STATISTICS = (3, 4)

_ATTENTION_DROPOUT_ARGUMENT = "dropout_p"

# Inductor draws seeds once a step and makes random numbers out of them by functions that are pure.
_DRAWS_SEEDS = frozenset({"prims::inductor_seed", "prims::inductor_seeds"})
_SEEDED = frozenset({"prims::inductor_random", "prims::inductor_randint"})


def is_random(node: fx.Node) -> bool:
    """Whether an operation draws from PyTorch's random generators."""
    tags = getattr(node.target, "tags", ())
    if _operator_name(node) in _DRAWS_SEEDS | _SEEDED:
        return False
    if torch.Tag.nondeterministic_seeded not in tags:
        return False
    probability = _argument(node, _ATTENTION_DROPOUT_ARGUMENT)
    return probability is None or probability != 0.0


def draws_seeds(node: fx.Node) -> bool:
    """Whether an operation draws the seeds that later random operations are pure functions of."""
    return _operator_name(node) in _DRAWS_SEEDS


def _operator_name(node: fx.Node) -> str:
    return node.target.name() if isinstance(node.target, torch._ops.OpOverload) else ""


def numbers_in_place_of_tensors(node: fx.Node) -> int:
    """How many of an operation's operands are Python numbers where the operator takes tensors."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return 0
    pairs = zip(schema.arguments, node.args, strict=False)
    return sum(isinstance(value, (int, float)) and isinstance(a.type, torch.TensorType) for a, value in pairs)


def is_effectful(node: fx.Node) -> bool:
    """Whether running an operation twice could be noticed from outside: it mutates, talks to other ranks, or is not
    known to be pure."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return node.is_impure()
    return bool(schema.is_mutable) or is_collective(node)


def is_irreproducible(node: fx.Node) -> bool:
    """Whether a second run on the same inputs may give other bits, whatever the random state."""
    if node.target not in _IRREPRODUCIBLE_ON_CUDA or torch.are_deterministic_algorithms_enabled():
        return False
    tensors = result_tensors(node.meta.get("val"))
    return any(t.device.type != "cpu" for t in tensors)


def is_batch_norm_with_statistics(node: fx.Node) -> bool:
    """Whether an operation is a batch norm in training mode that also computes new running statistics."""
    return node.target is aten._native_batch_norm_legit_functional.default and bool(_argument(node, "training"))


def repeats_without_statistics(node: fx.Node) -> bool:
    """Whether a batch norm with running statistics can be repeated without them.

    It can where new statistics are outputs of the module, which are there to the end for whoever reads them (the
    batch norm's own backward does), or are read by batch norms of the same kind alone.
    """
    if not is_batch_norm_with_statistics(node):
        return False
    picks = [pick for pick in node.users if pick.args[1] in _NEW_STATISTICS]
    return all(_is_output(pick) or all(map(repeats_without_statistics, pick.users)) for pick in picks)


def _is_output(node: fx.Node) -> bool:
    return any(user.op == "output" for user in node.users)


def batch_norm_without_statistics(node: fx.Node) -> tuple[Any, tuple[Any, ...]]:
    """The operator and arguments that repeat a training batch norm without touching running statistics.

    Its first three results (output, mean, reciprocal deviation) are those of the original, bit for bit.
    """
    data, weight, bias, _mean, _variance, training, momentum, epsilon = node.args
    return aten._native_batch_norm_legit.no_stats, (data, weight, bias, training, momentum, epsilon)


def _argument(node: fx.Node, name: str) -> Any:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return None
    for position, argument in enumerate(schema.arguments):
        if argument.name == name:
            if position < len(node.args):
                return node.args[position]
            return node.kwargs.get(name, argument.default_value)
    return None


def result_tensors(result: Any) -> list[torch.Tensor]:
    """The tensors among the results of an operation, which may be one value, several, or none."""
    results = result if isinstance(result, (list, tuple)) else [result]
    return [value for value in results if isinstance(value, torch.Tensor)]
