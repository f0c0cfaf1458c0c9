"""Choices by hand: the operations that the caller names are dropped and recomputed, all others kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.graph.check import describe_operation
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.lowering import RunOrder
from retrograde.planning.strategies.options import Options


def candidates(graph: Graph, options: Options) -> Iterator[RunOrder]:
    """One candidate: ``options.recompute`` is dropped, and recomputed once where something late first wants it."""
    split = Split(graph)
    yield recompute_on_demand(split, split.droppable.intersection(options.recompute))


def chosen(graph: Graph, wanted: Iterable[str | int]) -> tuple[int, ...]:
    """The operations that names and indices stand for; of several with one name those that can be dropped.

    Raises:
        UsageError: a name or index that stands for none, or for none that can be dropped.
    """
    split = Split(graph)
    operations: dict[int, None] = {}
    for item in [wanted] if isinstance(wanted, str) else wanted:
        found = _operations_called(graph, item)
        if not found:
            raise UsageError(
                f"recompute names {item!r}; none of the graph's {len(graph.operations)} operations has that name "
                "or index"
            )
        fit = [i for i in found if split.why_kept(i) is None]
        if not fit:
            place = describe_operation(graph, found[0])
            raise UsageError(f"recompute names {place}, which cannot be dropped: {split.why_kept(found[0])}")
        operations.update(dict.fromkeys(fit))
    return tuple(operations)


def _operations_called(graph: Graph, item: str | int) -> Sequence[int]:
    if isinstance(item, str):
        return [i for i, operation in enumerate(graph.operations) if operation.name == item]
    return [i for i in range(len(graph.operations)) if i == item]
