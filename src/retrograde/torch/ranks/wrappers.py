"""How a budget and PyTorch's wrappers for several processes go together: what is refused, and what sharding takes."""

from __future__ import annotations

import torch.distributed as dist
from torch import nn

from retrograde.errors import CaptureError, UsageError
from retrograde.torch.ranks.exchange import several_ranks


def refuse_wrapper(module: nn.Module) -> None:
    """Raise if a module that is to be budgeted is itself a wrapper for several processes.

    Raises:
        UsageError: a ``DistributedDataParallel`` or ``FullyShardedDataParallel``; the message says how to nest them.
    """
    name = _wrapper_name(module)
    if name is not None:
        raise UsageError(
            f"a {name} synchronises ranks in its own forward, which no graph can contain; budget the module inside "
            f"it: {name}(retrograde.torch.budgeted(module, budget))"
        )


def refuse_inner_wrappers(module: nn.Module) -> None:
    """Raise if a budgeted module contains modules whose hooks talk to other ranks in the middle of its forward.

    Raises:
        CaptureError: a wrapper, or a submodule given to ``fully_shard`` by itself; the message says what to do.
    """
    for name, child in module.named_modules():
        wrapper = _wrapper_name(child)
        if wrapper is not None:
            raise CaptureError(
                f"{name} inside this budgeted {type(module).__name__} is a {wrapper}, which synchronises ranks in the "
                f"middle of its forward; wrap the whole instead: {wrapper}(retrograde.torch.budgeted(module, budget))"
            )
        if child is not module and is_sharded(child):
            raise CaptureError(
                f"{name} inside this budgeted {type(module).__name__} was given to fully_shard by itself, and gathers "
                "its parameters in the middle of the captured forward; give fully_shard the budgeted module as a "
                "whole, or budget the sharded submodules"
            )


def is_sharded(module: nn.Module) -> bool:
    """Whether ``torch.distributed.fsdp.fully_shard`` was applied to this very module."""
    if not dist.is_available():
        return False
    from torch.distributed.fsdp import FSDPModule

    return isinstance(module, FSDPModule)


def sharding_bytes(module: nn.Module) -> int:
    """Bytes that ``fully_shard`` itself holds while a sharded module runs, in its forward and in its backward.

    They are the gathered parameters, the buffer that they were gathered into (which gloo may keep until the backward
    pass), and after the backward pass, when the gathered parameters are gone, the buffers that gradients are
    scattered from and into.

    Args:
        module: the module, inside its forward, where its parameters are whole.

    Returns:
        The bytes; 0 for a module that is not sharded, or by one process.
    """
    if not (is_sharded(module) and several_ranks()):
        return 0
    size = dist.get_world_size()
    whole = sum(p.nbytes for p in module.parameters())
    padding = sum(p[:1].nbytes * (-len(p) % size) if p.ndim else 0 for p in module.parameters())
    gathered = whole + padding
    return whole + gathered + -(-gathered // size)


def _wrapper_name(module: nn.Module) -> str | None:
    if isinstance(module, nn.parallel.DistributedDataParallel):
        return "DistributedDataParallel"
    if dist.is_available():
        from torch.distributed.fsdp import FullyShardedDataParallel

        if isinstance(module, FullyShardedDataParallel):
            return "FullyShardedDataParallel"
    return None
