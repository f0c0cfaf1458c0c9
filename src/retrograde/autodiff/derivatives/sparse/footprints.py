"""Which elements of a result depend on which coordinates: a pattern goes through NumPy code with each value.

The pattern of a result is that of its operands, joined by what is known of the operation: elementwise, a movement of
elements, a sum along axes, a product of matrices. Of an operation of which nothing is known, every element depends on
everything. So a pattern may have entries that are zero in the end, and never lacks one, at this point of evaluation:
nothing is probed with numbers. A branch is taken as the values say, and so has the pattern of this point.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.forward.accompanied import Accompanied
from retrograde.autodiff.forward.pushing import order_of
from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting, apply, new_level
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import is_differentiable

sparse: Any = import_module("scipy.sparse")

_MOST_ENTRIES = 100_000_000


class Footprint(Accompanied):
    """An array, and for each of its elements (a row) the coordinates that it depends on (its columns).

    Attributes:
        value: the array.
        pattern: a boolean sparse matrix; None where nothing depends on anything.
        level: that of the derivative it belongs to.
    """

    __slots__ = ("pattern",)
    _state = ("value", "pattern", "level")
    kind: ClassVar[str] = "a value with its footprint"

    pattern: Any

    def __init__(self, value: Array, pattern: Any, level: int) -> None:
        self.value = value
        self.pattern = pattern
        self.level = level

    def __repr__(self) -> str:
        return f"footprint({self.value!r})"

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Footprint:
        """Zeros that do not depend on anything."""
        return Footprint(np.zeros_like(self.value, dtype=dtype, shape=shape), None, self.level)

    def carry(
        self, primitive: Primitive, values: list[Any], moving: list[tuple[int, Any]], static: Mapping[str, Any]
    ) -> Any:
        """Evaluate an operation, and find the pattern of its result."""
        from retrograde.autodiff.derivatives.sparse.patterns import pattern_of

        out = apply(primitive, tuple(values), static)
        outs = out if primitive.outputs else (out,)
        patterns = {place: footprint.pattern for place, footprint in moving if footprint.pattern is not None}
        if order_of(primitive, tuple(place for place, _ in moving)) == "constant":
            return out
        if not patterns:
            found: list[Any] = [None] * len(outs)
        else:
            found = [pattern_of(primitive, values, patterns, result, static) for result in outs]
        made = tuple(
            Footprint(result, pattern, self.level) if is_differentiable(result.dtype) else result
            for result, pattern in zip(outs, found, strict=True)
        )
        return made if primitive.outputs else made[0]


def joined(patterns: list[Any]) -> Any:
    """The entries that any of some patterns has."""
    whole = patterns[0]
    for pattern in patterns[1:]:
        if pattern is not whole:
            whole = whole + pattern
    return whole


def everything(patterns: list[Any], rows: int, primitive: Primitive) -> Any:
    """Every row depends on all that any row of the patterns does.

    Raises:
        UsageError: that are too many entries to be called sparse.
    """
    columns = np.unique(np.concatenate([pattern.indices for pattern in patterns]))
    if rows * len(columns) > _MOST_ENTRIES:
        raise UsageError(
            f"the sparsity of a derivative was to be detected, and {primitive.name} makes {rows} elements depend on "
            f"{len(columns)} coordinates each; ask for the dense derivative, or give the pattern (sparsity=pattern)"
        )
    indices = np.tile(columns, rows)
    starts = (
        np.arange(0, len(indices) + 1, max(len(columns), 1))[: rows + 1] if len(columns) else np.zeros(rows + 1, int)
    )
    return sparse.csr_array((np.ones(len(indices), bool), indices, starts), shape=(rows, patterns[0].shape[1]))


def detect(f: Any, x: Any) -> Any:
    """The pattern of a function's Jacobian at a point.

    Args:
        f: a function of one real array that returns one.
        x: the point.

    Returns:
        A boolean `scipy.sparse.csr_array` of shape (elements of the result, elements of x) that has every entry that
        can be nonzero.

    Raises:
        UsageError: the function returns no single array, or the pattern is too dense.

    Example:
        >>> import numpy as np
        >>> from retrograde.autodiff.derivatives.sparse import detect
        >>> detect(lambda x: x[1:] * x[:-1], np.ones(3)).toarray().astype(int)
        array([[1, 1, 0],
               [0, 1, 1]])
    """
    if isinstance(x, Intercepting):
        raise UsageError(
            "the sparsity of a derivative was to be detected inside another derivative; detect it outside, once, and "
            "give it (sparsity=pattern)"
        )
    x = np.asarray(x)
    level = new_level()
    count = x.size
    identity = sparse.csr_array((np.ones(count, bool), np.arange(count), np.arange(count + 1)), shape=(count, count))
    out = f(Footprint(x, identity, level))
    if not containers.is_leaf(out):
        raise UsageError(
            f"a sparse derivative was asked for of a function that returned a {type(out).__name__}; it is of one array "
            "by one array: join the results (np.concatenate)"
        )
    if isinstance(out, Footprint) and out.level == level and out.pattern is not None:
        pattern = out.pattern
        pattern.sum_duplicates()
        return pattern
    return sparse.csr_array((int(np.prod(np.shape(out), dtype=np.int64)), count), dtype=bool)
