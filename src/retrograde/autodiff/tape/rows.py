"""Jacobians from a tape, a backward pass for each row; of batches, a pass for each row of one example."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from retrograde.autodiff.tape.tracked import Node
from retrograde.errors import UsageError
from retrograde.program.primitive import PRIMITIVES, Array
from retrograde.program.types import is_differentiable

Pull = Callable[[Array, bool], list[Any]]
"""From a cotangent of the target, and whether more will follow, to those of the sources."""


def jacobian_rows(target: Node, sources: list[Node], pull: Pull) -> list[Array | None]:
    """The Jacobian of a target by each source: the axes of the target, then those of the source.

    Returns:
        None for a source on which the target does not depend.
    """
    size = prod(target.shape)
    rows: list[list[Any]] = [pull(_unit(target, (at,)), at + 1 < size) for at in range(size)]
    if not rows:
        return [np.zeros((*target.shape, *source.shape), source.dtype) for source in sources]
    return [
        None if by_source[0] is None else np.stack(by_source).reshape((*target.shape, *source.shape))
        for by_source, source in zip(zip(*rows, strict=True), sources, strict=True)
    ]


def batch_jacobian_rows(target: Node, source: Node, pull: Pull) -> Array | None:
    """The Jacobian of each example of a batch: the axis of the batch, the others of the target, those of the source.

    Raises:
        UsageError: the target has an example that depends on another example of the source.
    """
    count = target.shape[0]
    size = prod(target.shape[1:])
    rows: list[Any] = [pull(_unit(target, (slice(None), at)), True)[0] for at in range(size)]
    random: Any = np.random.default_rng(0)
    factors = random.uniform(0.5, 1.5, count)
    weights = random.uniform(0.5, 1.0, size)
    mixed = np.multiply.outer(factors, weights).reshape(target.shape).astype(target.dtype)
    (found,) = pull(mixed, False)
    if found is None:
        return None
    if not rows or not found.size:
        return np.zeros((*target.shape, *source.shape[1:]), source.dtype)
    each = factors.reshape((count,) + (1,) * (len(source.shape) - 1)).astype(source.dtype)
    jacobian: Any = np.stack(rows, axis=1)
    _refuse_mixed(found, np.tensordot(weights.astype(source.dtype), jacobian, (0, 1)) * each, jacobian, target, source)
    return jacobian.reshape((*target.shape, *source.shape[1:]))


def refuse_what_has_no_jacobian(target: Node, sources: list[Node]) -> None:
    """Refuse complex numbers, of whose derivative a row for each element is only a half."""
    for role, node in (("target", target), *(("source", source) for source in sources)):
        if node.dtype.kind == "c" or not is_differentiable(node.dtype):
            raise UsageError(
                f"a Jacobian was asked for, and its {role} is {node.dtype}; it is of real arrays: take apart what is "
                "complex (np.real, np.imag), or use gradient with output_gradients"
            )


def refuse_what_is_no_batch(target: Node, source: Node) -> None:
    """Refuse a target and a source that do not begin with an axis of the same size."""
    if not target.shape or not source.shape or target.shape[0] != source.shape[0]:
        raise UsageError(
            f"batch_jacobian was called with a target of shape {target.shape} and a source of shape {source.shape}; "
            "the first axis of both has to be that of the batch; for others use jacobian"
        )


def _refuse_mixed(found: Array, expected: Array, jacobian: Array, target: Node, source: Node) -> None:
    found, expected, scale = map(PRIMITIVES["stop_gradient"], (found, expected, np.max(np.absolute(jacobian))))
    accuracy = 64 * jacobian.shape[1] * max(np.finfo(target.dtype).eps, np.finfo(source.dtype).eps)
    with np.errstate(invalid="ignore"):
        apart = np.absolute(found - expected) > accuracy * scale
    if np.any(apart):
        at = tuple(map(int, np.argwhere(apart)[0]))
        raise UsageError(
            f"batch_jacobian was called for a target whose examples depend on other examples of the source (the one at "
            f"{at[0]}, for one); it is for examples that are computed each by itself: use jacobian"
        )


def _unit(target: Node, place: tuple[Any, ...]) -> Array:
    """A cotangent of ones at a place of the target, whose axes (but that of a batch) are counted through as one."""
    leading = target.shape[: len(place) - 1]
    flat: Any = np.zeros((*leading, prod(target.shape[len(leading) :])), target.dtype)
    flat[place] = 1
    return flat.reshape(target.shape)[()]
