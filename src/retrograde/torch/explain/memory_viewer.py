"""A plan's timeline in the format of PyTorch's memory viewer, https://pytorch.org/memory_viz.

The format is that of ``torch.cuda.memory._dump_snapshot``: a pickled dictionary of built-in types, read by
``torch.cuda._memory_viz`` and by the viewer in the browser.
"""

from __future__ import annotations

from bisect import insort
from typing import Any

from retrograde.planning import Compute, Moment, replay
from retrograde.torch.explain.account import GraphExplanation
from retrograde.torch.explain.places import Place

_BASE_ADDRESS = 1 << 32
_ALIGNMENT = 512


def memory_snapshot(graphs: tuple[GraphExplanation, ...]) -> dict[str, Any]:
    """A snapshot of what plans allocate and free; each graph is a device of its own.

    Every block lives from the action that makes it to the one that drops it, at the time at which measured costs
    put them. Addresses are made up: the lowest gap that a block fits in.
    """
    recorders = [_Recorder(device, explained) for device, explained in enumerate(graphs)]
    return {
        "segments": [recorder.segment() for recorder in recorders],
        "device_traces": [recorder.events for recorder in recorders],
        "allocator_settings": {},
        "external_annotations": [],
    }


class _Recorder:
    """The events of one plan, as the referee meets them."""

    def __init__(self, device: int, explained: GraphExplanation) -> None:
        self.device = device
        self.explained = explained
        self.events: list[dict[str, Any]] = []
        self._space = _AddressSpace()
        self._blocks: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._started_at = _start_times(explained)
        self._runs: set[int] = set()
        plan = explained.plan
        replay(explained.graph, plan.actions, plan.segments, watch=self._watch)
        self._keep_only_outputs()

    def segment(self) -> dict[str, Any]:
        """The one stretch of memory in which every block lies, as it is at the end."""
        blocks: list[dict[str, Any]] = []
        place = _BASE_ADDRESS
        for block in sorted(self._blocks.values(), key=lambda block: block["addr"]):
            if block["addr"] > place:
                blocks.append(_gap(block["addr"] - place))
            size = _aligned(block["size"])
            blocks.append(
                {
                    "size": size,
                    "requested_size": block["size"],
                    "address": block["addr"],
                    "state": "active_allocated",
                    "frames": block["frames"],
                }
            )
            place = block["addr"] + size
        total = max(self._space.highest - _BASE_ADDRESS, _ALIGNMENT)
        if place < _BASE_ADDRESS + total:
            blocks.append(_gap(_BASE_ADDRESS + total - place))
        held = sum(block["size"] for block in blocks if block["state"] == "active_allocated")
        return {
            "device": self.device,
            "address": _BASE_ADDRESS,
            "total_size": total,
            "allocated_size": held,
            "active_size": held,
            "requested_size": sum(block["size"] for block in self._blocks.values()),
            "stream": 0,
            "segment_type": "large",
            "is_expandable": False,
            "frames": [],
            "blocks": blocks,
        }

    def _watch(self, moment: Moment) -> None:
        graph = self.explained.graph
        wanted: dict[tuple[Any, ...], int] = {("storage", *entry): entry[0] for entry in moment.live}
        wanted |= {("storage", *entry): entry[0] for entry in moment.retained}
        wanted |= {("duplicate", s, moment.action): s for s in moment.duplicates}
        sizes = {key: graph.storages[storage].bytes for key, storage in wanted.items()}
        sizes[("fixed", moment.fixed_bytes)] = moment.fixed_bytes
        sizes[("workspace", moment.action, len(self.events))] = moment.workspace_bytes
        for key in [key for key in self._blocks if key not in sizes]:
            self._free(key, moment.action)
        frames = self._frames(moment)
        for key, size in sizes.items():
            if size and key not in self._blocks:
                self._allocate(key, size, moment.action, frames)

    def _allocate(self, key: tuple[Any, ...], size: int, action: int, frames: list[dict[str, Any]]) -> None:
        label = {"workspace": "workspace", "fixed": "fixed demand", "duplicate": "a second copy"}.get(key[0])
        if label is None:
            label = self.explained.graph.storages[key[1]].name or f"storage {key[1]}"
        block = {
            "addr": self._space.take(_aligned(size)),
            "size": size,
            "frames": [{"name": label, "filename": "retrograde plan", "line": action}, *frames],
        }
        self._blocks[key] = block
        self._record("alloc", block, action)

    def _free(self, key: tuple[Any, ...], action: int) -> None:
        block = self._blocks.pop(key)
        self._space.give_back(block["addr"])
        self._record("free_requested", block, action)
        self._record("free_completed", block, action)

    def _record(self, kind: str, block: dict[str, Any], action: int) -> None:
        # The viewer wants whole microseconds.
        event = {"action": kind, **block, "stream": 0, "time_us": round(self._started_at[action] * 1e6)}
        self.events.append(event)

    def _frames(self, moment: Moment) -> list[dict[str, Any]]:
        """The action as the innermost frame, then the user's."""
        actions = self.explained.plan.actions
        action = actions[moment.action] if moment.action < len(actions) else None
        if not isinstance(action, Compute):
            return [{"name": type(action).__name__.lower(), "filename": "retrograde plan", "line": moment.action}]
        again = action.operation in self._runs
        self._runs.add(action.operation)
        place = self.explained.places[action.operation]
        return [_action_frame(place, again, moment.action), *_user_frames(place)]

    def _keep_only_outputs(self) -> None:
        """What the last actions drop, behind the last moment that the referee counts."""
        graph = self.explained.graph
        outputs = {graph.values[v].storage for v in graph.outputs}
        for key in list(self._blocks):
            if key[0] != "storage" or key[1] not in outputs:
                self._free(key, len(self._started_at) - 1)


def _action_frame(place: Place, again: bool, action: int) -> dict[str, Any]:
    where = f" of {place.module}" if place.module else ""
    return {
        "name": f"{place.operator}{where}{', computed again' if again else ''}",
        "filename": "retrograde plan",
        "line": action,
    }


def _user_frames(place: Place) -> list[dict[str, Any]]:
    return [{"name": f.function, "filename": f.file, "line": f.line} for f in place.frames]


def _start_times(explained: GraphExplanation) -> list[float]:
    """For each action, and the end, the seconds at which it begins."""
    times = [0.0]
    for action in explained.plan.actions:
        cost = explained.graph.operations[action.operation].cost if isinstance(action, Compute) else 0.0
        times.append(times[-1] + cost)
    return times


def _gap(size: int) -> dict[str, Any]:
    return {"size": size, "requested_size": 0, "state": "inactive", "frames": []}


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


class _AddressSpace:
    """Made-up addresses: each block goes into the lowest gap that holds it."""

    def __init__(self) -> None:
        self.highest = _BASE_ADDRESS
        self._taken: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        place = _BASE_ADDRESS
        for begin, end in self._taken:
            if begin - place >= size:
                break
            place = max(place, end)
        insort(self._taken, (place, place + size))
        self.highest = max(self.highest, place + size)
        return place

    def give_back(self, address: int) -> None:
        self._taken = [stretch for stretch in self._taken if stretch[0] != address]
