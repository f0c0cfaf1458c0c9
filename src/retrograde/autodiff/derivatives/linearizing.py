"""The linearization of a function at a point: computed once, applied to any number of directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Call, Function, dtype_of
from retrograde.autodiff.forward.linear_graph import LinearGraph, Slot
from retrograde.errors import UsageError
from retrograde.program.types import is_differentiable


class Linearization:
    """A function's value at a point, and the graph of its derivative there.

    Attributes:
        value: what the function returned, without tracing.
        graph: the steps.
        inputs: the slots of the arrays of the argument.
        outputs: for each array of the value its slot; None for one that does not depend on the argument.
        leaves: the arrays of the value.
    """

    def __init__(self, call: Call, both: bool = False) -> None:
        self.graph = LinearGraph(both)
        sources = [self.graph.watch(leaf) for leaf in call.leaves]
        self.inputs = [source.slot for source in sources]
        result = call.at(sources)
        found = containers.leaves(result)
        self.outputs: list[Slot | None] = [self.graph.slot_of(leaf) for leaf in found]
        self.leaves = [leaf if slot is None else leaf.value for leaf, slot in zip(found, self.outputs, strict=True)]
        self.value = containers.rebuild(result, self.leaves)
        self.graph.prune(slot for slot in self.outputs if slot is not None)

    def zeros(self, place: int) -> Any:
        """A tangent of zeros for an array of the value."""
        leaf = self.leaves[place]
        dtype = dtype_of(leaf)
        return np.zeros(np.shape(leaf), dtype if is_differentiable(dtype) else np.float64)[()]


def linearize(f: Function, *primals: Any) -> tuple[Any, Function]:
    """A function's value at a point, and the linear function that takes directions to derivatives there.

    The function runs once; the pushforward does what is left of `jvp`, as often as one likes. Worth it where a
    derivative is wanted in several directions, by an iterative solver say.

    Args:
        f: any NumPy code; it returns an array or a container of arrays.
        primals: its arguments, each a floating or complex array, or a container of such.

    Returns:
        The value, and the pushforward: it takes a tangent for each argument, in the form of the arguments, and returns
        the tangent of the value.

    Raises:
        UsageError: an argument has no derivative; from the pushforward, tangents are not built as the arguments are, or
            one has another shape.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> value, pushforward = rg.linearize(lambda x, y: np.sin(x) * y, 0.0, 2.0)
        >>> value, pushforward(1.0, 0.0), pushforward(0.0, 1.0)
        (np.float64(0.0), np.float64(2.0), np.float64(0.0))
    """
    call = Call(f, tuple(range(len(primals))), primals, {})
    for position, leaf in enumerate(call.leaves):
        if not is_differentiable(leaf.dtype):
            raise UsageError(
                f"primal {position} has dtype {leaf.dtype}; a primal is floating or complex: convert it "
                "(x.astype(float)), or close over it"
            )
    linear = Linearization(call)

    def pushforward(*tangents: Any) -> Any:
        given = containers.leaves_like(primals, tangents)
        directions = {
            slot: tangent_like(slot, tangent, position)
            for position, (slot, tangent) in enumerate(zip(linear.inputs, given, strict=True))
        }
        found = linear.graph.push(directions, linear.outputs)
        return containers.rebuild(
            linear.value, [linear.zeros(place) if d is None else d for place, d in enumerate(found)]
        )

    return linear.value, pushforward


def tangent_like(value: Any, tangent: Any, position: int) -> Any:
    """A tangent of a value's shape, in its dtype.

    Raises:
        UsageError: it has another shape, or is complex where the value is real.
    """
    tangent = tangent if hasattr(tangent, "dtype") else np.asarray(tangent, value.dtype)[()]
    if tangent.shape != value.shape or (tangent.dtype.kind == "c" and value.dtype.kind != "c"):
        raise UsageError(
            f"primal {position} has dtype {value.dtype} and shape {value.shape}, its tangent dtype {tangent.dtype} and "
            f"shape {tangent.shape}; a tangent has the shape of its primal, and is real where that is"
        )
    return tangent if tangent.dtype == value.dtype else tangent.astype(value.dtype)
