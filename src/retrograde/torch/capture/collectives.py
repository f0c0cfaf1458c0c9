"""Operations that talk to other ranks: they run once, in their order, and hold what they read until they are waited
for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import fx

_NAMESPACES = frozenset({"_c10d_functional", "_c10d_functional_autograd", "c10d", "c10d_functional", "_dtensor"})
_UNEVEN = ("all_to_all", "alltoall")


def is_collective(node: fx.Node) -> bool:
    """Whether an operation takes part in a collective: begins one, or waits for one."""
    return getattr(node.target, "namespace", None) in _NAMESPACES


def is_wait(node: fx.Node) -> bool:
    """Whether an operation waits for a collective that another one began."""
    return is_collective(node) and "wait_tensor" in str(node.target)


def collective_names(operations: Iterable[fx.Node]) -> tuple[str, ...]:
    """What the ranks must have in common: the collectives among some operations, in order.

    The shape belongs to it where the whole world takes part, and every rank with as much.
    """
    return tuple(_name(node) for node in operations if is_collective(node) and not is_wait(node))


def _name(node: fx.Node) -> str:
    name = str(node.target)
    if not _spans_the_world(node) or any(word in name for word in _UNEVEN):
        return name
    tensors = [n.meta["val"] for n in node.all_input_nodes if isinstance(n.meta.get("val"), torch.Tensor)]
    return f"{name} of {', '.join(str(tuple(map(_present_size, t.shape))) for t in tensors)}"


def _present_size(size: Any) -> int:
    """A size, of one that changes from call to call the one that it was captured at."""
    return size.node.hint if isinstance(size, torch.SymInt) else size


def _spans_the_world(node: fx.Node) -> bool:
    names = [a for a in (*node.args, *node.kwargs.values()) if isinstance(a, str)]
    try:
        return any(_size_of_group(name) == dist.get_world_size() for name in names)
    except (RuntimeError, ValueError):
        return False


def _size_of_group(name: str) -> int:
    known: dict[Any, str] = dist.distributed_c10d._world.pg_names
    return next((group.size() for group, other in known.items() if other == name), 0)


def operands_until_waited(node: fx.Node) -> list[fx.Node]:
    """What the collectives read that an operation waits for: in use by the network until then."""
    if not is_wait(node):
        return []
    begun = [begin for begin in node.all_input_nodes if is_collective(begin)]
    begun += [begin for pick in node.all_input_nodes for begin in pick.all_input_nodes if is_collective(begin)]
    return [operand for begin in begun for operand in begin.all_input_nodes]
