"""The calls that an emitted graph makes where its plan says ``Spill`` and ``Load``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import fx

from retrograde.errors import CaptureError
from retrograde.planning import Action, Compute, Free, Load, Spill
from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.operators import is_effectful
from retrograde.torch.emission.media import Spiller
from retrograde.torch.emission.spilling import begin_load, begin_spill, begin_step, finish_spill, loaded_value


def handle_of(description: Description, storage: int) -> int:
    """The number under which an emitter knows the handle of a spilled storage: behind those of the values."""
    return len(description.graph.values) + storage


class SpillCalls:
    """Writes the calls into one graph.

    A copy begins as soon as the storage is made, and ``Spill`` waits for it; a ``Load`` begins a copy back, and the
    first use of a value waits for that.

    Args:
        description: the joint graph, described.
        graph: the graph in the making.
        current: which node carries each value, or handle, at present.
        spiller: where storages go; None where none does.
    """

    def __init__(
        self,
        description: Description,
        graph: fx.Graph,
        current: dict[int, fx.Node],
        spiller: Spiller | None,
    ) -> None:
        self._description = description
        self._graph = graph
        self._current = current
        self._spiller = spiller
        self._ahead: dict[int, list[int]] = {}
        self._step: fx.Node | None = None
        self._begun: dict[int, fx.Node] = {}
        self._loaded: dict[int, fx.Node] = {}

    def look_ahead(self, actions: tuple[Action, ...], live: Iterable[int]) -> None:
        """Find out where copies can begin.

        Args:
            actions: what the graph carries out.
            live: storages that are live when it begins.
        """
        self._ahead = _can_begin_after(self._description, actions, set(live))

    def begin_after(self, position: int) -> None:
        """Begin the copies that can begin after the action at a position."""
        for storage in self._ahead.get(position, ()):
            if self._carried(storage):
                self._begin(storage)

    def spill(self, storage: int) -> None:
        """Wait for the copy of a storage; its handle takes the place of its values."""
        if storage not in self._begun:
            self._begin(storage)
        values = self._carried(storage)
        nodes = tuple(self._current[value] for value in values)
        handle = self._call(finish_spill, (self._begun.pop(storage), tuple(values), nodes))
        handle.meta["val"] = handle_example(self._description)
        self._loaded.pop(storage, None)
        self._current[handle_of(self._description, storage)] = handle

    def load(self, storage: int, handle: fx.Node) -> None:
        """Begin to copy a storage back."""
        self._loaded[storage] = self._call(begin_load, (handle,))
        self._current.pop(handle_of(self._description, storage), None)

    def forget(self, storage: int) -> None:
        """The storage is freed, wherever it is."""
        self._loaded.pop(storage, None)
        self._current.pop(handle_of(self._description, storage), None)

    def value(self, value: int, meta: dict[str, Any]) -> fx.Node | None:
        """A node that carries a value of a storage that was copied back; None if it was not."""
        storage = self._description.graph.values[value].storage
        if storage not in self._loaded:
            return None
        node = self._call(loaded_value, (self._loaded[storage], value))
        node.meta = dict(meta)
        self._current[value] = node
        return node

    def _begin(self, storage: int) -> None:
        if self._step is None:
            assert self._spiller is not None, "a plan that spills is emitted with a spiller"
            self._step = self._call(begin_step, (self._spiller.number,))
        source = self._loaded.get(storage) or self._current[self._carried(storage)[0]]
        self._begun[storage] = self._call(begin_spill, (self._step, source))

    def _carried(self, storage: int) -> list[int]:
        return [value for value in self._description.graph.storage_values[storage] if value in self._current]

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> fx.Node:
        return self._graph.call_function(function, arguments)


def handle_example(description: Description) -> torch.Tensor:
    """What a handle looks like."""
    example = next(
        node.meta["val"] for node in description.joint.primals if isinstance(node.meta.get("val"), torch.Tensor)
    )
    return example.new_empty((0,), dtype=torch.int64, device="cpu")


def require_spiller(actions: tuple[Action, ...], spiller: Spiller | None) -> None:
    """Raise CaptureError if actions spill and there is nowhere to spill to."""
    if spiller is None and any(isinstance(action, Spill) for action in actions):
        raise CaptureError(
            "this plan moves storages to a slower tier, and the graph is emitted without one; use a strategy that does "
            "not spill"
        )


def _can_begin_after(description: Description, actions: tuple[Action, ...], live: set[int]) -> dict[int, list[int]]:
    """For each position the storages that are made there and spilled later, with nobody writing to them in between."""
    after: dict[int, list[int]] = {}
    made_at: dict[int, int] = {}
    for position, action in enumerate(actions):
        if isinstance(action, Compute):
            _note_written(description, action.operation, made_at)
            for storage in description.graph.allocated_storages(action.operation):
                if storage not in live:
                    live.add(storage)
                    made_at[storage] = position
        elif isinstance(action, Load):
            live.add(action.storage)
        else:
            live.discard(action.storage)
            begun = made_at.pop(action.storage, None)
            if isinstance(action, Spill) and begun is not None:
                after.setdefault(begun, []).append(action.storage)
            assert isinstance(action, Free | Spill)
    return after


def _note_written(description: Description, operation: int, made_at: dict[int, int]) -> None:
    """Forget where the storages were made that an operation may write to: their copies begin later."""
    if is_effectful(description.operation_nodes[operation]):
        for storage in description.graph.read_storages(operation):
            made_at.pop(storage, None)
