"""What makes the choices of a graph's operations valid; each rule raises GraphError naming the operation and choice."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from retrograde.errors import GraphError
from retrograde.graph.choosing import bound_reads

if TYPE_CHECKING:
    from retrograde.graph.model import Choice, Graph

Describe = Callable[["Graph", int], str]


def check_choices(graph: Graph, describe: Describe) -> None:
    """Raise GraphError unless every operation's choices are valid.

    Args:
        graph: a graph that is valid in all else.
        describe: names an operation.
    """
    for index, operation in enumerate(graph.operations):
        place = describe(graph, index)
        for number, choice in enumerate(operation.choices):
            _check_numbers(f"{place}, choice {number}", choice)
            _check_storages(graph, index, f"{place}, choice {number}", choice)
        if operation.choices:
            _check_default(graph, index, place)
        if operation.choice_of is not None:
            _check_leader(graph, index, place)
    _check_overwrites(graph, describe)
    for index, operation in enumerate(graph.operations):
        if operation.choice_of is not None and not bound_reads(graph, index):
            raise GraphError(
                f"{describe(graph, index)} follows the choice of operation {operation.choice_of}, but reads no storage "
                "that depends on it: one whose bytes differ by choice, or that followers alone read"
            )


def _check_numbers(place: str, choice: Choice) -> None:
    if not _is_cost(choice.cost):
        raise GraphError(f"{place}: cost must be finite and 0 or more, found {choice.cost!r}")
    if not _is_count(choice.workspace_bytes):
        raise GraphError(f"{place}: workspace_bytes must be an int of 0 or more, found {choice.workspace_bytes!r}")
    try:
        copy: object = json.loads(json.dumps(choice.payload, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise GraphError(f"{place}: payload is not something that JSON can hold: {error}") from error
    if copy != choice.payload:
        raise GraphError(
            f"{place}: payload {choice.payload!r} comes back from JSON as {copy!r}; use lists, and text for keys"
        )


def _is_cost(number: object) -> bool:
    if not isinstance(number, int | float) or isinstance(number, bool):
        return False
    return math.isfinite(number) and number >= 0


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _check_storages(graph: Graph, index: int, place: str, choice: Choice) -> None:
    allocated = graph.allocated_storages(index)
    seen: set[int] = set()
    for storage, size in choice.storage_bytes:
        if storage not in allocated:
            raise GraphError(
                f"{place}: storage_bytes names storage {storage!r}, which the operation does not allocate; it "
                f"allocates {list(allocated)}"
            )
        if storage in seen:
            raise GraphError(f"{place}: storage_bytes names storage {storage} twice")
        if not _is_count(size):
            raise GraphError(f"{place}: bytes of storage {storage} must be an int of 0 or more, found {size!r}")
        seen.add(storage)


def _check_default(graph: Graph, index: int, place: str) -> None:
    operation = graph.operations[index]
    default = operation.choices[0]
    found = [
        ("cost", default.cost, operation.cost),
        ("workspace_bytes", default.workspace_bytes, operation.workspace_bytes),
        *((f"bytes of storage {s}", size, graph.storages[s].bytes) for s, size in default.storage_bytes),
    ]
    for what, by_choice, own in found:
        if by_choice != own:
            raise GraphError(
                f"{place}: choice 0 is the default and says what the operation says; its {what} is {by_choice}, not "
                f"{own}"
            )


def _check_leader(graph: Graph, index: int, place: str) -> None:
    leader, count = graph.operations[index].choice_of, len(graph.operations[index].choices)
    if not _is_count(leader) or leader is None or leader >= len(graph.operations) or leader == index:
        raise GraphError(f"{place}: choice_of is {leader!r}; name another operation of the graph, by its index")
    followed = graph.operations[leader]
    if followed.choice_of is not None:
        raise GraphError(
            f"{place}: choice_of is {leader}, which itself follows operation {followed.choice_of}; follow that one"
        )
    if count != len(followed.choices) or not count:
        raise GraphError(
            f"{place} follows the choice of operation {leader} and has {count} choices, that one has "
            f"{len(followed.choices)}; give both the same number, at least 1"
        )


def _check_overwrites(graph: Graph, describe: Describe) -> None:
    varying = graph.varying_bytes
    for index, operation in enumerate(graph.operations):
        for pair in operation.may_overwrite:
            for storage in (graph.values[value].storage for value in pair):
                if storage in varying:
                    raise GraphError(
                        f"{describe(graph, index)}: may_overwrite {pair}: the bytes of storage {storage} depend on a "
                        "choice, and overwriting takes storages of equal size"
                    )
