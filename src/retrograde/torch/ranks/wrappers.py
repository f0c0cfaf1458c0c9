"""How a budget and PyTorch's wrappers for several processes go together: what is refused, and what sharding takes."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import torch
import torch._dynamo.config
import torch.distributed as dist
from torch import nn
from torch._dynamo.utils import get_optimize_ddp_mode

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
                "whole, or budget the sharded submodules, all with one retrograde.Budget object"
            )


def is_sharded(module: nn.Module) -> bool:
    """Whether ``torch.distributed.fsdp.fully_shard`` was applied to this very module."""
    if not dist.is_available():
        return False
    from torch.distributed.fsdp import FSDPModule

    return isinstance(module, FSDPModule)


def refuse_buckets() -> None:
    """Raise if the graph that a backend is given is one of the pieces that DDP has a captured graph cut into.

    Raises:
        CaptureError: each piece would be planned as if it were the whole step.
    """
    if not dist.is_available():
        return
    active = nn.parallel.DistributedDataParallel._get_active_ddp_module()
    if active is not None and get_optimize_ddp_mode() == "ddp_optimizer":
        raise CaptureError(
            "PyTorch cuts a module inside DistributedDataParallel into a graph for each of its buckets, and each would "
            "be planned with the whole budget; use DistributedDataParallel(retrograde.torch.budgeted(module, budget)), "
            "or set torch._dynamo.config.optimize_ddp = False"
        )


def uncut() -> contextlib.AbstractContextManager[Any]:
    """A context in which PyTorch captures a module inside DDP as one graph, and not as one for each bucket.

    Example:
        >>> with uncut():
        ...     pass
    """
    if not dist.is_available() or nn.parallel.DistributedDataParallel._get_active_ddp_module() is None:
        return contextlib.nullcontext()
    return torch._dynamo.config.patch(optimize_ddp=False)


def sharding_bytes(module: nn.Module) -> int:
    """Bytes that ``fully_shard`` itself holds while a sharded module runs, in its forward and in its backward.

    They are the gathered parameters and the buffer that they were gathered into, which gloo may keep until the backward
    pass. At the end, when both are gone, the buffers that gradients are scattered from, through and into take their
    place.

    Args:
        module: the module, inside its forward, where its parameters are whole.

    Returns:
        The bytes; 0 for a module that is not sharded, or by one process.
    """
    if not (is_sharded(module) and several_ranks()):
        return 0
    groups: list[Any] = cast(Any, module)._get_fsdp_state()._fsdp_param_groups
    return sum(_group_bytes(group) for group in groups)


def _group_bytes(group: Any) -> int:
    size: int = group._all_gather_process_group.size()
    parameters: list[torch.Tensor] = [sharded._unsharded_param for sharded in group.fsdp_params]
    whole = gathered = scattered = 0
    for parameter in parameters:
        # Every rank holds the same number of rows, the last ones for padding.
        rows = parameter.shape[0]
        elements = parameter.numel() // max(rows, 1) * -(-rows // size) * size
        whole += parameter.nbytes
        gathered += elements * parameter.itemsize
        scattered += elements * (group._reduce_dtype or parameter.dtype).itemsize
    return max(whole + gathered, 2 * scattered + scattered // size)


def _wrapper_name(module: nn.Module) -> str | None:
    if isinstance(module, nn.parallel.DistributedDataParallel):
        return "DistributedDataParallel"
    if dist.is_available():
        from torch.distributed.fsdp import FullyShardedDataParallel

        if isinstance(module, FullyShardedDataParallel):
            return "FullyShardedDataParallel"
    return None
