"""Where an operation comes from: its module, its source line, the user's frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import fx

from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.joint import source_of

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (.+)')
_ROOT = re.compile(r"^L\[['\"]\w+['\"]\](\.__self__)?\.?")
"""How Dynamo writes the module itself: a local variable of its forward, or of what calls that."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of the user's code that was being run: file, line number, function."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation comes from. An operation of the backward pass comes from where its forward does.

    Attributes:
        operator: what it computes, ``aten.gelu`` for example.
        module: path of the submodule whose forward runs it, ``blocks.0.up``; empty for the module itself.
        module_type: name of that submodule's class; empty where it is not known.
        source: the line of the user's code, as ``file.py:12``; empty where it is not known.
        frames: the user's calls that led there, the innermost first.
    """

    operator: str
    module: str
    module_type: str
    source: str
    frames: tuple[Frame, ...] = ()


def places_of(description: Description) -> tuple[Place, ...]:
    """For each operation of a described graph where it comes from."""
    states = description.state_operations
    return tuple(_place(node, index in states) for index, node in enumerate(description.operation_nodes))


def _place(node: fx.Node, holds_random_state: bool) -> Place:
    module, module_type = _module_of(node)
    return Place(
        operator="random state" if holds_random_state else _operator_name(node),
        module=module,
        module_type=module_type,
        source=source_of(node),
        frames=_frames(node.meta.get("stack_trace") or ""),
    )


def _module_of(node: fx.Node) -> tuple[str, str]:
    stack: dict[str, Any] = node.meta.get("nn_module_stack") or node.meta.get("fwd_nn_module_stack") or {}
    if not stack:
        return "", ""
    path, kind = list(stack.values())[-1]
    return _ROOT.sub("", str(path)), getattr(kind, "__name__", str(kind)).rpartition(".")[2]


def _operator_name(node: fx.Node) -> str:
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet if packet is not None else getattr(node.target, "__name__", node.target))


def _frames(trace: str) -> tuple[Frame, ...]:
    found = [Frame(file, int(line), function.strip()) for file, line, function in _FRAME.findall(trace)]
    return tuple(reversed(found))
