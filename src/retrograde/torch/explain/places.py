"""Where an operation comes from: its module, its source line, the user's frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from torch import fx

from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.joint import source_of
from retrograde.torch.step.step_graph import StepGraph

Phase = Literal["forward", "backward", "outside"]

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
        phase: the pass that the operation belongs to: ``"forward"``, ``"backward"``, or ``"outside"`` for what
            stands for the user's own code between captured graphs.
        frames: the user's calls that led there, the innermost first.
    """

    operator: str
    module: str
    module_type: str
    source: str
    phase: Phase
    frames: tuple[Frame, ...] = ()


_OUTSIDE = Place("", "", "", "", "outside")


def places_of(described: Description | StepGraph) -> tuple[Place, ...]:
    """For each operation of a captured graph, or of a step of several, where it comes from."""
    if isinstance(described, Description):
        return tuple(_places_of_one(described))
    places = [_OUTSIDE] * len(described.operation_nodes)
    for part in described.parts:
        own = _places_of_one(part.description)
        places[part.first_operation : part.first_operation + len(own)] = own
    return tuple(places)


def phases_of(described: Description | StepGraph) -> tuple[Phase, ...]:
    """For each segment of a graph the pass that runs in it."""
    if isinstance(described, Description):
        return ("forward", "backward")
    phases: list[Phase] = ["outside"] * described.graph.segment_count
    for part in described.parts:
        phases[part.forward], phases[part.backward] = "forward", "backward"
    return tuple(phases)


def _places_of_one(description: Description) -> list[Place]:
    return [_place(description, index) for index in range(len(description.operation_nodes))]


def _place(description: Description, index: int) -> Place:
    node = description.operation_nodes[index]
    module, module_type = _module_of(node)
    return Place(
        operator="random state" if index in description.state_operations else _operator_name(node),
        module=module,
        module_type=module_type,
        source=source_of(node),
        phase="backward" if description.graph.operations[index].segment else "forward",
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
