"""The arguments of the function that is read: what stands for them, and what it made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrograde.autodiff import containers
from retrograde.program.symbol import Symbol
from retrograde.python.reading.inputs import Inputs
from retrograde.python.reading.values import Array, Number


class Arguments:
    """What stands for the arguments of a call.

    Args:
        inputs: makes inputs.
        names: the function's parameters.
        values: an argument for each.

    Attributes:
        values: by parameter what stands for the argument: containers of the reading's own.
        inputs: by parameter the input of each leaf, None for what is none.
        structures: how each argument is put together; None for what is an array or a number by itself.
    """

    def __init__(self, inputs: Inputs, names: Sequence[str], values: Sequence[Any]) -> None:
        self.values: dict[str, Any] = {}
        self.inputs: dict[str, list[str | None]] = {}
        self.structures: list[Any] = []
        self._leaves: dict[str, list[tuple[str | None, Any]]] = {}
        found = [(name, *_taken_apart(name, value)) for name, value in zip(names, values, strict=True)]
        inputs.note_sizes([part for _, parts, _ in found for part in parts])
        position = 0
        for name, parts, structure in found:
            leaves: list[tuple[str | None, Any]] = []
            for label, part in parts:
                at = len(inputs.leaves)
                handle = inputs.argument(label, part, position)
                leaves.append((inputs.leaves[at].input, handle))
                position += 1
            self._leaves[name] = leaves
            self.structures.append(structure)
            self.inputs[name] = [
                called for (called, _), (_, part) in zip(leaves, parts, strict=True) if part is not None
            ]
            handles = [handle for _, handle in leaves]
            self.values[name] = handles[0] if structure is None else structure.unflatten(handles)

    def written(self, outputs: dict[str, Any]) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Add what the function wrote into its arguments to the outputs.

        Returns:
            The outputs of each argument that was written; and of those of which it cannot be said, why.
        """
        mutated: dict[str, list[str]] = {}
        unclear: dict[str, str] = {}
        for (name, value), structure in zip(self.values.items(), self.structures, strict=True):
            parts, present = ([value], None) if structure is None else containers.flatten(value)
            if present != structure:
                unclear[name] = f"{name} has other items in the end than it had, which are no output; return it"
                continue
            for (called, handle), part in zip(self._leaves[name], parts, strict=True):
                content, reason = _content(name, called, handle, part)
                if reason:
                    unclear[name] = reason
                elif content is not None and called is not None:
                    outputs[called] = content
                    mutated.setdefault(name, []).append(called)
        return mutated, unclear


def _taken_apart(name: str, value: Any) -> tuple[list[tuple[str, Any]], Any]:
    """The leaves of an argument, each with what a person would write for it; and how they are put together."""
    parts, structure = containers.flatten(value)
    if len(parts) == 1 and parts[0] is value:
        return [(name, value)], None
    return list(zip(containers.labels(value, name), parts, strict=True)), structure


def _content(name: str, called: str | None, handle: Any, part: Any) -> tuple[Any, str]:
    """What came to be of a leaf, None if it is what it was; or why that cannot be said."""
    if isinstance(part, Array) and part.cell.poison is not None:
        return None, part.cell.poison
    if part is handle and not isinstance(part, Array):
        return None, ""
    if called is None or not isinstance(part, (Array, Number)):
        return None, f"an item of {name} is replaced by another kind of thing, which is no output; return it"
    content = part.read() if isinstance(part, Array) else part.symbol
    return (None if _is_input(content, called) else content), ""


def _is_input(content: Any, name: str) -> bool:
    if not isinstance(content, Symbol):
        return False
    return content.variable.name == name and content.variable in content.builder.inputs
