"""Sparse derivatives from a few directions, one for each colour, and the check that nothing is missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from retrograde.autodiff.arguments import Call, Function, name_of
from retrograde.autodiff.derivatives.linearizing import Linearization
from retrograde.autodiff.derivatives.sparse.coloring import column_coloring, star_coloring
from retrograde.autodiff.derivatives.sparse.footprints import detect
from retrograde.autodiff.derivatives.sweeps import Way, swept
from retrograde.autodiff.forward.linear_graph import Slot
from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array

sparse: Any = import_module("scipy.sparse")


def sparse_jacobian(call: Call, mode: str, sparsity: Any) -> Any:
    """The Jacobian of a call as a `csr_array`: `rg.jacobian(..., sparsity=...)`.

    Args:
        call: a function of one real array that returns one.
        mode: "forward", "reverse" or "auto".
        sparsity: a pattern, or "detect".
    """
    x = _only_array(call)
    linear = Linearization(call, both=mode != "forward")
    source, target = linear.inputs[0], _only_output(linear, call)
    size = int(np.prod(np.shape(linear.leaves[0]), dtype=np.int64))
    pattern = _pattern(call, x, sparsity, (size, x.size))
    if target is None:
        return sparse.csr_array(pattern.shape, dtype=source.dtype)
    if mode == "mixed" or (mode == "reverse" and target.dtype.kind == "c"):
        raise UsageError(
            f"a sparse Jacobian of {name_of(call.f)} was asked for in mode {mode!r}"
            f"{', of a complex output' if mode == 'reverse' else ''}; use forward, or auto"
        )
    way, colors = _cheapest(pattern, "forward" if target.dtype.kind == "c" else mode)
    row, col = _entries(pattern)
    seeded = col if way == "forward" else row
    stack, probe = _compressed(linear, [source], [target], colors, way)
    values = _picked(stack, colors[seeded], row if way == "forward" else col)
    found = sparse.csr_array((values, pattern.indices, pattern.indptr), shape=pattern.shape)
    _check_complete(found if way == "forward" else sparse.csr_array(found.T), probe, call)
    return found


def sparse_hessian(call: Call, gradient: Call, sparsity: Any) -> Any:
    """The Hessian as a `csr_array`: `rg.hessian(..., sparsity=...)`.

    Args:
        call: the scalar function.
        gradient: its gradient.
        sparsity: a pattern, of which either triangle may be left out, or "detect".
    """
    x = _only_array(call)
    linear = Linearization(gradient)
    source, target = linear.inputs[0], linear.outputs[0]
    pattern = _pattern(gradient, x, sparsity, (x.size, x.size))
    if target is None:
        return sparse.csr_array(pattern.shape, dtype=source.dtype)
    pattern = sparse.csr_array(pattern + pattern.T)
    pattern.sort_indices()
    colors = star_coloring(pattern)
    stack, probe = _compressed(linear, [source], [target], colors, "forward")
    row, col = _entries(pattern)
    width = len(stack)
    alone = np.bincount(row * width + colors[col], minlength=1)
    here = alone[row * width + colors[col]] == 1
    assert (here | here[_transposed(pattern)]).all(), "a star colouring leaves every entry in the open on one side"
    columns, rows = _picked(stack, colors[col], row), _picked(stack, colors[row], col)
    found = sparse.csr_array((np.where(here, columns, rows), pattern.indices, pattern.indptr), shape=pattern.shape)
    _check_complete(found, probe, call)
    return found


def _transposed(pattern: Any) -> Any:
    """For each entry of a symmetric pattern the number of the entry across the diagonal."""
    numbers = sparse.csr_array((np.arange(1, pattern.nnz + 1), pattern.indices, pattern.indptr), shape=pattern.shape)
    across = sparse.csr_array(numbers.T)
    across.sort_indices()
    return across.data - 1


def _only_array(call: Call) -> Any:
    if len(call.leaves) != 1:
        raise UsageError(
            f"a sparse derivative of {name_of(call.f)} was asked for by {len(call.leaves)} arrays; it is of one array "
            "by one array: join them (np.concatenate), and split them in the function"
        )
    if isinstance(call.leaves[0], Intercepting):
        raise UsageError(
            f"a sparse derivative of {name_of(call.f)} was asked for inside another derivative; scipy's matrices carry "
            "none: use the dense one there"
        )
    return call.leaves[0]


def _only_output(linear: Linearization, call: Call) -> Slot | None:
    if len(linear.outputs) != 1:
        raise UsageError(
            f"a sparse derivative of {name_of(call.f)} was asked for, which returned {len(linear.outputs)} arrays; it "
            "is of one array by one array: join them (np.concatenate)"
        )
    return linear.outputs[0]


def _pattern(call: Call, x: Any, sparsity: Any, shape: tuple[int, int]) -> Any:
    """The pattern as a boolean `csr_array` in order."""
    if isinstance(sparsity, str):
        if sparsity != "detect":
            raise UsageError(f'sparsity={sparsity!r} was asked for; it is "detect", or a pattern (an array)')
        pattern = detect(_of_array(call), x)
    else:
        pattern = sparse.csr_array(sparsity if sparse.issparse(sparsity) else np.asarray(sparsity)).astype(bool)
    if pattern.shape != shape:
        raise UsageError(
            f"a pattern of shape {pattern.shape} was given for a derivative of {shape[0]} elements by {shape[1]}; give "
            "one of that shape"
        )
    pattern.eliminate_zeros()
    pattern.sort_indices()
    return pattern


def _picked(stack: Any, rows: Any, columns: Any) -> Any:
    return stack[rows, columns]


def _differences(numbers: Any) -> Any:
    return numbers[1:] - numbers[:-1]


def _of_array(call: Call) -> Function:
    def of_array(x: Array) -> Any:
        return call.at([x])

    return of_array


def _entries(pattern: Any) -> tuple[Array, Array]:
    rows: Any = np.repeat(np.arange(int(pattern.shape[0])), _differences(pattern.indptr))
    return rows, pattern.indices.astype(np.int64)


def _cheapest(pattern: Any, mode: str) -> tuple[Way, Array]:
    """The way with fewer colours: columns go forward, rows in reverse."""
    if mode == "auto":
        fullest_row = np.diff(pattern.indptr).max(initial=0)
        fullest_column = np.bincount(pattern.indices, minlength=1).max(initial=0)
        mode = "forward" if fullest_row <= fullest_column else "reverse"
    if mode == "forward":
        return "forward", column_coloring(pattern)
    return "reverse", column_coloring(sparse.csr_array(pattern.T))


def _compressed(
    linear: Linearization, sources: Sequence[Slot], targets: Sequence[Slot], colors: Array, way: Way
) -> tuple[Array, tuple[Array, Array]]:
    """A row for each colour, and a random direction with its derivative."""
    width = int(colors.max(initial=-1)) + 1
    starts, ends = (sources, targets) if way == "forward" else (targets, sources)
    directions = np.zeros((width + 1, len(colors)), starts[0].dtype)
    directions[colors, np.arange(len(colors))] = 1
    directions[width] = np.random.default_rng(0).uniform(0.5, 1.5, len(colors))
    stack = swept(linear.graph, starts, ends, directions, way)
    return stack[:width], (directions[width], stack[width])


def _check_complete(found: Any, probe: tuple[Array, Array], call: Call) -> None:
    """See that the matrix takes a random direction to what the function's derivative takes it to."""
    direction, expected = probe
    tolerance = np.sqrt(np.finfo(found.dtype).eps)
    scale = abs(found) @ abs(direction) + abs(expected)
    wrong = abs(found @ direction - expected) > tolerance * (scale + tolerance * np.max(scale, initial=0.0))
    if wrong.any():
        raise UsageError(
            f"the pattern given for a derivative of {name_of(call.f)} has no entry for some that are not zero (in row "
            f'{int(np.argmax(wrong))}, or in what shares a colour with it); complete it, or use sparsity="detect"'
        )
