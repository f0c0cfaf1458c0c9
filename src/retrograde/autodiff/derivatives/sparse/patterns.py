"""How patterns go through operations, by families of primitives; through any other, everything reaches everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from string import ascii_lowercase
from typing import Any, TypeAlias

import numpy as np

from retrograde.autodiff.derivatives.sparse.footprints import everything, joined
from retrograde.program.kinds import as_tuple
from retrograde.program.primitive import Array, Primitive

sparse: Any = import_module("scipy.sparse")

Patterns: TypeAlias = dict[int, Any]
"""By the positions of operands; those without entries are left out."""
Static: TypeAlias = Mapping[str, Any]
PatternRule: TypeAlias = Callable[[Primitive, list[Any], Patterns, Any, Static], Any]

RULES: dict[str, PatternRule] = {}
"""By the name of the primitive: from the primitive, its operands, their patterns, the result and static parameters to
the pattern of the result."""


def pattern_of(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    """The pattern of a result of an operation."""
    rule = RULES.get(primitive.name)
    if rule is not None:
        return rule(primitive, values, patterns, out, static)
    if primitive.elementwise:
        return _elementwise(primitive, values, patterns, out, static)
    return everything(list(patterns.values()), out.size, primitive)


def _rule(*names: str) -> Callable[[PatternRule], PatternRule]:
    def declare(rule: PatternRule) -> PatternRule:
        for name in names:
            RULES[name] = rule
        return rule

    return declare


def _numbers(x: Array) -> Any:
    return np.reshape(np.arange(int(x.size)), x.shape)


def _elementwise(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    return joined(
        [_taken(pattern, np.broadcast_to(_numbers(values[place]), out.shape)) for place, pattern in patterns.items()]
        if any(values[place].shape != out.shape for place in patterns)
        else list(patterns.values())
    )


def _taken(pattern: Any, rows: Array) -> Any:
    """The rows of a pattern at given numbers."""
    rows = np.ravel(rows)
    if len(rows) == pattern.shape[0] and np.array_equal(rows, np.arange(len(rows))):
        return pattern
    return pattern[rows]


def _gathered(pattern: Any, targets: Array, count: int) -> Any:
    """The rows of a pattern joined into `count` rows, each into the one that `targets` names."""
    targets = np.ravel(targets)
    into = sparse.csr_array(
        (np.ones(len(targets), bool), (targets, np.arange(len(targets)))), shape=(count, len(targets)), dtype=bool
    )
    return into @ pattern


def moves(*names: str) -> None:
    """Declare primitives whose result has elements of its first operand, and zeros, in other places."""
    for name in names:
        RULES[name] = _moved


def _moved(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    """The operation on the numbers of the elements, counted from 1, says what went where; 0 is nothing."""
    numbers = np.asarray(primitive.evaluate(_numbers(values[0]) + 1, *values[1:], **static)).ravel()
    pattern = patterns[0]
    if numbers.size and numbers.min() > 0:
        return _taken(pattern, numbers - 1)
    return sparse.vstack([sparse.csr_array((1, pattern.shape[1]), dtype=bool), pattern], format="csr")[numbers]


moves("reshape", "transpose", "broadcast_to", "getitem", "roll", "diagonal", "from_diagonal", "tril", "triu")
moves("take_along_axis", "sliding_window_view")


@_rule("concatenate", "stack")
def _concatenated(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    ends = np.cumsum([0, *(np.size(value) for value in values)])
    numbers = [_numbers(np.asarray(value)) + start for value, start in zip(values, ends, strict=False)]
    width = next(iter(patterns.values())).shape[1]
    rows = [patterns.get(at, sparse.csr_array((np.size(value), width), dtype=bool)) for at, value in enumerate(values)]
    return _taken(sparse.vstack(rows, format="csr"), primitive.evaluate(*numbers, **static))


@_rule("scatter")
def _scattered(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    return _gathered(patterns[0], np.broadcast_to(_numbers(out)[values[1]], values[0].shape), out.size)


@_rule("add_windows")
def _windows_added(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(_numbers(out), static["length"], static["axis"])
    return _gathered(patterns[0], windows, out.size)


@_rule("trace")
def _traced(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    picked = np.diagonal(_numbers(values[0]), static["offset"], static["axis1"], static["axis2"])
    targets = np.broadcast_to(_numbers(out)[..., None], picked.shape)
    return _gathered(_taken(patterns[0], picked), targets, out.size)


@_rule("add_at")
def _added_at(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    parts = [patterns[0]] if 0 in patterns else []
    if 2 in patterns:
        places = _numbers(out)[values[1]]
        added = _taken(patterns[2], np.broadcast_to(_numbers(values[2]), places.shape))
        parts.append(_gathered(added, places, out.size))
    return joined(parts)


@_rule("update")
def _updated(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    """The operation on numbers again: elements of `x` are counted from 1, those of `v` behind them."""
    x, index, v = values
    width = next(iter(patterns.values())).shape[1]
    empty = sparse.csr_array((1, width), dtype=bool)
    rows = [empty, patterns.get(0, sparse.csr_array((x.size, width), dtype=bool))]
    numbers: Any = 0
    if 2 in patterns:
        rows.append(patterns[2])
        numbers = _numbers(v) + 1 + x.size
    return sparse.vstack(rows, format="csr")[primitive.evaluate(_numbers(x) + 1, index, numbers).ravel()]


@_rule("sum", "prod", "max", "min", "norm", "std", "var", "cumsum", "cumprod", "logsumexp", "softmax", "log_softmax")
@_rule("normalize", "linear_recurrence", "add_along_axis", "leave_one_out")
def _along_axes(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    """What is on the same line along some axes. A result that has these axes has it in each of its elements there."""
    parts: list[Any] = []
    for place, pattern in patterns.items():
        shape = values[place].shape
        axes = tuple(axis % len(shape) for axis in as_tuple(static["axis"]))
        together = _gathered(pattern, _lines(shape, axes), _line_count(shape, axes))
        keeps = len(shape) == len(out.shape)
        parts.append(_taken(together, _lines(out.shape, axes)) if keeps else together)
    return joined(parts)


def _lines(shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """For each element the number of the line along some axes that it is on."""
    kept = tuple(1 if axis in axes else extent for axis, extent in enumerate(shape))
    return np.broadcast_to(np.arange(math.prod(kept)).reshape(kept), shape)


def _line_count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return math.prod(extent for axis, extent in enumerate(shape) if axis not in axes)


@_rule("dropout", "half_triangle")
def _of_first(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    return patterns[0]


@_rule("sum_to")
def _summed_to(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    return _gathered(patterns[0], np.broadcast_to(_numbers(out), values[0].shape), out.size)


@_rule("matmul")
def _matmul(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    x, y = values
    batch = ascii_lowercase[: out.ndim - 2]
    labels = [f"{batch[len(batch) - value.ndim + 2 :]}{last}" for value, last in ((x, "IK"), (y, "KJ"))]
    return _contracted(values, patterns, out, [*labels, f"{batch}IJ"])


@_rule("einsum")
def _einsum(primitive: Primitive, values: list[Any], patterns: Patterns, out: Any, static: Static) -> Any:
    return _contracted(values, patterns, out, static["subscripts"].replace("->", ",").split(","))


def _contracted(values: list[Any], patterns: Patterns, out: Any, labels: list[str]) -> Any:
    """An element depends on what shares its labels, over all that is summed; of a constant matrix, the zeros count."""
    if len(patterns) == 1:
        ((place, pattern),) = patterns.items()
        constant, summed = labels[1 - place], set(labels[0]) & set(labels[1])
        if len(constant) == 2 and len(summed) == 1 and not summed & set(labels[2]):
            return _times_constant(values[1 - place], pattern, np.shape(values[place]), labels, place)
    shares = patterns.items()
    return joined([_summed(pattern, values[place].shape, labels[place], out, labels[2]) for place, pattern in shares])


def _summed(pattern: Any, shape: tuple[int, ...], labels: str, out: Any, out_labels: str) -> Any:
    axes = tuple(at for at, label in enumerate(labels) if label not in out_labels)
    together = _gathered(pattern, _lines(shape, axes), _line_count(shape, axes))
    kept = [label for label in labels if label in out_labels]
    extents = dict(zip(labels, shape, strict=True))
    numbers: Any = np.reshape(np.arange(int(together.shape[0])), [extents[label] for label in kept])
    order = sorted(range(len(kept)), key=lambda at: out_labels.index(kept[at]))
    numbers = numbers.transpose(order).reshape([extents.get(label, 1) for label in out_labels])
    return _taken(together, np.broadcast_to(numbers, out.shape))


def _times_constant(constant: Any, pattern: Any, shape: tuple[int, ...], labels: list[str], place: int) -> Any:
    """The pattern of a matrix times an array, along the one label that is summed over."""
    mine, of_constant, out_labels = labels[place], labels[1 - place], labels[2]
    (summed,) = set(mine) & set(of_constant)
    matrix = constant if of_constant[1] == summed else constant.T
    at = mine.index(summed)
    rest = mine.replace(summed, "")
    turned = _taken(pattern, np.moveaxis(np.arange(math.prod(shape)).reshape(shape), at, 0))
    extents = [extent for axis, extent in enumerate(shape) if axis != at]
    weights = sparse.kron(sparse.csr_array(matrix != 0), sparse.eye_array(math.prod(extents), dtype=bool), format="csr")
    found = [of_constant.replace(summed, ""), *rest]
    numbers: Any = np.reshape(np.arange(int(weights.shape[0])), (matrix.shape[0], *extents))
    product = (weights @ turned).astype(bool, copy=False)
    return _taken(product, numbers.transpose([found.index(label) for label in out_labels]))
