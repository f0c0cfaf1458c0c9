"""Whole matrices of derivatives: Jacobians and Hessians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Call, Function, Wrt, dtype_of, name_of
from retrograde.autodiff.derivatives.linearizing import Linearization
from retrograde.autodiff.derivatives.sweeps import choose, ends_of, matrix, narrowest, through
from retrograde.autodiff.forward.linear_graph import LinearGraph, Slot
from retrograde.autodiff.functions import grad
from retrograde.errors import UsageError
from retrograde.program.primitive import Array
from retrograde.program.types import is_differentiable

Mode = Literal["auto", "forward", "reverse", "mixed"]


def jacobian(f: Function, wrt: Wrt = 0, mode: Mode = "auto", sparsity: Any = None) -> Function:
    """A function that computes the Jacobian of a function: every output's derivative by every input.

    The function runs once. Unit directions then go through its derivative in batches: forward, one for each input;
    in reverse, one for each output; or both ways from a waist, a place in between where few numbers carry everything.

    Args:
        f: any NumPy code that returns an array or a container of arrays.
        wrt: as in `rg.grad`. An argument is a real array or a container of such.
        mode: "forward", "reverse", "mixed" (by the best waist), or "auto": what is the least work by the shapes, and
            where these do not say it, what is faster in a trial.
        sparsity: the pattern of the Jacobian, of one array by one array: a boolean matrix, dense or of scipy.sparse,
            with an entry wherever the Jacobian may have one; or "detect". Columns (or rows) that share no row are found
            in one direction, so that a banded Jacobian takes as many directions as it has bands, whatever its size.

    Returns:
        A function of the same arguments. It returns the container of the outputs, with the container of the argument
        in place of each array, and in it arrays of shape `output.shape + input.shape`. With `sparsity`, it returns a
        `scipy.sparse.csr_array` of shape (elements of the output, elements of the input).

    Raises:
        UsageError: `mode` is none of these; when it is called: an argument is complex or has no derivative, reverse
            mode is asked for and an output is complex, or the pattern misses entries that are not zero.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.jacobian(lambda x: x[1:] * x[:-1])(np.array([1.0, 2.0, 3.0]))
        array([[2., 1., 0.],
               [0., 3., 2.]])
    """
    if mode not in get_args(Mode):
        raise UsageError(f'mode={mode!r} was asked for; it is "auto", "forward", "reverse" or "mixed"')

    def derivative(*arguments: Any, **options: Any) -> Any:
        call = Call(f, wrt, arguments, options)
        call.require_real("a Jacobian")
        if sparsity is not None:
            from retrograde.autodiff.derivatives.sparse import sparse_jacobian

            return sparse_jacobian(call, mode, sparsity)
        linear = Linearization(call, both=mode != "forward")
        _check_outputs(linear, mode, f)
        return nested(call, linear, _whole(linear, mode))

    return derivative


def hessian(f: Function, wrt: Wrt = 0, sparsity: Any = None) -> Function:
    """A function that computes the Hessian of a scalar function.

    Forward over reverse: the gradient runs once, and unit directions go through its derivative in batches.

    Args:
        f: any NumPy code that returns a real scalar.
        wrt: as in `rg.grad`. An argument is a real array or a container of such.
        sparsity: as in `rg.jacobian`. Each entry is found in its row or in its column (Coleman and Moré 1984).

    Returns:
        A function of the same arguments. Its result has the axes of the argument twice; by a container, it is that
        container twice, one in the other, as in JAX. With `sparsity`, a `scipy.sparse.csr_array`.

    Raises:
        UsageError: when it is called: as `rg.grad`, and if an argument is complex, or the pattern misses entries that
            are not zero.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.hessian(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 2.0]))
        array([[4., 2.],
               [2., 0.]])
    """

    def derivative(*arguments: Any, **options: Any) -> Any:
        call = Call(f, wrt, arguments, options)
        call.require_real("a Hessian")
        gradient = Call(grad(call), 0, (call.chosen,), {})
        if sparsity is not None:
            from retrograde.autodiff.derivatives.sparse import sparse_hessian

            return sparse_hessian(call, gradient, sparsity)
        linear = Linearization(gradient)
        return nested(gradient, linear, _whole(linear, "forward"))

    return derivative


def _whole(linear: Linearization, mode: Mode) -> tuple[Array, list[Slot]]:
    """The matrix by all inputs of all outputs that depend on them, and these."""
    graph, sources = linear.graph, linear.inputs
    targets = list(dict.fromkeys(slot for slot in linear.outputs if slot is not None))
    if not targets:
        return np.zeros((0, sum(slot.size for slot in sources))), targets
    return _swept(graph, sources, targets, mode, _any_complex(targets)), targets


def _swept(graph: LinearGraph, sources: Sequence[Slot], targets: Sequence[Slot], mode: Mode, forward: bool) -> Array:
    if mode == "mixed":
        return through(graph, sources, targets, narrowest(graph, sources, targets)[1])
    way = mode if mode != "auto" else "forward" if forward else choose(graph, sources, targets)
    if isinstance(way, str):
        return matrix(graph, sources, targets, slice(None), way)
    return through(graph, sources, targets, way)


def _any_complex(slots: Sequence[Slot]) -> bool:
    return any(slot.dtype.kind == "c" for slot in slots)


def _check_outputs(linear: Linearization, mode: Mode, f: Function) -> None:
    for position, leaf in enumerate(linear.leaves):
        if not containers.is_leaf(leaf):
            raise UsageError(
                f"the Jacobian of {name_of(f)} was asked for, which returned a {type(leaf).__name__} as output "
                f"{position}; return arrays and numbers, or containers of them"
            )
        dtype = dtype_of(leaf)
        if dtype.kind == "c" and mode in ("reverse", "mixed"):
            raise UsageError(
                f"the Jacobian of {name_of(f)} was asked for in mode {mode!r}, and output {position} is {dtype}; a "
                'cotangent of a complex output gives only the real part of a row: use mode="forward"'
            )


def nested(call: Call, linear: Linearization, found: tuple[Array, list[Slot]]) -> Any:
    """The blocks of a matrix of derivatives, in the container of the inputs inside that of the outputs."""
    whole, targets = found
    rows = dict(zip(targets, _ranges(targets), strict=True))
    columns = _ranges(linear.inputs)

    def block(place: int, slot: Slot | None, source: Slot, column: slice) -> Array:
        leaf = linear.leaves[place]
        dtype = dtype_of(leaf)
        dtype = np.result_type(dtype, source.dtype) if is_differentiable(dtype) else source.dtype
        shape = (*np.shape(leaf), *source.shape)
        if slot is None:
            return np.zeros(shape, dtype)[()]
        part = whole if len(columns) == len(rows) == 1 else whole[rows[slot], column]
        part = np.reshape(part, shape)[()]
        return part if part.dtype == dtype else part.astype(dtype)

    outputs = [
        call.rebuilt([block(place, slot, *pair) for pair in zip(linear.inputs, columns, strict=True)])
        for place, slot in enumerate(linear.outputs)
    ]
    return containers.rebuild(linear.value, outputs)


def _ranges(slots: Sequence[Slot]) -> list[slice]:
    return [slice(int(end) - slot.size, int(end)) for slot, end in zip(slots, ends_of(slots), strict=True)]
