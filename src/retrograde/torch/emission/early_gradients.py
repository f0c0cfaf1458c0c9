"""Calls that add each gradient to ``.grad`` where a planned backward makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx

from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.sizes import emitted_meta
from retrograde.torch.emission.accumulation import accumulate


@dataclass(frozen=True)
class _Gradient:
    """A gradient that the backward gives: for which input, and by which views of the value that holds it."""

    position: int
    views: list[int]


class EarlyGradients:
    """Writes into the graph of a backward the calls that accumulate its gradients early.

    Args:
        description: the joint graph.
        graph: the backward graph in the making.
        size: gives the node of that graph that carries a size of the joint graph.

    Attributes:
        accumulated: for the positions of gradients that were taken the node that stands for what is left for autograd.
    """

    def __init__(self, description: Description, graph: fx.Graph, size: Callable[[fx.Node], fx.Node]) -> None:
        self._description = description
        self._graph = graph
        self._size = size
        self._expected: dict[int, list[_Gradient]] = {}
        self.accumulated: dict[int, fx.Node] = {}

    def expect(self, outputs: Sequence[Any]) -> None:
        """Take every gradient where it is made, before the views that autograd wants of it.

        Args:
            outputs: what the backward gives, as nodes of the joint graph.
        """
        graph = self._description.graph
        for position, node in enumerate(outputs):
            if not isinstance(node, fx.Node) or node not in self._description.node_values:
                continue
            value, views = self._description.node_values[node], list[int]()
            while (producer := graph.producers[value]) is not None and graph.is_view(producer):
                reads = graph.operations[producer].reads
                if len(reads) != 1 or len(graph.operations[producer].makes) != 1:
                    break
                views.insert(0, producer)
                value = reads[0]
            if producer is not None and graph.operations[producer].segment == 1:
                self._expected.setdefault(value, []).append(_Gradient(position, views))

    def take(self, value: int, node: fx.Node) -> None:
        """Write the calls for a value that was just made, if it holds gradients.

        Args:
            value: the value.
            node: what carries it.
        """
        for gradient in self._expected.pop(value, ()):
            last = node
            for view in gradient.views:
                last = self._view(view, last)
            call = self._graph.call_function(accumulate, (gradient.position, last))
            call.meta = dict(last.meta)
            self.accumulated[gradient.position] = call

    def _view(self, operation: int, operand: fx.Node) -> fx.Node:
        """A view operation on another operand than the joint graph's own."""
        node = self._description.operation_nodes[operation]
        (viewed,) = (n for n in node.all_input_nodes if n in self._description.node_values)
        arguments = fx.node.map_arg(node.args, lambda n: operand if n is viewed else self._size(n))
        call = self._graph.create_node("call_function", node.target, arguments, dict(node.kwargs), name=node.name)
        call.meta = emitted_meta(node)
        return call
